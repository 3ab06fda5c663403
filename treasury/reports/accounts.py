"""What stands on an account: its balance on any day, and every line that made it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import connection

from treasury.errors import UnknownAccount
from treasury.models import Account
from treasury.policies.chart import Ledger, Side
from treasury.reports.sums import BEGINNING, END, Basis, account_sums, check_range, moments, total

_LINES: Final = """
SELECT e.id, e.effective_on, e.posted_at, e.source_kind, e.source_ref, e.description, l.memo,
       CASE WHEN l.side = 'D' THEN l.amount ELSE 0 END, CASE WHEN l.side = 'C' THEN l.amount ELSE 0 END
  FROM treasury_journalline l
  JOIN treasury_journalentry e ON e.id = l.entry_id
 WHERE l.account_id = %(account)s AND {range}
 ORDER BY {order}, l.id
"""
_BY: Final = {
    Basis.EFFECTIVE: ("e.effective_on >= %(start)s AND e.effective_on < %(end)s", "e.effective_on, e.id"),
    Basis.POSTED: ("e.posted_at >= %(from)s AND e.posted_at < %(to)s", "e.posted_at, e.id"),
}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of an account, with the balance after it on the account's normal side."""

    entry_id: int
    effective_on: date
    posted_at: datetime
    source_kind: str
    source_ref: str
    description: str
    memo: str
    debit: Decimal
    credit: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class AccountLedger:
    account: Account
    opening: Decimal
    rows: tuple[LedgerRow, ...]
    debit: Decimal
    credit: Decimal
    closing: Decimal


def account_balance(code: str, on: date | None = None) -> Decimal:
    """USD on the account's normal side at the end of the day `on`; of all time when None. Sub-accounts apart.

    Raises UnknownAccount.
    """
    account = _account(code)
    return _balance(account, on + timedelta(days=1) if on else END, Basis.EFFECTIVE)


def balances(codes: list[str], on: date | None = None) -> dict[str, Decimal]:
    """The same for several accounts in one query a ledger; 0 for those without lines."""
    end = on + timedelta(days=1) if on else END
    found = dict.fromkeys(codes, Decimal(0))
    for ledger in Ledger:
        found |= {row.code: row.balance for row in account_sums(BEGINNING, end, ledger=ledger) if row.code in found}
    return found


def account_ledger(code: str, start: date, end: date, *, basis: Basis = Basis.EFFECTIVE) -> AccountLedger:
    """Every line of one account in `[start, end)` with a running balance. Raises UnknownAccount, RangeBackwards."""
    check_range(start, end)
    account = _account(code)
    opening = _balance(account, start, basis)
    sign = 1 if account.normal_side == Side.DEBIT.value else -1
    since, until = moments(start, end)
    within, order = _BY[basis]
    rows, balance = [], opening
    with connection.cursor() as cursor:
        cursor.execute(
            _LINES.replace("{range}", within).replace("{order}", order),
            {"account": account.pk, "start": start, "end": end, "from": since, "to": until},
        )
        for *fields, debit, credit in cursor:
            balance += sign * (debit - credit)
            rows.append(LedgerRow(*fields, debit=debit, credit=credit, balance=balance))
    return AccountLedger(
        account=account,
        opening=opening,
        rows=tuple(rows),
        debit=total(row.debit for row in rows),
        credit=total(row.credit for row in rows),
        closing=balance,
    )


def _account(code: str) -> Account:
    account = Account.objects.filter(code=code).first()
    if account is None:
        raise UnknownAccount(code=code, field="account")
    return account


def _balance(account: Account, end: date, basis: Basis) -> Decimal:
    rows = account_sums(BEGINNING, end, basis=basis, ledger=Ledger(account.ledger), account_id=account.pk)
    return total(row.balance for row in rows)
