"""The queue of webhooks: messages written once, taken under a lease and a fence, each sending and its end recorded."""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from django.db import connection, transaction
from django.db.models.functions import Now

from habitat.controls.reports.settings import value
from habitat.errors import NotAllowed
from habitat.events.actions.wakes import wake_after_commit
from habitat.events.policies.states import error_text
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor, ActorKind
from habitat.notifications import locks
from habitat.notifications.actions import webhooks
from habitat.notifications.errors import WebhookNotInState, WebhookNotReplayable, WebhookSuperseded
from habitat.notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from habitat.notifications.policies.webhooks import (
    GONE,
    MAX_ATTEMPTS,
    REPLAYABLE,
    SENT_AGAIN,
    DeliveryState,
    EndpointState,
    rest_after,
    stamp,
    wait_after,
)

logger = logging.getLogger(__name__)

# Longer than a sending may take whole, so that a lease runs out only on the dead.
LEASE: Final = timedelta(seconds=60)
DISABLE_AFTER: Final = "webhooks.disable_after_days"
NEVER_BACK: Final = "The last attempt never ended: its worker died of it."

# Deliveries are made for who listens now; nobody listening means no message either.
_PUBLISH = """
WITH listening AS (
    SELECT e.id, e.types
      FROM notifications_webhookendpoint e
      JOIN controls_servicekey k ON k.id = e.key_id
     WHERE e.state = 'active' AND k.revoked_at IS NULL AND k.expires_at > statement_timestamp()
), told AS (
    SELECT DISTINCT ON (type, subject) type, subject, body, sequence
      FROM unnest(%(type)s::text[], %(subject)s::text[], %(body)s::text[], %(sequence)s::bigint[])
           AS given(type, subject, body, sequence)
     ORDER BY type, subject, sequence DESC NULLS LAST
), said AS (
    INSERT INTO notifications_webhookmessage (event_id, type, subject, body)
    SELECT %(event)s, told.type, told.subject, told.body
      FROM told
     WHERE EXISTS (SELECT FROM listening
                    WHERE listening.types && ARRAY[told.type, split_part(told.type, '.', 1) || '.*']::varchar[])
        ON CONFLICT (event_id, type, subject) DO NOTHING
    RETURNING id, type, subject
)
INSERT INTO notifications_webhookdelivery (endpoint_id, message_id, about, sequence)
SELECT listening.id, said.id, CASE WHEN told.sequence IS NULL THEN '' ELSE told.type || ' ' || told.subject END,
       told.sequence
  FROM said
  JOIN told USING (type, subject)
  JOIN listening ON listening.types && ARRAY[said.type, split_part(said.type, '.', 1) || '.*']::varchar[]
"""
# Of what waits for one endpoint about one thing only the newest is still worth sending. By sequence, not by who came
# last: two workers may tell of two facts the other way round. What somebody is just taking is left to them. The newest
# takes the turn of those it supersedes: put to the end of the queue each time, what changes often would never be sent.
_SUPERSEDE = """
WITH newest AS (
    SELECT DISTINCT ON (endpoint_id, about) endpoint_id, about, sequence, id
      FROM notifications_webhookdelivery
     WHERE state = 'pending' AND sequence IS NOT NULL AND about = ANY(%(about)s)
     ORDER BY endpoint_id, about, sequence DESC, id DESC
), older AS (
    SELECT d.id, d.due_at, newest.id AS newer
      FROM newest
      JOIN notifications_webhookdelivery d ON d.endpoint_id = newest.endpoint_id AND d.about = newest.about
     WHERE d.state = 'pending' AND d.sequence IS NOT NULL AND (d.sequence, d.id) < (newest.sequence, newest.id)
       FOR NO KEY UPDATE OF d SKIP LOCKED
), turn AS (
    SELECT newer, min(due_at) AS due_at FROM older GROUP BY newer
), kept AS (
    SELECT d.id, turn.due_at
      FROM turn
      JOIN notifications_webhookdelivery d ON d.id = turn.newer
     WHERE d.state = 'pending' AND d.due_at > turn.due_at
       FOR NO KEY UPDATE OF d SKIP LOCKED
), moved_up AS (
    UPDATE notifications_webhookdelivery d SET due_at = kept.due_at FROM kept WHERE d.id = kept.id
)
UPDATE notifications_webhookdelivery d
   SET state = 'superseded', due_at = clock_timestamp(),
       error = 'Delivery ' || older.newer || ' says what holds since.'
  FROM older
 WHERE d.id = older.id
"""
# One due delivery of each endpoint is looked at, and the endpoint that was tried longest ago comes first: an address
# with a long queue, or a slow one, keeps no other waiting behind it.
_CLAIM = """
WITH chosen AS (
    SELECT first.id, e.id AS endpoint_id
      FROM notifications_webhookendpoint e
      JOIN controls_servicekey k ON k.id = e.key_id
     CROSS JOIN LATERAL (
         SELECT d.id, d.due_at FROM notifications_webhookdelivery d
          WHERE d.endpoint_id = e.id AND d.state IN ('pending', 'sending') AND d.due_at <= statement_timestamp()
          ORDER BY d.due_at, d.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
     ) AS first
     WHERE e.state = 'active' AND e.quiet_until <= statement_timestamp()
       AND k.revoked_at IS NULL AND k.expires_at > statement_timestamp()
     ORDER BY e.attempted_at NULLS FIRST, first.due_at, first.id
     LIMIT 1
), tried AS (
    UPDATE notifications_webhookendpoint e SET attempted_at = clock_timestamp()
      FROM chosen WHERE e.id = chosen.endpoint_id
)
UPDATE notifications_webhookdelivery d
   SET state = 'sending', fence = d.fence + 1, attempts = d.attempts + 1,
       lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
       due_at = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM chosen
 WHERE d.id = chosen.id
RETURNING d.id, d.fence, d.attempts
"""


