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


@event_type
@dataclass(frozen=True)
class BackingChecked:
    """The ratio was computed. Amounts are USD; `ratio` is a percentage, null when nothing is required."""

    name: ClassVar[str] = "backing.checked"
    check_id: str
    as_of: str
    band: str
    required: str
    held: str
    ratio: str | None


@event_type
@dataclass(frozen=True)
class MintingSuspended:
    """From now on no credits are minted; payments are still taken. `flag` is the one that went off."""

    name: ClassVar[str] = "minting.suspended"
    flag: str
    reason: str


@event_type
@dataclass(frozen=True)
class MintingResumed:
    """Both flags are on again: what waits is minted, oldest first. `flag` is the one that came on."""

    name: ClassVar[str] = "minting.resumed"
    flag: str
    reason: str
