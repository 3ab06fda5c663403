"""Opening, closing, locking and reopening accounting periods, in order and with a reason."""

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from treasury import events, locks
from treasury.actions import journal
from treasury.errors import (
    NextPeriodMissing,
    PeriodDatesWrong,
    PeriodInWrongState,
    PeriodNotOver,
    PeriodOutOfOrder,
    PeriodOverlaps,
)
from treasury.models import JournalEntry, Period, PeriodChange
from treasury.policies.journal import CLOSE
from treasury.policies.periods import (
    FIRST_QUARTER_STARTS,
    QUARTERS_AHEAD,
    PeriodState,
    quarter_end,
    quarter_name,
)

_OVER: Final = frozenset({PeriodState.CLOSED, PeriodState.LOCKED})

ReopenVeto = Callable[[Period], None]
_REOPEN_VETOES: list[ReopenVeto] = []


def veto_reopening(veto: ReopenVeto) -> None:
    """An upper floor's word on reopening: raises its own refusal once shares, credits, cash or notices went out.

    Called once, from AppConfig.ready.
    """
    if veto not in _REOPEN_VETOES:
        _REOPEN_VETOES.append(veto)


@transaction.atomic
def open_period(*, name: str, start: date, end: date, reason: str, acting: Actor) -> Period:
    """A new period `[start, end)` right after the last one.

    Raises NotAllowed, ReasonRequired, PeriodDatesWrong, PeriodOverlaps.
    """
    require(acting, "treasury.open_period")
    reason = require_reason(reason)
    last = locks.all_periods().last()
    if end <= start or (last is not None and start != last.end):
        raise PeriodDatesWrong(expected=last.end if last else start, field="start")
    try:
        with transaction.atomic():
            period = Period.objects.create(name=name, start=start, end=end)
    except IntegrityError as error:
        raise PeriodOverlaps(start=start, end=end, field="name") from error
    _record(period, verb="open", before="", reason=reason, acting=acting)
    emit(events.PeriodOpened(**_facts(period)), acting=acting)
    return period


@transaction.atomic
def open_next(*, reason: str, acting: Actor) -> Period:
    """The quarter after the last period. Raises NotAllowed, ReasonRequired."""
    last = locks.all_periods().last()
    start = last.end if last else FIRST_QUARTER_STARTS
    return open_period(name=quarter_name(start), start=start, end=quarter_end(start), reason=reason, acting=acting)


@transaction.atomic
def open_upcoming_quarters(*, today: date, acting: Actor) -> list[Period]:
    """Make sure that two quarters after the one of `today` exist. Idempotent."""
    needed = today
    for _ in range(QUARTERS_AHEAD):
        needed = quarter_end(needed)
    opened = []
    while not Period.objects.filter(end__gt=needed).exists():
        opened.append(open_next(reason="The calendar goes on", acting=acting))
    return opened


@transaction.atomic
def begin_close(*, period: Period, reason: str, acting: Actor) -> Period:
    """Open → closing: from here only the close and approved adjustments post.

    Waits for posts in flight. Raises NotAllowed, ReasonRequired, PeriodInWrongState, PeriodNotOver,
    PeriodOutOfOrder when an earlier one is not closed, NextPeriodMissing.
    """
    require(acting, "treasury.close_period")
    reason = require_reason(reason)
    row, others = _locked(period, PeriodState.OPEN)
    if timezone.now().date() < row.end:
        raise PeriodNotOver(period=row.name, end=row.end)
    for other in others:
        if other.end <= row.start and PeriodState(other.state) not in _OVER:
            raise PeriodOutOfOrder(other=other.name, state=other.state)
    if not any(other.start == row.end for other in others):
        raise NextPeriodMissing(period=row.name)
    row.begin_close()
    return _moved(row, PeriodState.OPEN, "begin close", events.PeriodClosing, reason, acting)


