"""The facts and handlers these tests use: a small cooperative's bell, nothing of the storeys above."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from django.db import connection

from habitat.events.models import EventCount
from habitat.events.policies.registry import DeliveredEvent, Handler, event_type, subscribe, unsubscribe


@event_type
@dataclass(frozen=True)
class BellRang:
    name: ClassVar[str] = "bell.rang"

    amount: str
    times: int = 1


@event_type
@dataclass(frozen=True)
class NobodyListens:
    name: ClassVar[str] = "bell.silent"

    why: str | None = None


@contextmanager
def heard_by(subscriber: str, handler: Handler, name: str = BellRang.name) -> Iterator[None]:
    subscribe(subscriber, name, handler)
    try:
        yield
    finally:
        unsubscribe(subscriber, name, handler)


def ring_up(event: DeliveredEvent) -> None:
    """A handler whose effect can be counted: one more on the row of this event."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_eventcount (day, name, count) VALUES ('2026-01-01', %s, 1)"
            " ON CONFLICT (day, name) DO UPDATE SET count = events_eventcount.count + 1",
            [f"effect-{event.id}"],
        )


def effects() -> dict[int, int]:
    """How often `ring_up` took effect, by event."""
    rows = EventCount.objects.filter(name__startswith="effect-").values_list("name", "count")
    return {int(name.removeprefix("effect-")): count for name, count in rows}
