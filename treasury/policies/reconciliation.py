"""What reconciliation compares, as pure functions: the inputs of a run in, what does not agree out (domain §6).

A run keeps its inputs whole, so that anybody can work its result out again: `findings(kind, inputs)`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from habitat.money import cents, plain

ZERO: Final = Decimal(0)
LONGEST_CAUSE: Final = 200


class RunKind(StrEnum):
    BACKING = "backing"
    BANK = "bank"
    STRIPE = "stripe"


class ExceptionState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


FIRST: Final = ExceptionState.OPEN
EDGES: Final[dict[ExceptionState, frozenset[ExceptionState]]] = {
    ExceptionState.OPEN: frozenset({ExceptionState.RESOLVED}),
    ExceptionState.RESOLVED: frozenset(),
}


class ExceptionKind(StrEnum):
    BACKING_SHORTFALL = "backing_shortfall"
    BACKING_LOW = "backing_low"
    BACKING_UNKNOWN = "backing_unknown"
    READING_STALE = "reading_stale"
    READING_MISSING = "reading_missing"
    BANK_BALANCE = "bank_balance_differs"
    LINE_UNMATCHED = "line_unmatched"
    LINE_CHANGED = "line_changed"
    LINE_DUPLICATE = "line_duplicate"
    ROW_ASIDE = "bank_row_unreadable"
    PAYOUT_UNSEEN = "payout_not_seen"
    STRIPE_BALANCE = "stripe_balance_differs"
    MOVEMENT_UNBOOKED = "movement_not_booked"
    PAYMENT_UNKNOWN = "payment_not_at_stripe"
    EVENT_FAILED = "webhook_failed"


# What to do about each: shown beside the exception.
REMEDIES: Final[dict[ExceptionKind, str]] = {
    ExceptionKind.BACKING_SHORTFALL: "Bring money into a backing account; minting resumes by itself.",
    ExceptionKind.BACKING_LOW: "Bring money into a backing account before the ratio falls below 100 %.",
    ExceptionKind.BACKING_UNKNOWN: "Read the bank and Stripe, then have the backing checked.",
    ExceptionKind.READING_STALE: "Find out why the provider does not answer; read it again.",
    ExceptionKind.READING_MISSING: "Read the bank: no balance of this account is known for that moment.",
    ExceptionKind.BANK_BALANCE: "Look for an entry without a bank line, or a line booked with another amount.",
    ExceptionKind.LINE_UNMATCHED: "Match the line to what it stands for, or ignore it with a reason.",
    ExceptionKind.LINE_CHANGED: "The bank changed a line after it was matched: confirm the match again or undo it.",
    ExceptionKind.LINE_DUPLICATE: "Two lines look alike: say that one is a duplicate, or match both.",
    ExceptionKind.ROW_ASIDE: "The bank sent a row that could not be read: look at it as it came.",
    ExceptionKind.PAYOUT_UNSEEN: "Ask the bank for the pay-out; read the bank and match its line.",
    ExceptionKind.STRIPE_BALANCE: "Run the sweep; then look at the balance transactions that are not booked.",
    ExceptionKind.MOVEMENT_UNBOOKED: "Run the sweep: it books what webhooks missed.",
    ExceptionKind.PAYMENT_UNKNOWN: "Look the payment up at Stripe: the books have it and Stripe's movements do not.",
    ExceptionKind.EVENT_FAILED: "Read the webhook's error, then have it processed again.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree. `cause` tells it apart from others; `since` is when it began; USD."""

    kind: ExceptionKind
    cause: str
    message: str
    since: datetime
    amount: Decimal | None = None


# --- backing


@dataclass(frozen=True, slots=True)
class BackingTerm:
    name: str
    amount: Decimal
    source: str
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BackingInputs:
    """The terms of one backing check; `ratio` in percent, null when nothing is required. USD."""

    as_of: datetime
    band: str
    required: Decimal
    held: Decimal
    ratio: Decimal | None
    terms: tuple[BackingTerm, ...]
    warn_hours: int


def backing(given: BackingInputs) -> Iterator[Finding]:
    """A shortfall, a low or unknown ratio, and every term whose reading is too old."""
    kind = {
        "shortfall": ExceptionKind.BACKING_SHORTFALL,
        "low": ExceptionKind.BACKING_LOW,
        "unknown": ExceptionKind.BACKING_UNKNOWN,
    }.get(given.band)
    if kind is not None:
        yield Finding(
            kind,
            f"backing:{given.band}",
            f"Held {_usd(given.held)} for {_usd(given.required)} required"
            + (f": {plain(given.ratio)} %." if given.ratio is not None else "."),
            given.as_of,
            given.held - given.required,
        )
    oldest = given.as_of - timedelta(hours=given.warn_hours)
    for term in given.terms:
        if term.read_at is not None and term.read_at < oldest:
            yield Finding(
                ExceptionKind.READING_STALE,
                f"reading:{term.name}:{term.source}"[:LONGEST_CAUSE],
                f"{term.name} was last read {_at(term.read_at)}, more than {given.warn_hours} hours before.",
                term.read_at,
                term.amount,
            )