@transaction.atomic
def call_off_close(*, period: Period, reason: str, acting: Actor) -> Period:
    """Closing → open; what the close had posted is reversed in it. Raises NotAllowed, ReasonRequired,
    PeriodInWrongState."""
    require(acting, "treasury.close_period")
    reason = require_reason(reason)
    row, _ = _locked(period, PeriodState.CLOSING)
    row.call_off_close()
    _moved(row, PeriodState.CLOSING, "call off close", events.PeriodCloseCalledOff, reason, acting)
    _reverse_the_close(row, reason, acting)
    return row


@transaction.atomic
def finish_close(*, period: Period, reason: str, acting: Actor) -> Period:
    """Closing → closed. Raises NotAllowed, ReasonRequired, PeriodInWrongState."""
    require(acting, "treasury.close_period")
    reason = require_reason(reason)
    row, _ = _locked(period, PeriodState.CLOSING)
    row.finish_close()
    return _moved(row, PeriodState.CLOSING, "close", events.PeriodClosed, reason, acting)


@transaction.atomic
def lock(*, period: Period, reason: str, acting: Actor) -> Period:
    """Closed → locked, for ever. Raises NotAllowed, ReasonRequired, PeriodInWrongState, PeriodOutOfOrder."""
    require(acting, "treasury.lock_period")
    reason = require_reason(reason)
    row, others = _locked(period, PeriodState.CLOSED)
    for other in others:
        if other.end <= row.start and other.state != PeriodState.LOCKED:
            raise PeriodOutOfOrder(other=other.name, state=other.state)
    row.lock()
    return _moved(row, PeriodState.CLOSED, "lock", events.PeriodLocked, reason, acting)


@transaction.atomic
def reopen(*, period: Period, reason: str, acting: Actor) -> Period:
    """Closed → open; its closing entries are reversed in it (domain §7).

    Raises NotAllowed, ReasonRequired, PeriodInWrongState, PeriodOutOfOrder when a later one is closing or over, and
    what an upper floor's veto raises.
    """
    require(acting, "treasury.reopen_period")
    reason = require_reason(reason)
    row, others = _locked(period, PeriodState.CLOSED)
    for other in others:
        if other.start >= row.end and other.state != PeriodState.OPEN:
            raise PeriodOutOfOrder(other=other.name, state=other.state)
    for veto in _REOPEN_VETOES:
        veto(row)
    row.reopen()
    _moved(row, PeriodState.CLOSED, "reopen", events.PeriodReopened, reason, acting)
    _reverse_the_close(row, reason, acting)
    return row


def _locked(period: Period, needed: PeriodState) -> tuple[Period, list[Period]]:
    """The period and its neighbours, exclusively and in order. Raises PeriodInWrongState."""
    rows = list(locks.all_periods())
    row = next(row for row in rows if row.pk == period.pk)
    if row.state != needed:
        raise PeriodInWrongState(period=row.name, state=row.state, needed=needed.value)
    return row, [other for other in rows if other.pk != row.pk]


def _moved(
    row: Period, before: PeriodState, verb: str, announced: Callable[..., object], reason: str, acting: Actor
) -> Period:
    row.save(update_fields=["state"])
    _record(row, verb=verb, before=before.value, reason=reason, acting=acting)
    emit(announced(**_facts(row), reason=reason), acting=acting)
    return row


def _record(period: Period, *, verb: str, before: str, reason: str, acting: Actor) -> None:
    PeriodChange.objects.create(
        period=period, verb=verb, from_state=before, to_state=period.state, reason=reason, actor=acting.label
    )


def _facts(period: Period) -> dict[str, Any]:
    return {
        "period_id": str(period.pk),
        "period": period.name,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
    }


def _reverse_the_close(period: Period, reason: str, acting: Actor) -> None:
    """Newest first, so that each reversal undoes what stood last."""
    standing = JournalEntry.objects.filter(
        period=period, source_kind=CLOSE, reverses__isnull=True, reversals__isnull=True
    ).order_by("-id")
    for entry in standing:
        journal.reverse_as_part_of_close(entry=entry, reason=reason, acting=acting)
