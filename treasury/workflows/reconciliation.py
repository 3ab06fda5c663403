"""Runs of reconciliation: ask the provider, compare, keep what was found. A provider that is silent stops nothing."""

import logging
from datetime import datetime
from typing import Final

from django.utils import timezone

from habitat.controls.policies.reconcilers import Reconciled, Reconciler
from habitat.errors import HabitatError
from habitat.members.policies.actors import Actor
from treasury.actions import reconciliation
from treasury.gateways import mercury
from treasury.models import ReconciliationRun
from treasury.policies.reconciliation import RunKind
from treasury.reports.reconciliation import backing_inputs, bank_inputs, stripe_inputs
from treasury.workflows import bank

logger = logging.getLogger(__name__)


def reconcile_backing(*, as_of: datetime, acting: Actor) -> Reconciled:
    """What is owed against what is held, by the newest check. Raises NotAllowed."""
    inputs = backing_inputs(as_of)
    return _told(reconciliation.keep(kind=RunKind.BACKING, as_of=as_of, inputs=inputs, acting=acting))


def reconcile_bank(*, as_of: datetime, acting: Actor) -> Reconciled:
    """1110 and 1120 against the bank, and every line that stands for nothing. Raises NotAllowed."""
    _read_bank()
    return _told(reconciliation.keep(kind=RunKind.BANK, as_of=as_of, inputs=bank_inputs(as_of), acting=acting))


def reconcile_stripe(*, as_of: datetime, acting: Actor) -> Reconciled:
    """1115 against Stripe's balance, and every balance transaction, payment and webhook. Raises NotAllowed."""
    return _told(reconciliation.keep(kind=RunKind.STRIPE, as_of=as_of, inputs=stripe_inputs(as_of), acting=acting))


def _read_bank() -> None:
    """A bank that is silent leaves the last reading: the run says how old that is."""
    if not mercury.is_configured():
        return
    try:
        bank.sync(timezone.now())
    except HabitatError:
        logger.exception("Reconciling without a new reading of the bank")


def _told(run: ReconciliationRun) -> Reconciled:
    return Reconciled(
        run_id=run.pk, found=run.found, sentences=tuple(str(finding["message"]) for finding in run.result)
    )


RECONCILERS: Final = (
    Reconciler("backing", "What is held against what is owed.", reconcile_backing),
    Reconciler("bank", "1110 and 1120 against the bank, line by line.", reconcile_bank),
    Reconciler("stripe", "1115 against Stripe's balance, movement by movement.", reconcile_stripe),
)
