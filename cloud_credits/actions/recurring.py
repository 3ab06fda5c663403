"""Recurring purchases: begun through Checkout; paused, resumed and cancelled by the saga `recurring_change`."""

from datetime import UTC, datetime
from typing import Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.errors import RecurringNotPossible, RecurringPaused
from cloud_credits.events import RecurringChanged
from cloud_credits.models import RecurringPurchase
from cloud_credits.policies.purchases import (
    CHANGE_TARGET,
    PAUSED_BY_BACKING,
    RECURRING_EDGES,
    RecurringChange,
    RecurringState,
)
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require_own
from habitat.workflows.actions import sagas
from habitat.workflows.models import Execution
from treasury.reports.purchases import limits

SAGA: Final = "recurring_change"
MANAGE: Final = "cloud_credits.manage_recurringpurchase"
LONGEST: Final = 200
BY_STRIPE: Final = "Changed at Stripe"
ANOTHER_RUNS: Final = "Another recurring purchase was running already"


@transaction.atomic
def change(
    *, recurring: RecurringPurchase, to: RecurringChange, because: str = "", idempotency_key: str, acting: Actor
) -> Execution:
    """Asks Stripe to pause, resume or cancel a recurring purchase; it is so once Stripe has done it.

    Members change their own; operations anybody's, with a reason that the member is told. Raises NotAllowed,
    ReasonRequired, RecurringNotPossible, RecurringPaused.
    """
    require_own(acting, recurring.member_id, MANAGE)
    if not acting.is_member(recurring.member_id):
        because = require_reason(because)
    held = locks.recurring(recurring.pk)
    key = f"{held.pk}:{to.value}:{idempotency_key}"[:120]
    again = Execution.objects.filter(saga=SAGA, key=key).first()
    if again is not None:
        return again
    check(held, to)
    if to is RecurringChange.RESUME and not limits(held.member_id).recurring_allowed:
        raise RecurringPaused
    given = {
        "recurring_id": held.pk,
        "subscription_id": held.subscription_id or "",
        "change": to.value,
        "because": because[:LONGEST],
    }
    return sagas.start(saga=SAGA, key=key, input=given, acting=acting)


def check(recurring: RecurringPurchase, to: RecurringChange) -> None:
    """Raises RecurringNotPossible when its state does not allow the change, or Stripe does not know it yet."""
    now = RecurringState(recurring.state)
    if CHANGE_TARGET[to] not in RECURRING_EDGES[now] or not recurring.subscription_id:
        raise RecurringNotPossible(state=now.value, change=to.value)


@transaction.atomic
def activate(*, recurring_id: int, subscription_id: str, acting: Actor) -> RecurringPurchase:
    """Stripe charges it each month from now on. Told again it changes nothing.

    Where another one runs already, or this one was given up here, nobody could stop it: it is cancelled at Stripe.
    """
    held = locks.recurring(recurring_id)
    is_new = held.subscription_id is None
    if is_new:
        held.subscription_id = subscription_id
        held.save(update_fields=["subscription_id"])
    if held.state == RecurringState.STARTING and _runs_another(held):
        held.cancel()
        held.ended_at = datetime.now(tz=UTC)
        _moved(held, ANOTHER_RUNS, acting)
    elif held.state == RecurringState.STARTING:
        held.activate()
        _moved(held, "", acting)
    if is_new and held.state == RecurringState.CANCELLED:
        _cancel_at_stripe(held, acting)
    return held


def _runs_another(held: RecurringPurchase) -> bool:
    running = [RecurringState.ACTIVE.value, RecurringState.PAUSED.value]
    return RecurringPurchase.objects.filter(member_id=held.member_id, state__in=running).exclude(pk=held.pk).exists()


def _cancel_at_stripe(held: RecurringPurchase, acting: Actor) -> None:
    given = {
        "recurring_id": held.pk,
        "subscription_id": held.subscription_id,
        "change": RecurringChange.CANCEL.value,
        "because": held.paused_because,
    }
    sagas.start(saga=SAGA, key=f"{held.pk}:{RecurringChange.CANCEL.value}:unwanted", input=given, acting=acting)


@transaction.atomic
def changed(*, recurring_id: int, to: RecurringChange, because: str, acting: Actor) -> RecurringPurchase:
    """Stripe has done it, by our wish or by its own; what it already is stays as it is."""
    held = locks.recurring(recurring_id)
    now = RecurringState(held.state)
    if CHANGE_TARGET[to] not in RECURRING_EDGES[now]:
        return held
    if to is RecurringChange.PAUSE:
        held.pause()
    elif to is RecurringChange.RESUME:
        held.activate()
    else:
        held.cancel()
        held.ended_at = datetime.now(tz=UTC)
    _moved(held, because, acting)
    return held


@transaction.atomic
def follow_stripe(*, recurring_id: int, to: RecurringChange, acting: Actor) -> RecurringPurchase:
    """Stripe tells how it stands: by somebody's hand there, or by a wish of ours whose saga has not written it yet.

    The wish's own reason is kept: what the house paused for the reserve must be known as such to go on after it.
    """
    wishes = Execution.objects.filter(
        saga=SAGA, finished_at=None, input__recurring_id=recurring_id, input__change=to.value
    )
    wish = wishes.order_by("id").first()
    because = BY_STRIPE if wish is None else str(wish.input["because"])
    return changed(recurring_id=recurring_id, to=to, because=because, acting=acting)


def _moved(held: RecurringPurchase, because: str, acting: Actor) -> None:
    held.paused_because = "" if held.state == RecurringState.ACTIVE else because[:LONGEST]
    held.save(update_fields=["state", "paused_because", "ended_at"])
    fact = RecurringChanged(
        recurring_id=held.pk, member_id=held.member_id, state=held.state, because=held.paused_because
    )
    emit(fact, acting=acting)


@transaction.atomic
def follow_backing(*, recurring_allowed: bool, check_id: str, acting: Actor) -> int:
    """In the low band all running ones pause, and those the house paused go on afterwards (domain §6); how many.

    `check_id` names the check that says so: told twice, it asks Stripe once.
    """
    if recurring_allowed:
        rows = RecurringPurchase.objects.filter(state=RecurringState.PAUSED.value, paused_because=PAUSED_BY_BACKING)
        to, because = RecurringChange.RESUME, ""
    else:
        rows = RecurringPurchase.objects.filter(state=RecurringState.ACTIVE.value)
        to, because = RecurringChange.PAUSE, PAUSED_BY_BACKING
    for recurring in rows.exclude(subscription_id=None).order_by("pk"):
        given = {
            "recurring_id": recurring.pk,
            "subscription_id": recurring.subscription_id or "",
            "change": to.value,
            "because": because,
        }
        sagas.start(saga=SAGA, key=f"{recurring.pk}:{to.value}:check-{check_id}", input=given, acting=acting)
    return len(rows)
