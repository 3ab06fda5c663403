"""What a journal entry must be before the database sees it: sides, amounts, balance, source, and its digest."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final, Self

from habitat.errors import AmountNotPositive
from habitat.money import LARGEST_USD, USD_BOOK_PLACES, parse_decimal, plain
from treasury.errors import EntryUnbalanced, SourceMissing, TextTooLong, TooFewLines
from treasury.policies.chart import Ledger, Side

CLOSE: Final = "close"
ADJUSTMENT: Final = "adjustment"
REVERSAL: Final = "reversal"

# While a period is closing, only these sources may still post into it (domain §6.3).
KINDS_WHILE_CLOSING: Final = frozenset({CLOSE, ADJUSTMENT})

LONGEST_KEY: Final = 200
LONGEST_DESCRIPTION: Final = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One side of an entry: an account code and a positive USD amount with at most eight decimals."""

    account: str
    side: Side
    amount: Decimal
    memo: str = ""

    @classmethod
    def debit(cls, account: str, amount: Decimal, memo: str = "") -> Self:
        return cls(account, Side.DEBIT, amount, memo)

    @classmethod
    def credit(cls, account: str, amount: Decimal, memo: str = "") -> Self:
        return cls(account, Side.CREDIT, amount, memo)

    def mirrored(self) -> "Line":
        """The same line on the other side."""
        return Line(self.account, self.side.other, self.amount, self.memo)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an entry comes from: a kind (`mint`, `payment`, `adjustment` …) and the thing's own number."""

    kind: str
    ref: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry not posted yet. `effective_on` None takes the day of `occurred_at`, or a later open one."""

    lines: Sequence[Line]
    occurred_at: datetime
    source: Source
    description: str
    idempotency_key: str
    effective_on: date | None = None
    ledger: Ledger = Ledger.BOOK
    reverses_id: int | None = None

    @property
    def wanted_on(self) -> date:
        """The UTC day this entry asks for."""
        return self.effective_on or self.occurred_at.astimezone(UTC).date()

    def digest(self) -> bytes:
        """SHA-256 of everything the caller decided; what the house decides (period, clock) stays out.

        A reversal happens when it is asked for, so its moment is the house's too.
        """
        content = [
            self.ledger.value,
            None if self.reverses_id else self.occurred_at.astimezone(UTC).isoformat(),
            self.effective_on.isoformat() if self.effective_on else None,
            self.source.kind,
            self.source.ref,
            self.description,
            self.reverses_id,
            [[line.account, line.side.value, plain(line.amount), line.memo] for line in self.lines],
        ]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).digest()


def total(lines: Iterable[Line], side: Side) -> Decimal:
    """The exact sum of one side."""
    return sum((line.amount for line in lines if line.side is side), Decimal(0))


def check_draft(draft: Draft) -> None:
    """Raises TooFewLines, EntryUnbalanced, AmountNotPositive, SourceMissing, TextTooLong, or as `parse_decimal`."""
    if not draft.source.kind.strip() or not draft.source.ref.strip():
        raise SourceMissing(field="source")
    for what, text, longest in (
        ("key", draft.idempotency_key, LONGEST_KEY),
        ("description", draft.description, LONGEST_DESCRIPTION),
        ("source", draft.source.ref, LONGEST_KEY),
    ):
        if len(text) > longest:
            raise TextTooLong(what=what, longest=longest, count=len(text), field=what)
    if len(draft.lines) < 2:
        raise TooFewLines(count=len(draft.lines), field="lines")
    for line in draft.lines:
        parse_decimal(line.amount, places=USD_BOOK_PLACES, largest=LARGEST_USD, field="amount")
        if line.amount <= 0:
            raise AmountNotPositive(given=str(line.amount), field="amount")
    debit, credit = total(draft.lines, Side.DEBIT), total(draft.lines, Side.CREDIT)
    if debit != credit:
        raise EntryUnbalanced(debit=plain(debit), credit=plain(credit), field="lines")
