"""Takes deliveries under a lease and a fence, hands them to their subscriber once, and keeps what failed."""

import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models.functions import Now

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.controls.reports.settings import value
from habitat.events import locks
from habitat.events.actions.wakes import wake_after_commit
from habitat.events.errors import DeliveryNotDead, NoHandler
from habitat.events.models import Delivery
from habitat.events.policies.registry import handlers
from habitat.events.policies.states import DeliveryState, backoff, error_text
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.permissions import require

logger = logging.getLogger(__name__)

# Longer than a worker may live on one drain (60 s), so that a lease never ends under a live worker.
WORKER_LEASE: Final = timedelta(seconds=120)
# Longer than the broker usually needs; afterwards the message is taken for lost and published again.
BUS_LEASE: Final = timedelta(minutes=10)

ALERT: Final = "outbox_stuck"
REPLAY: Final = "events.replay_delivery"


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery in somebody's hands: only the newest `fence` of it may finish it."""

    delivery_id: int
    event_id: int
    event_name: str
    subscriber: str
    fence: int


_CLAIM = """
UPDATE events_delivery AS delivery
   SET state = 'delivering', fence = delivery.fence + 1, attempts = delivery.attempts + %(counted)s,
       lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
       due_at = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM (SELECT id FROM events_delivery
         WHERE subscriber = %(subscriber)s AND state = ANY(%(states)s) AND state IN ('pending', 'delivering')
           AND due_at <= statement_timestamp()
         ORDER BY due_at, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED) AS chosen
 WHERE delivery.id = chosen.id
RETURNING delivery.id, delivery.event_id,
          (SELECT name FROM events_event WHERE events_event.id = delivery.event_id),
          delivery.subscriber, delivery.fence
"""


@transaction.atomic
def claim(*, subscriber: str, limit: int, acting: Actor) -> list[Claim]:
    """Takes up to `limit` due deliveries of `subscriber` and counts an attempt on each.

    What a dead worker left behind is taken one at a time and stands last: an event that kills its worker uses up
    its own attempts, not those of its neighbours, and waits for no quiet moment.
    """
    fresh = _claim(subscriber, limit, WORKER_LEASE, counted=1, states=[DeliveryState.PENDING.value])
    left_behind = _claim(subscriber, 1, WORKER_LEASE, counted=1, states=[DeliveryState.DELIVERING.value])
    return fresh + left_behind


@transaction.atomic
def claim_for_bus(*, subscriber: str, limit: int, acting: Actor) -> list[Claim]:
    """Takes up to `limit` deliveries to be published. Publishing is no attempt: the consumer counts those."""
    states = [DeliveryState.PENDING.value, DeliveryState.DELIVERING.value]
    return _claim(subscriber, limit, BUS_LEASE, counted=0, states=states)


