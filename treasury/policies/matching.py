"""Which bank lines could stand for which facts: scored rules over plain facts, no database, no clock.

A suggestion says its rule, how sure it is, and why in words. Only the one that names a pay-out by its id and equals it
to the digit confirms itself (CERTAIN); everything else waits for a person.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from treasury.policies.bank import BANK_CODES, CHECKING, SAVINGS, MatchKind, TargetKind

# The one rule that needs nobody: the line names a pay-out by its id and equals it.
CERTAIN: Final = "payout_id"
# A pay-out may reach the bank a little before or some days after the day Stripe names; weekends lie between.
BEFORE_ARRIVAL: Final = timedelta(days=1)
AFTER_ARRIVAL: Final = timedelta(days=5)
# A transfer between our own accounts appears on both within this.
TRANSFER_DAYS: Final = timedelta(days=3)
# A bill is paid at the earliest on its own day, and late ones are paid late.
AFTER_DUE: Final = timedelta(days=45)
_STRIPE: Final = re.compile(r"\bSTRIPE\b", re.IGNORECASE)
_PAYOUT_ID: Final = re.compile(r"\bpo_[0-9A-Za-z_]+")
_INTEREST: Final = re.compile(r"\bINTEREST\b", re.IGNORECASE)


class Nature(StrEnum):
    """What a posted line looks like by itself."""

    STRIPE = "stripe"
    TRANSFER = "transfer"
    INTEREST = "interest"
    DEPOSIT = "deposit"
    OUTGOING = "outgoing"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class LineFact:
    """A posted line that no match holds. `text` is everything written on it."""

    id: int
    account_id: int
    ledger_code: str
    amount: Decimal
    posted_on: date
    kind: str
    counterparty: str
    text: str


@dataclass(frozen=True, slots=True)
class PayoutFact:
    id: int
    payout_id: str
    amount: Decimal
    arrival_on: date | None


@dataclass(frozen=True, slots=True)
class BillFact:
    """An open bill; `amount` is positive, as it is owed."""

    id: int
    is_tax: bool
    supplier: str
    number: str
    amount: Decimal
    billed_on: date
    due_on: date


@dataclass(frozen=True, slots=True)
class RefundFact:
    """A refund by wire that was sent and not settled; `amount` is positive."""

    id: int
    refund_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Target:
    """What lines stand for: signed as the bank signs."""

    kind: TargetKind
    id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Suggestion:
    kind: MatchKind
    line_ids: tuple[int, ...]
    targets: tuple[Target, ...]
    rule: str
    score: int
    why: str

    @property
    def digest(self) -> str:
        """The same lines for the same facts are suggested once, whatever the rule."""
        return digest_of(self.kind, self.line_ids, self.targets)


def digest_of(kind: MatchKind, line_ids: Iterable[int], targets: Iterable[Target], nonce: str = "") -> str:
    parts = [kind.value, sorted(line_ids), sorted(f"{t.kind.value}:{t.id}" for t in targets), nonce]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def nature(line: LineFact) -> Nature:
    """By the bank's kind and the words on it. Stripe's own lines are never deposits, its pay-out known or not."""
    if line.amount == 0:
        return Nature.NOTHING
    if _STRIPE.search(line.text) or _PAYOUT_ID.search(line.text):
        return Nature.STRIPE
    if line.kind in {"internalTransfer", "treasuryTransfer"}:
        return Nature.TRANSFER
    if line.amount < 0:
        return Nature.OUTGOING
    if line.kind == "interestPayment" or _INTEREST.search(line.counterparty):
        return Nature.INTEREST
    return Nature.DEPOSIT


def suggest(
    *,
    lines: Sequence[LineFact],
    payouts: Sequence[PayoutFact] = (),
    bills: Sequence[BillFact] = (),
    refunds: Sequence[RefundFact] = (),
) -> list[Suggestion]:
    """Everything the rules see, the surest first. A line may be in several: a person chooses."""
    by_nature: dict[Nature, list[LineFact]] = defaultdict(list)
    for line in lines:
        by_nature[nature(line)].append(line)
    found = [
        *_payouts(by_nature[Nature.STRIPE], payouts),
        *_transfers(by_nature[Nature.TRANSFER]),
        *(_interest(line) for line in by_nature[Nature.INTEREST]),
        *_bills(by_nature[Nature.OUTGOING], bills),
        *_refunds(by_nature[Nature.OUTGOING], refunds),
        *duplicates(lines),
    ]
    return sorted(found, key=lambda one: (-one.score, one.line_ids))


def duplicates(lines: Sequence[LineFact]) -> list[Suggestion]:
    """Lines alike in account, day, amount and every word: the later one may be the earlier one reported twice."""
    alike: dict[tuple[object, ...], LineFact] = {}
    found = []
    for line in sorted(lines, key=lambda one: one.id):
        key = (line.account_id, line.posted_on, line.amount, line.counterparty, line.text)
        first = alike.setdefault(key, line)
        if first is line or line.amount == 0:
            continue
        target = Target(TargetKind.LINE, str(first.id), line.amount)
        why = f"Line {first.id} of the same day says the same amount and the same words."
        found.append(Suggestion(MatchKind.DUPLICATE, (line.id,), (target,), "same_day_same_words", 40, why))
    return found


# --- pay-outs


def _payouts(lines: Sequence[LineFact], payouts: Sequence[PayoutFact]) -> Iterable[Suggestion]:
    for line in lines:
        named = [payout for payout in payouts if _names(line.text, payout.payout_id)]
        exact = [payout for payout in named if payout.amount == line.amount]
        if len(exact) == 1:
            why = f"It names pay-out {exact[0].payout_id} and equals it."
            yield _payout(line, exact, CERTAIN if line.ledger_code == CHECKING else "payout_id_elsewhere", 100, why)
            continue
        if named and sum(payout.amount for payout in named) == line.amount:
            yield _payout(line, named, "payout_ids", 90, f"It names {len(named)} pay-outs and equals their sum.")
            continue
        yield from _payouts_by_day(line, payouts)


def _payouts_by_day(line: LineFact, payouts: Sequence[PayoutFact]) -> Iterable[Suggestion]:
    near = [payout for payout in payouts if payout.arrival_on and _arrives(line.posted_on, payout.arrival_on)]
    equal = [payout for payout in near if payout.amount == line.amount]
    score = 80 if len(equal) == 1 else 60
    for payout in equal:
        others = "" if len(equal) == 1 else f"; {len(equal)} pay-outs would fit"
        why = f"Amount and day fit pay-out {payout.payout_id}, expected on {payout.arrival_on}{others}."
        yield _payout(line, [payout], "payout_amount_day", score, why)
    if equal:
        return
    days: dict[date, list[PayoutFact]] = defaultdict(list)
    for payout in near:
        days[payout.arrival_on or line.posted_on].append(payout)
    for day, together in days.items():
        if len(together) > 1 and sum(payout.amount for payout in together) == line.amount:
            yield _payout(line, together, "payouts_of_day", 60, f"It equals all {len(together)} pay-outs of {day}.")


def _payout(line: LineFact, payouts: Sequence[PayoutFact], rule: str, score: int, why: str) -> Suggestion:
    kind = MatchKind.PAYOUT if line.amount > 0 else MatchKind.STRIPE_DEBIT
    targets = tuple(Target(TargetKind.PAYOUT, str(payout.id), payout.amount) for payout in payouts)
    return Suggestion(kind, (line.id,), targets, rule, score, why)


def _arrives(posted_on: date, expected: date) -> bool:
    return expected - BEFORE_ARRIVAL <= posted_on <= expected + AFTER_ARRIVAL


# --- transfers and interest


def _transfers(lines: Sequence[LineFact]) -> Iterable[Suggestion]:
    """Out of one account and into another: two lines that cancel out. One alone goes to the other account."""
    paired: set[int] = set()
    for out in (line for line in lines if line.amount < 0):
        for into in (line for line in lines if line.amount == -out.amount and line.id not in paired):
            if into.ledger_code != out.ledger_code and abs(into.posted_on - out.posted_on) <= TRANSFER_DAYS:
                why = f"The same amount leaves {out.ledger_code} and reaches {into.ledger_code}."
                yield Suggestion(MatchKind.TRANSFER, (out.id, into.id), (), "transfer_pair", 90, why)
                paired |= {out.id, into.id}
                break
    for line in lines:
        if line.id not in paired:
            other = SAVINGS if line.ledger_code == CHECKING else CHECKING
            target = Target(TargetKind.ACCOUNT, other, line.amount)
            why = f"The bank calls it a transfer between our own accounts; the other one would be {other}."
            yield Suggestion(MatchKind.TRANSFER, (line.id,), (target,), "transfer_alone", 40, why)


def _interest(line: LineFact) -> Suggestion:
    target = Target(TargetKind.ACCOUNT, "4910", line.amount)
    return Suggestion(MatchKind.INTEREST, (line.id,), (target,), "interest", 90, "The bank calls it interest.")


# --- bills and refunds


def _bills(lines: Sequence[LineFact], bills: Sequence[BillFact]) -> Iterable[Suggestion]:
    for line in lines:
        equal = [bill for bill in bills if bill.amount == -line.amount]
        for bill in equal:
            scored = _bill_score(line, bill)
            if scored:
                yield _bill(line, [bill], *scored)
        if not equal:
            yield from _bills_together(line, bills)


def _bill_score(line: LineFact, bill: BillFact) -> tuple[str, int, str] | None:
    if _names(line.text, bill.number):
        return "bill_number", 95, f"It names number {bill.number} of {bill.supplier} and equals the bill."
    if _names(line.text, bill.supplier):
        return "bill_supplier", 80, f"It names {bill.supplier} and equals bill {bill.number}."
    if bill.billed_on <= line.posted_on <= bill.due_on + AFTER_DUE:
        return "bill_amount", 50, f"It equals bill {bill.number} of {bill.supplier}, due on {bill.due_on}."
    return None


def _bills_together(line: LineFact, bills: Sequence[BillFact]) -> Iterable[Suggestion]:
    """One payment for every open bill of a supplier it names."""
    suppliers: dict[tuple[str, bool], list[BillFact]] = defaultdict(list)
    for bill in bills:
        suppliers[bill.supplier, bill.is_tax].append(bill)
    for (supplier, _), together in suppliers.items():
        if len(together) > 1 and _names(line.text, supplier) and sum(b.amount for b in together) == -line.amount:
            why = f"It names {supplier} and equals the {len(together)} open bills together."
            yield _bill(line, together, "bills_of_supplier", 75, why)


def _bill(line: LineFact, bills: Sequence[BillFact], rule: str, score: int, why: str) -> Suggestion:
    kind = MatchKind.TAX if bills[0].is_tax else MatchKind.BILL
    targets = tuple(Target(TargetKind.BILL, str(bill.id), -bill.amount) for bill in bills)
    return Suggestion(kind, (line.id,), targets, rule, score, why)


def _refunds(lines: Sequence[LineFact], refunds: Sequence[RefundFact]) -> Iterable[Suggestion]:
    for line in lines:
        for refund in refunds:
            if refund.amount != -line.amount:
                continue
            named = _names(line.text, refund.refund_id)
            rule, score = ("refund_reference", 95) if named else ("refund_amount", 50)
            word = "names and equals" if named else "equals"
            target = Target(TargetKind.REFUND, str(refund.id), line.amount)
            why = f"It {word} refund {refund.refund_id}."
            yield Suggestion(MatchKind.REFUND, (line.id,), (target,), rule, score, why)


def _names(text: str, name: str) -> bool:
    """`name` as whole words in `text`, in either case; a name shorter than three characters names nothing."""
    cleaned = name.strip()
    if len(cleaned) < 3:
        return False
    return re.search(rf"(?<!\w){re.escape(cleaned)}(?!\w)", text, re.IGNORECASE) is not None


def account_may_stand(kind: MatchKind, code: str) -> bool:
    """Which accounts of the chart a person may name as the other side."""
    return code == "4910" if kind is MatchKind.INTEREST else kind is MatchKind.TRANSFER and code in BANK_CODES
