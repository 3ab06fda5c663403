"""Debits and credits per account over a range of days: the one place that reads sealed days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Final

from django.db import connection

from treasury.errors import RangeBackwards
from treasury.policies.chart import Ledger, Side

BEGINNING: Final = date(1, 1, 1)
# Room for one day more, as ranges are half-open.
END: Final = date(9999, 12, 30)


class Basis(StrEnum):
    """Which of an entry's times puts it into a range."""

    EFFECTIVE = "effective"
    POSTED = "posted"


@dataclass(frozen=True, slots=True)
class AccountSum:
    """One account's totals of a range, in USD."""

    code: str
    name: str
    kind: str
    normal_side: str
    debit: Decimal
    credit: Decimal

    @property
    def net_debit(self) -> Decimal:
        return self.debit - self.credit

    @property
    def balance(self) -> Decimal:
        """On the account's normal side: positive as expected, negative when turned over."""
        return self.net_debit if self.normal_side == Side.DEBIT.value else -self.net_debit


# A sealed day's rows hold all lines of transactions below its horizon. What they do not hold is read from the lines:
# days without a seal, and entries that came to a sealed day at or after its horizon. So a snapshot may be missing or
# old, and no sum changes by it.
_BY_EFFECTIVE_DAY: Final = """
WITH unsealed AS (
    SELECT given.day::date AS day
      FROM generate_series(
               greatest(%(start)s::date, (SELECT min(effective_on) FROM treasury_journalentry)),
               least(%(end)s::date - 1, (SELECT max(effective_on) FROM treasury_journalentry)),
               interval '1 day') AS given(day)
     WHERE NOT EXISTS (SELECT FROM treasury_sealedday s WHERE s.day = given.day::date)
), part AS (
    SELECT d.account_id, d.debit, d.credit
      FROM treasury_accountday d
     WHERE d.day >= %(start)s AND d.day < %(end)s
       AND (%(accounts)s::bigint[] IS NULL OR d.account_id = ANY(%(accounts)s::bigint[]))
    UNION ALL
    SELECT l.account_id,
           CASE WHEN l.side = 'D' THEN l.amount ELSE 0 END, CASE WHEN l.side = 'C' THEN l.amount ELSE 0 END
      FROM unsealed
      JOIN treasury_journalentry e ON e.effective_on = unsealed.day
      JOIN treasury_journalline l ON l.entry_id = e.id
     WHERE %(accounts)s::bigint[] IS NULL OR l.account_id = ANY(%(accounts)s::bigint[])
    UNION ALL
    SELECT l.account_id,
           CASE WHEN l.side = 'D' THEN l.amount ELSE 0 END, CASE WHEN l.side = 'C' THEN l.amount ELSE 0 END
      FROM treasury_journalentry e
      JOIN treasury_sealedday s ON s.day = e.effective_on AND e.transaction >= s.horizon
      JOIN treasury_journalline l ON l.entry_id = e.id
     WHERE e.transaction >= (SELECT min(horizon) FROM treasury_sealedday)
       AND e.effective_on >= %(start)s AND e.effective_on < %(end)s
       AND (%(accounts)s::bigint[] IS NULL OR l.account_id = ANY(%(accounts)s::bigint[]))
)
"""
_BY_POSTING_TIME: Final = """
WITH part AS (
    SELECT l.account_id,
           CASE WHEN l.side = 'D' THEN l.amount ELSE 0 END AS debit,
           CASE WHEN l.side = 'C' THEN l.amount ELSE 0 END AS credit
      FROM treasury_journalentry e
      JOIN treasury_journalline l ON l.entry_id = e.id
     WHERE e.posted_at >= %(from)s AND e.posted_at < %(to)s
       AND (%(accounts)s::bigint[] IS NULL OR l.account_id = ANY(%(accounts)s::bigint[]))
)
"""
# The close empties revenue and expense into 3310; a statement of what was earned must not see that.
_WITHOUT_THE_CLOSE: Final = """
WITH part AS (
    SELECT l.account_id,
           CASE WHEN l.side = 'D' THEN l.amount ELSE 0 END AS debit,
           CASE WHEN l.side = 'C' THEN l.amount ELSE 0 END AS credit
      FROM treasury_journalentry e
      JOIN treasury_journalline l ON l.entry_id = e.id
     WHERE {range}
       AND e.source_kind <> 'close'
       AND (%(accounts)s::bigint[] IS NULL OR l.account_id = ANY(%(accounts)s::bigint[]))
)
"""
_RANGES: Final = {
    Basis.EFFECTIVE: "e.effective_on >= %(start)s AND e.effective_on < %(end)s",
    Basis.POSTED: "e.posted_at >= %(from)s AND e.posted_at < %(to)s",
}
# Materialized: with no statistics of the small chart, the planner would sum all lines again for each account.
_TOTALS: Final = """
, total AS MATERIALIZED (
    SELECT account_id, sum(debit) AS debit, sum(credit) AS credit FROM part GROUP BY account_id
)
SELECT a.code, a.name, a.kind, a.normal_side, total.debit, total.credit
  FROM total
  JOIN treasury_account a ON a.id = total.account_id
 WHERE a.ledger = %(ledger)s
 ORDER BY a.code
"""