@transaction.atomic
def take(*, delivery_id: int, acting: Actor) -> Claim | None:
    """Takes the one delivery a message names, counts the attempt; None when there is nothing left to do."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_delivery SET state = 'delivering', fence = fence + 1, attempts = attempts + 1,"
            " lease_until = clock_timestamp() + make_interval(secs => %(lease)s),"
            " due_at = clock_timestamp() + make_interval(secs => %(lease)s)"
            " WHERE id = %(id)s AND state IN ('pending', 'delivering')"
            " RETURNING id, event_id, (SELECT name FROM events_event WHERE events_event.id = event_id),"
            " subscriber, fence",
            {"id": delivery_id, "lease": WORKER_LEASE.seconds},
        )
        row = cursor.fetchone()
    return Claim(*row) if row else None


def _claim(subscriber: str, limit: int, lease: timedelta, *, counted: int, states: list[str]) -> list[Claim]:
    parameters: dict[str, str | int | list[str]] = {
        "subscriber": subscriber,
        "limit": limit,
        "lease": lease.seconds,
        "counted": counted,
        "states": states,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return sorted((Claim(*row) for row in cursor.fetchall()), key=lambda claim: claim.delivery_id)


def deliver(*, claim: Claim, acting: Actor) -> bool:
    """Runs the subscriber's handlers; their effect and the `delivered` mark commit together. True when delivered.

    False when the claim is stale (somebody else took over: nothing is done) or when a handler raised (its effects
    are rolled back, the failure is kept, and it is tried again later or, after the last attempt, declared dead).
    """
    try:
        return _hand_over(claim=claim)
    except Exception as error:
        logger.exception("%s failed on %s %s", claim.subscriber, claim.event_name, claim.event_id)
        _fail(claim=claim, error=error, acting=acting)
        return False


@transaction.atomic
def _hand_over(*, claim: Claim) -> bool:
    delivery = locks.held_delivery(claim.delivery_id, claim.fence)
    if delivery is None:
        return False
    # One attempt is always allowed: most deliveries need not ask how many are.
    if delivery.attempts > 1 and delivery.attempts > _most_attempts():
        # It never came back from its attempts: it kills the worker. Do not let it do so for ever.
        _bury(delivery, delivery.error or "Every attempt ended with the death of its worker.", SYSTEM)
        return False
    todo = handlers(claim.subscriber, claim.event_name)
    if not todo:
        raise NoHandler(subscriber=claim.subscriber, name=claim.event_name)
    event = delivery.event.delivered()
    for handler in todo:
        handler(event)
    failed_before = bool(delivery.error)
    delivery.deliver()
    _keep(delivery, error="")
    if failed_before:
        _resolve_if_none_dead(delivery.subscriber)
    return True


@transaction.atomic
def _fail(*, claim: Claim, error: Exception, acting: Actor) -> None:
    delivery = locks.held_delivery(claim.delivery_id, claim.fence)
    if delivery is None:
        return
    if delivery.attempts >= _most_attempts():
        _bury(delivery, error_text(error), acting)
        return
    delivery.put_back()
    _keep(delivery, error=error_text(error), wait=backoff(delivery.attempts, jitter=random.random()))  # noqa: S311 - spreads retries, hides nothing


def _bury(delivery: Delivery, error: str, acting: Actor) -> None:
    delivery.die()
    _keep(delivery, error=error)
    raise_alert(
        code=ALERT,
        cause=f"subscriber:{delivery.subscriber}",
        message=f"{delivery.subscriber} could not take {delivery.event.name} after {delivery.attempts} attempts.",
        details={"delivery": str(delivery.pk), "event": str(delivery.event_id), "error": error},
        acting=acting,
    )


def _keep(delivery: Delivery, *, error: str, wait: timedelta = timedelta()) -> None:
    delivery.lease_until = None
    delivery.error = error
    delivery.due_at = Now() + wait
    delivery.save(update_fields=["state", "lease_until", "error", "due_at", "attempts"])


def _resolve_if_none_dead(subscriber: str) -> None:
    if not Delivery.objects.filter(subscriber=subscriber).dead().exists():
        resolve_cause(code=ALERT, cause=f"subscriber:{subscriber}")


def _most_attempts() -> int:
    return int(value("events.max_attempts"))


@transaction.atomic
def hand_back(*, claims: list[Claim], acting: Actor) -> None:
    """Puts back what a worker took and had no time to try: due at once, the attempt is not counted."""
    _put_back(claims, counted=1, wait=timedelta())


@transaction.atomic
def return_unsent(*, claims: list[Claim], wait: timedelta, acting: Actor) -> None:
    """Puts back what the broker did not take: due again after `wait`. Publishing was no attempt."""
    _put_back(claims, counted=0, wait=wait)


def _put_back(claims: list[Claim], *, counted: int, wait: timedelta) -> None:
    for claim in claims:
        delivery = locks.held_delivery(claim.delivery_id, claim.fence)
        if delivery is not None:
            delivery.put_back()
            delivery.attempts -= counted
            _keep(delivery, error=delivery.error, wait=wait)


@transaction.atomic
def replay(*, delivery: Delivery, reason: str, acting: Actor) -> Delivery:
    """Sends a dead delivery again, with all its attempts before it.

    Raises ReasonRequired, NotAllowed, DeliveryNotDead.
    """
    _check_replay(reason, acting)
    found = locks.delivery(delivery.pk)
    if found.state != DeliveryState.DEAD.value:
        raise DeliveryNotDead(delivery=found.pk, state=found.state)
    _revive(found, reason, acting)
    wake_after_commit("deliveries")
    return found


@transaction.atomic
def replay_all(*, subscriber: str, reason: str, acting: Actor) -> int:
    """Sends every dead delivery of `subscriber` again; how many. Raises ReasonRequired, NotAllowed."""
    _check_replay(reason, acting)
    dead = locks.dead_deliveries(subscriber)
    for delivery in dead:
        _revive(delivery, reason, acting)
    wake_after_commit("deliveries")
    return len(dead)


def _check_replay(reason: str, acting: Actor) -> None:
    require(acting, REPLAY)
    require_reason(reason)


def _revive(delivery: Delivery, reason: str, acting: Actor) -> None:
    logger.info("%s replays delivery %s: %s", acting.label, delivery.pk, reason)
    delivery.replay()
    delivery.attempts = 0
    # The last error stays with who replayed it and why, until the delivery succeeds or fails anew.
    note = f"Replayed by {acting.label}: {reason.strip()}. Before: {delivery.error}"
    _keep(delivery, error=note[: Delivery._meta.get_field("error").max_length])
