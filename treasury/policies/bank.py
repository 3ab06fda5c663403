"""What the bank reports and what it stands for: states, kinds and edges of lines, matches and bills (domain §6)."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

CHECKING: Final = "1110"
SAVINGS: Final = "1120"
# The accounts of the chart that stand for money at a bank.
BANK_CODES: Final = (CHECKING, SAVINGS)


class LineStatus(StrEnum):
    """As the bank spells it, but for `vanished`: a line the bank reported once and then no more."""

    PENDING = "pending"
    SENT = "sent"
    CANCELLED = "cancelled"
    FAILED = "failed"
    REVERSED = "reversed"
    BLOCKED = "blocked"
    VANISHED = "vanished"


# Only these lines are money that moved; a pending one may still come to nothing.
POSTED: Final = LineStatus.SENT


class MatchState(StrEnum):
    SUGGESTED = "suggested"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    # A line of it changed or vanished after it was confirmed: a person looks at it again.
    QUESTIONED = "questioned"
    UNDONE = "undone"


FIRST_MATCH: Final = MatchState.SUGGESTED
MATCH_EDGES: Final[dict[MatchState, frozenset[MatchState]]] = {
    MatchState.SUGGESTED: frozenset({MatchState.CONFIRMED, MatchState.DISMISSED}),
    MatchState.CONFIRMED: frozenset({MatchState.QUESTIONED, MatchState.UNDONE}),
    MatchState.QUESTIONED: frozenset({MatchState.CONFIRMED, MatchState.UNDONE}),
    MatchState.DISMISSED: frozenset(),
    MatchState.UNDONE: frozenset(),
}
# In these states a match holds its lines and its targets: no other one may.
HOLDING: Final = (MatchState.CONFIRMED, MatchState.QUESTIONED)


class MatchKind(StrEnum):
    PAYOUT = "payout"
    DEPOSIT = "deposit"
    REFUND = "refund"
    BILL = "bill"
    TAX = "tax"
    TRANSFER = "transfer"
    INTEREST = "interest"
    STRIPE_DEBIT = "stripe_debit"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"


# These say why a line stands for nothing; they post no entry and their sums need no counterpart.
EXPLAINED: Final = (MatchKind.IGNORED, MatchKind.DUPLICATE)


class TargetKind(StrEnum):
    """What a target's id names: a row of ours, an account of the chart, or another bank line."""

    PAYOUT = "payout"
    PAYMENT = "payment"
    REFUND = "refund"
    BILL = "bill"
    ACCOUNT = "account"
    LINE = "line"


class BillKind(StrEnum):
    INFRASTRUCTURE = "infrastructure"
    TAX = "tax"


class BillState(StrEnum):
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


BILL_EDGES: Final[dict[BillState, frozenset[BillState]]] = {
    # `paid → open`: the match that paid it was undone.
    BillState.OPEN: frozenset({BillState.PAID, BillState.VOID}),
    BillState.PAID: frozenset({BillState.OPEN}),
    BillState.VOID: frozenset(),
}
# What a bill of each kind is debited to, and where it waits until the bank has paid it.
BILL_ACCOUNTS: Final[dict[BillKind, tuple[str, ...]]] = {
    BillKind.INFRASTRUCTURE: ("5510", "5520", "5530", "5540"),
    BillKind.TAX: ("6510",),
}
PAYABLE: Final[dict[BillKind, str]] = {BillKind.INFRASTRUCTURE: "2110", BillKind.TAX: "2120"}


def is_posted(status: str) -> bool:
    """Whether a line of that status is money that moved."""
    return status == POSTED


def counter_account(kind: MatchKind, target_kind: TargetKind, target_id: str) -> str | None:
    """The account a match of `kind` books against its target, None where it posts nothing of its own (domain §6)."""
    if kind in {MatchKind.PAYOUT, MatchKind.STRIPE_DEBIT}:
        return "1115"
    if kind is MatchKind.BILL:
        return PAYABLE[BillKind.INFRASTRUCTURE]
    if kind is MatchKind.TAX:
        return PAYABLE[BillKind.TAX]
    if kind in {MatchKind.TRANSFER, MatchKind.INTEREST} and target_kind is TargetKind.ACCOUNT:
        return target_id
    return None


def sums_agree(lines: list[Decimal], targets: list[Decimal]) -> bool:
    """To the last digit; both sides are signed as the bank signs: what comes in is positive."""
    return sum(lines, Decimal(0)) == sum(targets, Decimal(0))
