"""Writes facts into the outbox: one statement for the events and for every delivery they need."""

from functools import cache

import msgspec
from django.db import connection

from habitat.events.actions.wakes import wake_after_commit
from habitat.events.errors import OutsideTransaction
from habitat.events.policies.registry import name_of, payload_of, subscribers_of
from habitat.members.policies.actors import Actor
from habitat.statements import rows_of

_encode = msgspec.json.Encoder().encode


def emit(*events: object, acting: Actor) -> list[int]:
    """Announces `events` in the open transaction and returns their ids, in order; wakes the queue after commit.

    Not `@transaction.atomic`: a savepoint would double the cost of the hottest statement of the house, and one
    statement is atomic by itself. Raises OutsideTransaction, UnknownEventType.
    """
    if not events:
        return []
    if not connection.in_atomic_block:
        raise OutsideTransaction
    label = acting.label
    parameters: list[str] = []
    heard = False
    for event in events:
        name = name_of(type(event))
        subscribers = subscribers_of(name)
        heard = heard or bool(subscribers)
        parameters += (name, _encode(payload_of(event)).decode(), label, _array(subscribers))
    ids = sorted(row[0] for row in rows_of(_statement(len(events)), parameters))
    if heard:
        wake_after_commit("deliveries")
    return ids


@cache
def _array(subscribers: tuple[str, ...]) -> str:
    """As PostgreSQL reads an array: adapting a list costs more than the rest of the call together."""
    return f"{{{','.join(subscribers)}}}"


@cache
def _statement(count: int) -> str:
    values = ", ".join(["(%s::text, %s::jsonb, %s::text, %s::varchar[])"] * count)
    # Only the number of placeholders is put into the text.
    return (
        "WITH facts AS (INSERT INTO events_event (name, payload, actor, subscribers)"  # noqa: S608
        f" VALUES {values} RETURNING id, subscribers),"
        " sent AS (INSERT INTO events_delivery (event_id, subscriber)"
        " SELECT facts.id, unnest(facts.subscribers) FROM facts)"
        " SELECT id FROM facts"
    )