@dataclass(frozen=True, slots=True)
class Told:
    """One message before it is written. `subject` tells apart those of one event; `data` is what JSON can carry.

    With a `sequence` it says how its subject stands: one of the same type and subject with a smaller number, or told
    earlier with the same, is superseded where it still waits.
    """

    type: str
    subject: str
    data: dict[str, Any]
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class WebhookClaim:
    """A delivery in somebody's hands: only the newest `fence` of it may end it."""

    delivery_id: int
    fence: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How one sending went: the receiver's status, or the failure that left none."""

    status: int | None
    milliseconds: int
    error: Exception | None = None

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def problem(self) -> str:
        """For people, secrets veiled; empty when it was taken."""
        if self.error is not None:
            return error_text(self.error)
        return "" if self.is_taken else f"answered {self.status}"


@transaction.atomic
def publish(messages: Sequence[Told], *, event_id: int, occurred_at: datetime) -> int:
    """Writes what services subscribed to hear of an event, once however often it is called; how many deliveries.

    Runs in the handler's transaction of the fact it tells.
    """
    if not messages:
        return 0
    at = stamp(occurred_at)
    bodies = [
        msgspec.json.encode({"type": told.type, "timestamp": at, "data": told.data}).decode() for told in messages
    ]
    given: dict[str, Any] = {
        "event": event_id,
        "type": [told.type for told in messages],
        "subject": [told.subject for told in messages],
        "body": bodies,
        "sequence": [told.sequence for told in messages],
    }
    about = [f"{told.type} {told.subject}" for told in messages if told.sequence is not None]
    with connection.cursor() as cursor:
        cursor.execute(_PUBLISH, given)
        made = int(cursor.rowcount)
    if made and about:
        _supersede(about)
    if made:
        wake_after_commit(webhooks.QUEUE)
    return made


def _supersede(about: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SUPERSEDE, {"about": list(about)})


def claim(*, acting: Actor) -> WebhookClaim | None:
    """Takes the next delivery and counts an attempt; None when nothing is due.

    One that never came back from its last attempt is buried on the way: it kills its worker, and must not for ever.
    """
    while taken := _take(acting=acting):
        found, attempts = taken
        if attempts <= MAX_ATTEMPTS:
            return found
    return None


@transaction.atomic
def _take(*, acting: Actor) -> tuple[WebhookClaim, int] | None:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"lease": LEASE.seconds})
        row = cursor.fetchone()
    if row is None:
        return None
    delivery_id, fence, attempts = row
    if attempts > MAX_ATTEMPTS:
        _bury(delivery_id, acting)
    return WebhookClaim(delivery_id, fence), attempts


def _bury(delivery_id: int, acting: Actor) -> None:
    """Dead, and a failure of its endpoint like any other. No attempt is recorded: this one was not made."""
    delivery = locks.webhook_delivery(delivery_id)
    endpoint = locks.webhook_endpoint(delivery.endpoint_id)
    delivery.die()
    delivery.attempts, delivery.lease_until = MAX_ATTEMPTS, None
    delivery.status, delivery.error = None, NEVER_BACK
    delivery.save(update_fields=["state", "attempts", "lease_until", "status", "error"])
    _failed(endpoint, NEVER_BACK, is_gone=False, acting=acting)


