"""Stored webhooks: kept before anything is done, taken one at a time, tried again, given up with an alert."""

import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.controls.reports.settings import value
from habitat.events.actions.wakes import wake_after_commit
from habitat.events.policies.states import backoff, error_text
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from treasury import locks
from treasury.errors import StripeEventInWrongState
from treasury.models import StripeEvent
from treasury.policies.payments import StripeEventState
from treasury.policies.stripe import without_secrets

logger = logging.getLogger(__name__)

QUEUE: Final = "stripe_events"
ALERT: Final = "webhook_failed"
PROCESS: Final = "treasury.process_stripeevent"
# Longer than a worker may live on one drain (60 s).
LEASE: Final = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A webhook in somebody's hands. Only ids are taken from what it told."""

    pk: int
    event_id: str
    type: str
    object_id: str


_CLAIM: Final = """
UPDATE treasury_stripeevent AS event
   SET attempts = event.attempts + 1, due_at = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM (SELECT id FROM treasury_stripeevent
         WHERE state = 'received' AND due_at <= statement_timestamp()
         ORDER BY due_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS chosen
 WHERE event.id = chosen.id
RETURNING event.id, event.event_id, event.type, coalesce(event.payload #>> '{data,object,id}', '')
"""


@transaction.atomic
def store(*, event_id: str, type: str, payload: dict[str, Any], acting: Actor) -> bool:
    """Keep a webhook whose signature held, and wake the queue; False when Stripe had sent it before."""
    wake_after_commit(QUEUE)
    # Kept before: nothing is written, so that no repetition waits for whoever is processing the first.
    if StripeEvent.objects.filter(event_id=event_id).exists():
        return False
    fresh = StripeEvent(event_id=event_id, type=type, payload=without_secrets(payload))
    StripeEvent.objects.bulk_create([fresh], ignore_conflicts=True)
    return True


@transaction.atomic
def claim(*, acting: Actor) -> Claimed | None:
    """Take the webhook that has been due longest, count the attempt; None when nothing is due.

    Nobody else gets it while the lease runs. A worker that dies leaves it due again after that.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"lease": LEASE.seconds})
        row = cursor.fetchone()
    return Claimed(*row) if row else None


@transaction.atomic
def finish(*, claimed: Claimed, known: bool, acting: Actor) -> None:
    """What it told is in the books; `known` false: it concerns nothing the house keeps."""
    row = locks.stripe_event(claimed.pk)
    if row.state != StripeEventState.RECEIVED.value:
        return
    if known:
        row.finish()
    else:
        row.ignore()
    failed_before = bool(row.error)
    row.error, row.processed_at = "", timezone.now()
    row.save(update_fields=["state", "error", "processed_at"])
    if failed_before:
        resolve_cause(code=ALERT, cause=f"stripe_event:{row.event_id}")


@transaction.atomic
def put_back(*, claimed: Claimed, error: Exception, acting: Actor) -> None:
    """It failed: due again after a growing pause or, after the last attempt, failed with an alert."""
    row = locks.stripe_event(claimed.pk)
    if row.state != StripeEventState.RECEIVED.value:
        return
    row.error = error_text(error)
    if row.attempts >= int(value("events.max_attempts")):
        row.fail()
        raise_alert(
            code=ALERT,
            cause=f"stripe_event:{row.event_id}",
            message=f"{row.type} {row.event_id} could not be processed in {row.attempts} attempts: {row.error}",
            details={"event": row.event_id, "type": row.type},
            acting=acting,
        )
    else:
        row.due_at = Now() + backoff(row.attempts, jitter=random.random())  # noqa: S311 - spreads retries, hides nothing
    row.save(update_fields=["state", "error", "due_at"])


@transaction.atomic
def process_again(*, event: StripeEvent, reason: str, acting: Actor) -> StripeEvent:
    """A person wants another try of a failed webhook. Raises NotAllowed, ReasonRequired, StripeEventInWrongState."""
    require(acting, PROCESS)
    reason = require_reason(reason)
    row = locks.stripe_event(event.pk)
    if row.state != StripeEventState.FAILED.value:
        raise StripeEventInWrongState(event=row.event_id, state=row.state)
    logger.info("%s has %s processed again: %s", acting.label, row.event_id, reason)
    row.process_again()
    row.attempts, row.due_at = 0, Now()
    row.error = f"Again by {acting.label}: {reason} Before: {row.error}"[:500]
    row.save(update_fields=["state", "attempts", "due_at", "error"])
    wake_after_commit(QUEUE)
    return row