# --- bank


@dataclass(frozen=True, slots=True)
class AccountSide:
    """One account of the chart beside its accounts at the bank; `held` null when nothing was read by then."""

    code: str
    name: str
    ledger: Decimal
    held: Decimal | None
    pending: Decimal
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class LineSide:
    """A posted bank line that no entry stands for, signed as the bank signs; `why` when a person explained it."""

    line: int
    code: str
    amount: Decimal
    posted_at: datetime
    text: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong by itself: a changed line, a twin, an unreadable row, a failed webhook."""

    ref: str
    text: str
    since: datetime
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class BankInputs:
    as_of: datetime
    days: int
    payout_days: int
    accounts: tuple[AccountSide, ...]
    unbooked: tuple[LineSide, ...]
    changed: tuple[Trouble, ...]
    duplicates: tuple[Trouble, ...]
    aside: tuple[Trouble, ...]
    payouts: tuple[Trouble, ...]


def bank(given: BankInputs) -> Iterator[Finding]:
    """Each account against its ledger, explained by lines not booked yet; then what is wrong by itself."""
    for account in given.accounts:
        yield from _account(account, given)
    oldest = given.as_of - timedelta(days=given.days)
    for line in given.unbooked:
        if not line.why and line.posted_at < oldest:
            yield Finding(
                ExceptionKind.LINE_UNMATCHED,
                f"line:{line.line}",
                f"Bank line {line.line} of {_at(line.posted_at)}, {_usd(line.amount)} {line.text}".rstrip()
                + f", has no match after {given.days} days.",
                line.posted_at,
                line.amount,
            )
    yield from _troubles(given.changed, ExceptionKind.LINE_CHANGED, "match")
    yield from _troubles(given.duplicates, ExceptionKind.LINE_DUPLICATE, "twin")
    yield from _troubles(given.aside, ExceptionKind.ROW_ASIDE, "row")
    late = given.as_of - timedelta(days=given.payout_days)
    for payout in given.payouts:
        if payout.since < late:
            yield Finding(
                ExceptionKind.PAYOUT_UNSEEN,
                f"payout:{payout.ref}",
                f"Pay-out {payout.ref} of {_usd(payout.amount or ZERO)} was paid {_at(payout.since)} "
                f"and is not seen at the bank after {given.payout_days} days.",
                payout.since,
                payout.amount,
            )


def _account(account: AccountSide, given: BankInputs) -> Iterator[Finding]:
    if account.held is None:
        if account.ledger:
            yield Finding(
                ExceptionKind.READING_MISSING,
                f"account:{account.code}",
                f"{account.code} stands at {_usd(account.ledger)}, and no balance of it was read at the bank by then.",
                given.as_of,
                account.ledger,
            )
        return
    waiting = [line for line in given.unbooked if line.code == account.code]
    explained = sum((line.amount for line in waiting), ZERO)
    unexplained = account.ledger + explained - account.held
    if unexplained:
        yield Finding(
            ExceptionKind.BANK_BALANCE,
            f"account:{account.code}",
            f"{account.code} stands at {_usd(account.ledger)}, the bank holds {_usd(account.held)}; "
            f"{len(waiting)} lines not booked explain {_usd(explained)}, {_usd(unexplained)} is not explained.",
            given.as_of,
            unexplained,
        )


# --- Stripe


# What is missing of a balance transaction that Stripe tells of and no webhook or sweep brought.
NEVER_SEEN: Final = "the house never saw it"


@dataclass(frozen=True, slots=True)
class MovementSide:
    """A balance transaction that nothing in the books stands for, and what is missing."""

    movement: str
    type: str
    net: Decimal
    occurred_at: datetime
    missing: str


@dataclass(frozen=True, slots=True)
class StripeInputs:
    """1115 beside Stripe's own terms; `refunds` are on their way: Stripe took them, the books wait. USD."""

    as_of: datetime
    ledger: Decimal
    available: Decimal | None
    pending: Decimal | None
    read_at: datetime | None
    in_transit: Decimal
    refunds: Decimal
    limit: Decimal
    unbooked: tuple[MovementSide, ...]
    unknown: tuple[Trouble, ...]
    failed_events: tuple[Trouble, ...]
    warn_hours: int