@transaction.atomic
def settle(*, claim: WebhookClaim, answer: Answer, acting: Actor) -> bool:
    """Records the sending and what follows: delivered, due again, superseded or dead. True when the receiver took it.

    An endpoint that answers 410, or has failed for longer than the setting allows, is switched off with an alert.
    When somebody else took the delivery over meanwhile, nothing is written.
    """
    delivery = locks.held_webhook(claim.delivery_id, claim.fence)
    if delivery is None:
        return False
    endpoint = locks.webhook_endpoint(delivery.endpoint_id)
    WebhookAttempt.objects.create(
        delivery=delivery, milliseconds=answer.milliseconds, status=answer.status, error=answer.problem
    )
    delivery.lease_until = None
    delivery.status, delivery.error = answer.status, answer.problem
    if answer.is_taken:
        delivery.delivered()
        delivery.delivered_at = delivery.due_at = Now()
        _well(endpoint)
    else:
        _try_later(delivery)
        _failed(endpoint, answer.problem, is_gone=answer.status == GONE, acting=acting)
    delivery.save(update_fields=["state", "lease_until", "status", "error", "due_at", "delivered_at"])
    if delivery.state == DeliveryState.PENDING.value and delivery.sequence is not None:
        # What was told while this one was under way left it alone.
        _supersede([delivery.about])
    return answer.is_taken


@transaction.atomic
def replay(*, delivery: WebhookDelivery, reason: str, acting: Actor) -> WebhookDelivery:
    """Queues a dead or delivered message once more, under its own id, word for word.

    The service whose endpoint it is, or who holds `manage_webhooks`. Raises NotAllowed, ReasonRequired,
    WebhookNotReplayable, WebhookSuperseded (the newer one is to be sent instead), WebhookNotInState (its endpoint is
    off).
    """
    _require_own(acting, delivery)
    why = require_reason(reason)
    held = locks.webhook_delivery(delivery.pk)
    endpoint = locks.webhook_endpoint(held.endpoint_id)
    if endpoint.state != EndpointState.ACTIVE.value:
        raise WebhookNotInState(state=endpoint.state)
    if held.state == DeliveryState.SUPERSEDED.value:
        raise WebhookSuperseded(delivery=held.pk, newer=held.error)
    if held.state not in REPLAYABLE:
        raise WebhookNotReplayable(delivery=held.pk, state=held.state)
    logger.info("%s sends webhook delivery %s again: %s", acting.label, held.pk, why)
    held.replay()
    held.attempts = 0
    held.due_at = Now()
    held.error = f"{SENT_AGAIN} {acting.label}: {why}"[:500]
    held.save(update_fields=["state", "attempts", "due_at", "error"])
    held.refresh_from_db(fields=["due_at"])
    wake_after_commit(webhooks.QUEUE)
    return held


def _require_own(acting: Actor, delivery: WebhookDelivery) -> None:
    own = acting.kind is ActorKind.SERVICE and acting.id == delivery.endpoint.key_id
    if not own and not acting.may(webhooks.MANAGE):
        raise NotAllowed(permission=webhooks.MANAGE)


def _try_later(delivery: WebhookDelivery) -> None:
    wait = wait_after(delivery.attempts, jitter=random.random())  # noqa: S311 - spreads retries, hides nothing
    if wait is None:
        delivery.die()
        return
    delivery.put_back()
    delivery.due_at = Now() + wait


def _well(endpoint: WebhookEndpoint) -> None:
    if endpoint.failing_since is not None:
        endpoint.failures, endpoint.failing_since = 0, None
        endpoint.save(update_fields=["failures", "failing_since"])


def _failed(endpoint: WebhookEndpoint, problem: str, *, is_gone: bool, acting: Actor) -> None:
    now = datetime.now(tz=UTC)
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    endpoint.quiet_until = Now() + rest_after(endpoint.failures, jitter=random.random())  # noqa: S311 - as above
    endpoint.save(update_fields=["failures", "failing_since", "quiet_until"])
    if endpoint.state != EndpointState.ACTIVE.value:
        return
    patience = timedelta(days=int(value(DISABLE_AFTER)))
    if is_gone:
        webhooks.switch_off(held=endpoint, why="The receiver says that it is gone (410).", acting=acting)
    elif now - endpoint.failing_since >= patience:
        why = f"Nothing got through for {patience.days} days"
        webhooks.switch_off(held=endpoint, why=f"{why}.", detail=f"{why}; last: {problem}"[:500], acting=acting)
