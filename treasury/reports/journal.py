"""The journal over a range: every entry with its lines, in the order of the books."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from django.db import connection

from treasury.policies.chart import Ledger
from treasury.reports.sums import Basis, check_range, moments, total

_JOURNAL: Final = """
SELECT e.id, e.effective_on, e.occurred_at, e.posted_at, e.source_kind, e.source_ref, e.description, e.posted_by,
       a.code, a.name,
       CASE WHEN l.side = 'D' THEN l.amount ELSE 0 END, CASE WHEN l.side = 'C' THEN l.amount ELSE 0 END, l.memo
  FROM treasury_journalentry e
  JOIN treasury_journalline l ON l.entry_id = e.id
  JOIN treasury_account a ON a.id = l.account_id
 WHERE {range} AND e.ledger = %(ledger)s
 ORDER BY {order}, e.id, l.id
"""
_BY: Final = {
    Basis.EFFECTIVE: ("e.effective_on >= %(start)s AND e.effective_on < %(end)s", "e.effective_on"),
    Basis.POSTED: ("e.posted_at >= %(from)s AND e.posted_at < %(to)s", "e.posted_at"),
}


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One line with the facts of its entry; USD."""

    entry_id: int
    effective_on: date
    occurred_at: datetime
    posted_at: datetime
    source_kind: str
    source_ref: str
    description: str
    posted_by: str
    account: str
    account_name: str
    debit: Decimal
    credit: Decimal
    memo: str


@dataclass(frozen=True, slots=True)
class Journal:
    start: date
    end: date
    rows: tuple[JournalRow, ...]

    @property
    def entries(self) -> int:
        return len({row.entry_id for row in self.rows})

    @property
    def debit(self) -> Decimal:
        return total(row.debit for row in self.rows)

    @property
    def credit(self) -> Decimal:
        return total(row.credit for row in self.rows)


def journal(start: date, end: date, *, basis: Basis = Basis.EFFECTIVE, ledger: Ledger = Ledger.BOOK) -> Journal:
    """Every line of `[start, end)`. Raises RangeBackwards."""
    check_range(start, end)
    since, until = moments(start, end)
    within, order = _BY[basis]
    with connection.cursor() as cursor:
        cursor.execute(
            _JOURNAL.replace("{range}", within).replace("{order}", order),
            {"start": start, "end": end, "from": since, "to": until, "ledger": ledger.value},
        )
        return Journal(start, end, tuple(JournalRow(*row) for row in cursor))


_CREDITED: Final = """
SELECT coalesce(sum(CASE l.side WHEN 'C' THEN l.amount ELSE -l.amount END), 0)
  FROM treasury_journalline l JOIN treasury_account a ON a.id = l.account_id
 WHERE l.entry_id = %s AND a.code = %s
"""


def credited(*, entry_id: int | None, code: str) -> Decimal:
    """USD by which one entry credits one account (negative: debits); zero without an entry."""
    with connection.cursor() as cursor:
        cursor.execute(_CREDITED, [entry_id, code])
        return Decimal(cursor.fetchone()[0])