def stripe(given: StripeInputs) -> Iterator[Finding]:
    """1115 = available + pending + pay-outs in transit, or an exception; then each row that has no counterpart."""
    if given.available is None or given.pending is None or given.read_at is None:
        if given.ledger:
            message = f"1115 stands at {_usd(given.ledger)}, and Stripe's balance was never read by then."
            yield Finding(ExceptionKind.READING_MISSING, "reading:stripe", message, given.as_of, given.ledger)
    else:
        yield from _clearing(given, given.available + given.pending, given.read_at)
    for movement in given.unbooked:
        yield Finding(
            ExceptionKind.MOVEMENT_UNBOOKED,
            f"movement:{movement.movement}",
            f"Stripe's {movement.type} {movement.movement} of {_at(movement.occurred_at)}, "
            f"{_usd(movement.net)}: {movement.missing}.",
            movement.occurred_at,
            movement.net,
        )
    yield from _troubles(given.unknown, ExceptionKind.PAYMENT_UNKNOWN, "payment")
    yield from _troubles(given.failed_events, ExceptionKind.EVENT_FAILED, "event")


def _clearing(given: StripeInputs, balance: Decimal, read_at: datetime) -> Iterator[Finding]:
    terms = balance + given.in_transit + given.refunds
    drift = given.ledger - terms
    if abs(drift) > given.limit:
        yield Finding(
            ExceptionKind.STRIPE_BALANCE,
            "account:1115",
            f"1115 stands at {_usd(given.ledger)}; Stripe holds {_usd(balance)}, {_usd(given.in_transit)} of pay-outs "
            f"are in transit and {_usd(given.refunds)} of refunds on their way: {_usd(drift)} apart.",
            read_at,
            drift,
        )
    if read_at < given.as_of - timedelta(hours=given.warn_hours):
        message = f"Stripe's balance was last read {_at(read_at)}, more than {given.warn_hours} hours before."
        yield Finding(ExceptionKind.READING_STALE, "reading:stripe", message, read_at)


# What in the books a balance transaction of each type must be found in, beside an entry of its own.
COUNTERPARTS: Final[dict[str, str]] = {
    "charge": "payment",
    "payment": "payment",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund",
    "payment_failure_refund": "refund",
    "adjustment": "dispute",
    "payout": "payout",
    "payout_cancel": "payout",
    "payout_failure": "payout",
}


def missing_of(*, type: str, fee: Decimal, found: frozenset[str], has_entry: bool) -> str:
    """What a balance transaction lacks in the books, empty when nothing; `found`: the counterparts of its source."""
    counterpart = COUNTERPARTS.get(type)
    if counterpart is None or counterpart == "dispute":
        return "" if has_entry or (counterpart is not None and counterpart in found) else "no entry books it"
    if counterpart not in found:
        return f"the books know no {counterpart} of it"
    if counterpart == "payment" and fee and not has_entry:
        return "its fee is not booked"
    return ""


# --- runs


INPUTS: Final[dict[RunKind, type]] = {
    RunKind.BACKING: BackingInputs,
    RunKind.BANK: BankInputs,
    RunKind.STRIPE: StripeInputs,
}
_COMPARE: Final[dict[RunKind, Callable[[Any], Iterable[Finding]]]] = {
    RunKind.BACKING: backing,
    RunKind.BANK: bank,
    RunKind.STRIPE: stripe,
}

Inputs = BackingInputs | BankInputs | StripeInputs


def findings(kind: RunKind, inputs: dict[str, Any]) -> list[Finding]:
    """The result of a run, from its inputs as they are stored; of each cause the first."""
    found: dict[tuple[ExceptionKind, str], Finding] = {}
    for finding in _COMPARE[kind](msgspec.convert(inputs, INPUTS[kind])):
        found.setdefault((finding.kind, finding.cause), finding)
    return list(found.values())


def never_seen(inputs: dict[str, Any]) -> list[MovementSide]:
    """Of the stored inputs of a Stripe run: the balance transactions that the house had no row of then."""
    given = msgspec.convert(inputs, StripeInputs)
    return [row for row in given.unbooked if row.missing == NEVER_SEEN]


def written(value: Any) -> Any:
    """Inputs or findings as JSON keeps them: amounts and times as text, exact."""
    return msgspec.to_builtins(value)


def _troubles(rows: Iterable[Trouble], kind: ExceptionKind, what: str) -> Iterator[Finding]:
    for row in rows:
        yield Finding(kind, f"{what}:{row.ref}", row.text, row.since, row.amount)


def _usd(amount: Decimal) -> str:
    """To cents where that is exact, every digit where it is not."""
    shown = cents(amount)
    return f"{shown if shown == amount else plain(amount)} USD"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
