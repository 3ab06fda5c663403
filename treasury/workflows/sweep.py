"""The nightly walk along Stripe's balance transactions: finds what webhooks missed, and mends it the same way."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import transaction

from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.permissions import require
from treasury.actions import checkouts, payouts, refunds, stripe_events, stripe_mirror, stripe_movements
from treasury.gateways.stripe import StripeGateway, is_configured, stripe_gateway
from treasury.policies import stripe_movements as policy
from treasury.policies.payments import RefundState
from treasury.policies.stripe import StripeTransaction
from treasury.reports import stripe as reports
from treasury.workflows import payments

logger = logging.getLogger(__name__)

# What Stripe dates back, or told while the walk before was under way.
OVERLAP: Final = timedelta(days=3)
FIRST_WALK: Final = timedelta(days=30)
NIGHTLY: Final = "the nightly walk"


@dataclass(slots=True)
class Swept:
    """What a sweep saw: `mended` and `failed` name Stripe's objects."""

    movements: int = 0
    mended: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class SweepIncomplete(Exception):
    """Some of it could not be mended; the job is tried again."""


def nightly(due_at: datetime) -> None:
    """The daily job; nothing to do while no key is set. Raises SweepIncomplete when something could not be mended."""
    if not is_configured():
        return
    swept = sweep(now=due_at)
    if swept.failed:
        raise SweepIncomplete(", ".join(swept.failed[:20]))


def sweep(
    *, now: datetime, reason: str = NIGHTLY, acting: Actor = SYSTEM, gateway: StripeGateway | None = None
) -> Swept:
    """Walk from the last nightly sweep that found everything, with an overlap, oldest first; then what is undecided.

    One object that fails stops none of the others, and is looked for each night until it is mended. Who asked and why
    stands in the event. Raises NotAllowed, ReasonRequired, StripeUnavailable when Stripe cannot be walked at all.
    """
    require(acting, stripe_events.PROCESS)
    why = require_reason(reason)
    stripe = gateway or stripe_gateway()
    since = reports.last_whole_sweep(default=now - FIRST_WALK) - OVERLAP
    swept = Swept()
    for told in reversed(list(stripe.balance_transactions(since=since))):
        swept.movements += 1
        _attempt(swept, told.id, partial(_one, stripe, told, swept))
    for object_id, mend in _undecided(stripe):
        _attempt(swept, object_id, mend)
    checkouts.announce_sweep(
        since=since.isoformat(),
        movements=swept.movements,
        mended=swept.mended,
        failed=swept.failed,
        reason=why,
        acting=acting,
    )
    return swept


def _attempt(swept: Swept, name: str, mend: Callable[[], None]) -> None:
    try:
        mend()
    except Exception as error:
        logger.warning("sweep: %s could not be mended: %s", name, type(error).__name__)
        swept.failed.append(name)


def _one(stripe: StripeGateway, told: StripeTransaction, swept: Swept) -> None:
    known = reports.is_known(told)
    if not known:
        _mend(stripe, told)
    # A charge without its fee, an adjustment, Stripe's own price: the movement is all there is to know.
    if not reports.has_movement(told.id):
        with transaction.atomic():
            stripe_movements.record(told=told, acting=SYSTEM)
            stripe_mirror.write(documents=[told.document], acting=SYSTEM)
        known = known and policy.treatment(told) is not policy.Treatment.COST
    if not known:
        swept.mended.append(told.id)


def _mend(stripe: StripeGateway, told: StripeTransaction) -> None:
    """Bring what stands behind this movement into the books, by the same way a webhook would."""
    if policy.is_late_failure(told):
        _late_failure(stripe, told)
    elif told.type in policy.CHARGES:
        payments.charge_changed(stripe, told.source_id)
    elif told.type in policy.REFUNDS:
        payments.refund_changed(stripe, told.source_id)
    elif told.type in policy.PAYOUTS:
        payments.payout_changed(stripe, told.source_id)
    elif told.type in policy.TOPUPS:
        payouts.observe(
            payout_id=told.source_id or told.id,
            amount=-told.amount,
            status="paid" if told.type == "topup" else "failed",
            arrival_on=told.available_on.date(),
            created_at=told.created,
            acting=SYSTEM,
        )
    elif policy.treatment(told) is policy.Treatment.DISPUTE:
        payments.dispute_changed(stripe, told.source_id)


def _late_failure(stripe: StripeGateway, told: StripeTransaction) -> None:
    """A debit that came back has no refund: the movement itself stands for it."""
    charge = stripe.retrieve_charge(told.source_id)
    payment = payments.take_charge(stripe, charge)
    if payment is not None:
        refunds.observe(
            payment=payment,
            refund_id=told.id,
            amount=-told.amount,
            status=RefundState.SUCCEEDED.value,
            is_ours=False,
            acting=SYSTEM,
        )


def _undecided(stripe: StripeGateway) -> list[tuple[str, Callable[[], None]]]:
    """A lost dispute, a refund that arrived, a pay-out on its way: their last step moves no balance of Stripe's."""
    kinds: tuple[tuple[list[str], payments.Handler], ...] = (
        (reports.open_disputes(), payments.dispute_changed),
        (reports.pending_refunds(), payments.refund_changed),
        (reports.unfinished_payouts(), payments.payout_changed),
    )
    return [(one, partial(ask, stripe, one)) for ids, ask in kinds for one in ids]
