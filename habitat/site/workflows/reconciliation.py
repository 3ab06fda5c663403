"""Reconciling by hand or by night: the reconcilers of every floor in order, as of one moment."""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.utils import timezone

from habitat.controls.policies.reconcilers import Reconciled, Reconciler
from habitat.errors import HabitatError
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.site.errors import MomentAhead, ReconcilerNotKept
from habitat.site.reports.floors import exported

logger = logging.getLogger(__name__)

# Named by the house's plan, kept by later floors: asked for today, they are refused in words.
PLANNED: Final = ("chain", "streams")


def reconcilers() -> dict[str, Reconciler]:
    """Every reconciler by its name, in the order of the floors."""
    return {
        reconciler.name: reconciler
        for _floor, exports in exported("workflows.reconciliation", "RECONCILERS")
        for reconciler in exports
    }


def chosen(name: str) -> list[Reconciler]:
    """The one of that name, or `all`. Raises ReconcilerNotKept."""
    kept = reconcilers()
    if name == "all":
        return list(kept.values())
    if name not in kept:
        raise ReconcilerNotKept(name=name, kept=", ".join(kept))
    return [kept[name]]


def moment(on: date | None) -> datetime:
    """The end of the UTC day `on`, now for today and for None. Raises MomentAhead."""
    now = timezone.now()
    today = now.astimezone(UTC).date()
    if on is None or on == today:
        return now
    if on > today:
        raise MomentAhead(on=on.isoformat())
    return datetime.combine(on + timedelta(days=1), time(), UTC)


def reconcile(name: str, *, on: date | None, acting: Actor) -> Iterator[tuple[Reconciler, Reconciled]]:
    """One run after the other, lazily. Raises ReconcilerNotKept, MomentAhead, NotAllowed."""
    runs, as_of = chosen(name), moment(on)
    for reconciler in runs:
        yield reconciler, reconciler.run(as_of=as_of, acting=acting)


def run(due_at: datetime) -> None:
    """The daily job, as of 00:00:00Z: one reconciler that fails does not keep the others from running."""
    failed: list[str] = []
    for reconciler in reconcilers().values():
        try:
            done = reconciler.run(as_of=due_at, acting=SYSTEM)
            logger.info("Reconciled %s as of %s: %s found", reconciler.name, due_at, done.found)
        except HabitatError as error:
            logger.exception("Reconciling %s as of %s", reconciler.name, due_at)
            failed.append(f"{reconciler.name}: {error.sentence}")
    if failed:
        raise ReconcilingFailed("; ".join(failed))


class ReconcilingFailed(Exception):
    """The job is tried again: something could not be compared at all."""