_OWED: Final = """
, total AS MATERIALIZED (
    SELECT account_id, sum(credit) - sum(debit) AS owed FROM part GROUP BY account_id
)
SELECT a.code, coalesce(total.owed, 0), pg_current_snapshot()::text,
       coalesce((SELECT max(id) FROM treasury_journalentry), 0)
  FROM treasury_account a
  LEFT JOIN total ON total.account_id = a.id
 WHERE a.id = ANY(%(accounts)s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Owed:
    """Credit balances by account code, in USD, and which entries they were summed from."""

    balances: dict[str, Decimal]
    snapshot: str
    last_entry: int


def moments(start: date, end: date) -> tuple[datetime, datetime]:
    """The UTC midnights of a half-open range of days."""
    return datetime.combine(start, time(), UTC), datetime.combine(end, time(), UTC)


def check_range(start: date, end: date) -> None:
    """Raises RangeBackwards."""
    if end < start:
        raise RangeBackwards(start=start.isoformat(), end=end.isoformat(), field="end")


def account_sums(
    start: date,
    end: date,
    *,
    basis: Basis = Basis.EFFECTIVE,
    ledger: Ledger = Ledger.BOOK,
    account_id: int | None = None,
) -> list[AccountSum]:
    """Every account with lines in `[start, end)`, by code. Raises RangeBackwards."""
    part = _BY_EFFECTIVE_DAY if basis is Basis.EFFECTIVE else _BY_POSTING_TIME
    return _sums(part + _TOTALS, start, end, ledger, account_id)


def account_sums_without_close(
    start: date, end: date, *, basis: Basis = Basis.EFFECTIVE, ledger: Ledger = Ledger.BOOK
) -> list[AccountSum]:
    """As `account_sums`, closing entries and their reversals left out. Raises RangeBackwards."""
    return _sums(_WITHOUT_THE_CLOSE.replace("{range}", _RANGES[basis]) + _TOTALS, start, end, ledger, None)


def _sums(sql: str, start: date, end: date, ledger: Ledger, account_id: int | None) -> list[AccountSum]:
    check_range(start, end)
    since, until = moments(start, end)
    accounts = None if account_id is None else [account_id]
    given = {"start": start, "end": end, "from": since, "to": until, "ledger": ledger.value, "accounts": accounts}
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return [AccountSum(*row) for row in cursor.fetchall()]


def owed(account_ids: dict[str, int], *, until: date = END) -> Owed:
    """The credit balances of book accounts (id by code) before the day `until`, all in one statement."""
    given = {"start": BEGINNING, "end": until, "accounts": list(account_ids.values())}
    with connection.cursor() as cursor:
        cursor.execute(_BY_EFFECTIVE_DAY + _OWED, given)
        rows = cursor.fetchall()
    return Owed({row[0]: row[1] for row in rows}, snapshot=rows[0][2], last_entry=rows[0][3])


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum; 0 of nothing."""
    return sum(amounts, Decimal(0))
