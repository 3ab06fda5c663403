"""Keeping a comparison: the run as it was, its exceptions opened, refreshed and closed, and what people do to them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor, ActorKind
from habitat.members.policies.permissions import require
from treasury import locks
from treasury.errors import ExceptionSettled, OwnerMustBeMember
from treasury.models import ExceptionNote, ReconciliationException, ReconciliationRun
from treasury.policies.reconciliation import ExceptionKind, Finding, Inputs, RunKind, findings, written

RUN: Final = "treasury.run_reconciliation"
SETTLE: Final = "treasury.settle_reconciliationexception"
# What the application may change of an exception that is found again.
_REFRESHED: Final = ("message", "amount", "since", "last_run", "times")
GONE: Final = "A later run found that it agrees."
# The alert of the one kind that only a comparison can see; whoever reads the bank and the backing raises their own.
DRIFT: Final = "stripe_clearing_drift"
ACCOUNT_1115: Final = "account:1115"


@transaction.atomic
def keep(*, kind: RunKind, as_of: datetime, inputs: Inputs, acting: Actor) -> ReconciliationRun:
    """Store the comparison of `inputs` and what follows from it. Raises NotAllowed.

    Exceptions follow the newest moment that was ever compared: a run as of an earlier one is only kept.
    """
    require(acting, RUN)
    locks.reconciliation(kind.value)
    newest = not ReconciliationRun.objects.filter(kind=kind.value, as_of__gt=as_of).exists()
    given = written(inputs)
    found = findings(kind, given)
    run = ReconciliationRun.objects.create(
        kind=kind.value,
        as_of=as_of,
        inputs=given,
        result=[written(finding) for finding in found],
        found=len(found),
        started_by=acting.label,
    )
    if newest:
        _follow(run, found)
        _alert(run, found, acting)
    return run


@transaction.atomic
def own(*, exception: ReconciliationException, acting: Actor) -> ReconciliationException:
    """Whoever acts looks after it from now on. Raises NotAllowed, OwnerMustBeMember, ExceptionSettled."""
    require(acting, SETTLE)
    if acting.kind is not ActorKind.MEMBER:
        raise OwnerMustBeMember
    row = _open(exception)
    row.owner_id = acting.id
    row.save(update_fields=["owner"])
    return row


@transaction.atomic
def note(*, exception: ReconciliationException, text: str, acting: Actor) -> ExceptionNote:
    """Write something to it, open or settled. Raises NotAllowed, ReasonRequired."""
    require(acting, SETTLE)
    return ExceptionNote.objects.create(
        exception=exception, text=require_reason(text), author=acting.label, author_name=acting.name
    )


@transaction.atomic
def resolve(*, exception: ReconciliationException, reason: str, acting: Actor) -> ReconciliationException:
    """A person settles it; a later run that finds it again opens a new one.

    Raises NotAllowed, ReasonRequired, ExceptionSettled.
    """
    require(acting, SETTLE)
    reason = require_reason(reason)
    row = _open(exception)
    row.resolve(at=timezone.now(), by=acting.name, resolution=reason)
    row.save(update_fields=["state", "resolved_at", "resolved_by", "resolution"])
    return row


def _follow(run: ReconciliationRun, found: list[Finding]) -> None:
    """Open what is new, refresh what is still there, close what is gone."""
    standing = {(row.kind, row.cause): row for row in locks.open_exceptions(run.kind)}
    for finding in found:
        row = standing.pop((finding.kind.value, finding.cause), None)
        if row is None:
            row = ReconciliationException(
                run_kind=run.kind, kind=finding.kind.value, cause=finding.cause, opened_run=run, times=0
            )
        row.message, row.amount, row.since = finding.message[:1000], finding.amount, finding.since
        row.last_run, row.times = run, row.times + 1
        row.save(update_fields=_REFRESHED if row.times > 1 else None)
    now = timezone.now()
    for row in standing.values():
        row.resolve(at=now, by="Habitat", resolution=GONE)
        row.resolved_run = run
        row.save(update_fields=["state", "resolved_at", "resolved_by", "resolution", "resolved_run"])


def _alert(run: ReconciliationRun, found: Iterable[Finding], acting: Actor) -> None:
    """Raise and settle `stripe_clearing_drift`: 1115 and Stripe differ by more than the setting allows (domain §6)."""
    if run.kind != RunKind.STRIPE.value:
        return
    drift = next((finding for finding in found if finding.kind is ExceptionKind.STRIPE_BALANCE), None)
    if drift is None:
        resolve_cause(DRIFT, ACCOUNT_1115, acting=acting)
        return
    raise_alert(code=DRIFT, cause=ACCOUNT_1115, message=drift.message, details={"run": str(run.pk)}, acting=acting)


def _open(exception: ReconciliationException) -> ReconciliationException:
    row = locks.reconciliation_exception(exception.pk)
    if not row.is_open:
        raise ExceptionSettled(number=row.pk)
    return row
