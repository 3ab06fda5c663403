"""The facts treasury announces."""

from dataclasses import dataclass
from typing import ClassVar

from habitat.events.policies.registry import event_type


@event_type
@dataclass(frozen=True)
class PeriodOpened:
    """A new period exists. Dates are ISO days, `end` is the first day after it."""

    name: ClassVar[str] = "period.opened"
    period_id: str
    period: str
    start: str
    end: str


@event_type
@dataclass(frozen=True)
class PeriodClosing:
    """From now on only the close and approved adjustments post into it."""

    name: ClassVar[str] = "period.closing"
    period_id: str
    period: str
    start: str
    end: str
    reason: str


@event_type
@dataclass(frozen=True)
class PeriodCloseCalledOff:
    """The close was given up; the period takes entries again."""

    name: ClassVar[str] = "period.close_called_off"
    period_id: str
    period: str
    start: str
    end: str
    reason: str


@event_type
@dataclass(frozen=True)
class PeriodClosed:
    """Nothing is dated in it any more."""

    name: ClassVar[str] = "period.closed"
    period_id: str
    period: str
    start: str
    end: str
    reason: str


@event_type
@dataclass(frozen=True)
class PeriodLocked:
    """It never opens again."""

    name: ClassVar[str] = "period.locked"
    period_id: str
    period: str
    start: str
    end: str
    reason: str


@event_type
@dataclass(frozen=True)
class PeriodReopened:
    """It takes entries again; its closing entries were reversed in it."""

    name: ClassVar[str] = "period.reopened"
    period_id: str
    period: str
    start: str
    end: str
    reason: str
