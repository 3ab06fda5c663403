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
class BankMatchConfirmed:
    """Bank lines stand for facts: `targets` are `kind:id`. `amount` is what moved at the bank, USD, signed."""

    name: ClassVar[str] = "bank.matched"
    match_id: str
    kind: str
    line_ids: list[str]
    targets: list[str]
    amount: str
    journal_entry_id: str | None


@event_type
@dataclass(frozen=True)
class BankMatchUndone:
    """They no longer do; what was posted for it is reversed."""

    name: ClassVar[str] = "bank.unmatched"
    match_id: str
    kind: str
    line_ids: list[str]
    targets: list[str]
    reason: str


@event_type
@dataclass(frozen=True)
class BankLineChanged:
    """The bank says something else of a line it had posted; `match_id` is the match that is questioned by it."""

    name: ClassVar[str] = "bank.line_changed"
    line_id: str
    version: int
    status: str
    amount: str
    match_id: str | None


@event_type
@dataclass(frozen=True)
class BankAccountAssigned:
    """A person said what a bank account stands for."""

    name: ClassVar[str] = "bank.account_assigned"
    account_id: str
    ledger_code: str
    is_backing: bool
    reason: str


@event_type
@dataclass(frozen=True)
class BillRecorded:
    """The cooperative owes it; USD."""

    name: ClassVar[str] = "bill.recorded"
    bill_id: str
    kind: str
    supplier: str
    number: str
    amount: str
    due_on: str


@event_type
@dataclass(frozen=True)
class BillPaid:
    """A bank line paid it."""

    name: ClassVar[str] = "bill.paid"
    bill_id: str
    match_id: str


@event_type
@dataclass(frozen=True)
class BillVoided:
    """It is not owed after all; its entry is reversed."""

    name: ClassVar[str] = "bill.voided"
    bill_id: str
    reason: str
