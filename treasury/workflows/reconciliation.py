"""Runs of reconciliation: ask the provider, compare, keep what was found. A provider that is silent stops nothing."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils import timezone

from habitat.controls.policies.reconcilers import Reconciled, Reconciler
from habitat.errors import HabitatError
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.permissions import require
from treasury.actions import reconciliation, stripe_readings
from treasury.gateways import mercury, stripe
from treasury.models import ReconciliationRun
from treasury.policies.reconciliation import NEVER_SEEN, MovementSide, RunKind
from treasury.reports.reconciliation import (
    backing_inputs,
    bank_inputs,
    last_run_as_of,
    stripe_inputs,
    unread_before,
    unread_movements,
)
from treasury.workflows import backing, bank

# A run as of a moment within this is one of now.
NOW: Final = timedelta(minutes=1)
# How far behind the last run Stripe's balance transactions are listed again.
LOOKED_BACK: Final = timedelta(days=3)

logger = logging.getLogger(__name__)


def reconcile_backing(*, as_of: datetime, acting: Actor) -> Reconciled:
    """What is owed against what is held: by a new check for now, by the check of that time for the past.

    Raises NotAllowed.
    """
    require(acting, reconciliation.RUN)
    if timezone.now() - as_of < NOW:
        backing.check_now(trigger="reconciliation", acting=SYSTEM)
    elif as_of == _midnight():
        backing.check_of_the_day(as_of)
    inputs = backing_inputs(as_of)
    return _told(reconciliation.keep(kind=RunKind.BACKING, as_of=as_of, inputs=inputs, acting=acting))


def reconcile_bank(*, as_of: datetime, acting: Actor) -> Reconciled:
    """1110 and 1120 against the bank, and every line that stands for nothing. Raises NotAllowed."""
    require(acting, reconciliation.RUN)
    _read_bank()
    return _told(reconciliation.keep(kind=RunKind.BANK, as_of=as_of, inputs=bank_inputs(as_of), acting=acting))


def reconcile_stripe(*, as_of: datetime, acting: Actor) -> Reconciled:
    """1115 against Stripe's balance, and every balance transaction, payment and webhook. Raises NotAllowed."""
    require(acting, reconciliation.RUN)
    inputs = stripe_inputs(as_of, unread=unread_movements(_read_stripe(as_of)))
    return _told(reconciliation.keep(kind=RunKind.STRIPE, as_of=as_of, inputs=inputs, acting=acting))


def _read_bank() -> None:
    """A bank that is silent leaves the last reading: the run says how old that is."""
    if not mercury.is_configured():
        return
    try:
        bank.sync(timezone.now())
    except HabitatError:
        logger.exception("Reconciling without a new reading of the bank")


def _read_stripe(as_of: datetime) -> list[MovementSide]:
    """A new reading of the balance, and what moved it since some days before the last run that Stripe tells of.

    Nothing is mended here: the sweep does that. A Stripe that is silent leaves the last reading; what was missed
    before stays missed, however long ago, until the house has it.
    """
    before = unread_before(as_of)
    if not stripe.is_configured():
        return before
    try:
        gateway = stripe.stripe_gateway()
        balance = gateway.balance()
        stripe_readings.record(available=balance.available, pending=balance.pending, acting=SYSTEM)
        since = last_run_as_of(RunKind.STRIPE, default=as_of) - LOOKED_BACK
        listed = [
            MovementSide(told.id, told.type, told.net, told.created, NEVER_SEEN)
            for told in gateway.balance_transactions(since=since)
            if told.created <= as_of
        ]
    except HabitatError:
        logger.exception("Reconciling without a new reading of Stripe")
        return before
    return list({row.movement: row for row in (*before, *listed)}.values())


def _midnight() -> datetime:
    return timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _told(run: ReconciliationRun) -> Reconciled:
    return Reconciled(
        run_id=run.pk, found=run.found, sentences=tuple(str(finding["message"]) for finding in run.result)
    )


RECONCILERS: Final = (
    Reconciler("backing", "What is held against what is owed.", reconcile_backing),
    Reconciler("bank", "1110 and 1120 against the bank, line by line.", reconcile_bank),
    Reconciler("stripe", "1115 against Stripe's balance, movement by movement.", reconcile_stripe),
)
