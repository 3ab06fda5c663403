"""Runs of reconciliation: ask the provider, compare, keep what was found. A provider that is silent stops nothing."""

import logging
from datetime import datetime
from typing import Final

from habitat.controls.policies.reconcilers import Reconciled, Reconciler
from habitat.members.policies.actors import Actor
from treasury.actions import reconciliation
from treasury.models import ReconciliationRun
from treasury.policies.reconciliation import RunKind
from treasury.reports.reconciliation import bank_inputs, stripe_inputs

logger = logging.getLogger(__name__)


def reconcile_bank(*, as_of: datetime, acting: Actor) -> Reconciled:
    """1110 and 1120 against the bank, and every line that stands for nothing. Raises NotAllowed."""
    return _told(reconciliation.keep(kind=RunKind.BANK, as_of=as_of, inputs=bank_inputs(as_of), acting=acting))


def reconcile_stripe(*, as_of: datetime, acting: Actor) -> Reconciled:
    """1115 against Stripe's balance, and every balance transaction, payment and webhook. Raises NotAllowed."""
    return _told(reconciliation.keep(kind=RunKind.STRIPE, as_of=as_of, inputs=stripe_inputs(as_of), acting=acting))


def _told(run: ReconciliationRun) -> Reconciled:
    return Reconciled(
        run_id=run.pk, found=run.found, sentences=tuple(str(finding["message"]) for finding in run.result)
    )


RECONCILERS: Final = (
    Reconciler("bank", "1110 and 1120 against the bank, line by line.", reconcile_bank),
    Reconciler("stripe", "1115 against Stripe's balance, movement by movement.", reconcile_stripe),
)
