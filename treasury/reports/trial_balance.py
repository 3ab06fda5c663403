"""The trial balance: every account's opening, movements and closing over a range; the two sides are equal."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from treasury.policies.chart import Ledger, Side
from treasury.reports.sums import BEGINNING, AccountSum, Basis, account_sums, check_range, total

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class TrialBalanceRow:
    """USD. `opening` and `closing` stand on the account's normal side; closing is also split by side for the totals."""

    code: str
    name: str
    kind: str
    opening: Decimal
    debit: Decimal
    credit: Decimal
    closing: Decimal
    closing_debit: Decimal
    closing_credit: Decimal


@dataclass(frozen=True, slots=True)
class TrialBalance:
    start: date
    end: date
    rows: tuple[TrialBalanceRow, ...]

    @property
    def debit(self) -> Decimal:
        return total(row.debit for row in self.rows)

    @property
    def credit(self) -> Decimal:
        return total(row.credit for row in self.rows)

    @property
    def closing_debit(self) -> Decimal:
        return total(row.closing_debit for row in self.rows)

    @property
    def closing_credit(self) -> Decimal:
        return total(row.closing_credit for row in self.rows)


def trial_balance(
    start: date, end: date, *, basis: Basis = Basis.EFFECTIVE, ledger: Ledger = Ledger.BOOK
) -> TrialBalance:
    """Accounts with a balance or a movement in `[start, end)`, by code. Raises RangeBackwards."""
    check_range(start, end)
    before = {row.code: row for row in account_sums(BEGINNING, start, basis=basis, ledger=ledger)}
    within = {row.code: row for row in account_sums(start, end, basis=basis, ledger=ledger)}
    rows = [_row(before.get(code), within.get(code)) for code in sorted(before.keys() | within.keys())]
    return TrialBalance(start, end, tuple(row for row in rows if row.opening or row.debit or row.credit or row.closing))


def _row(before: AccountSum | None, within: AccountSum | None) -> TrialBalanceRow:
    account = within or before
    if account is None:
        raise LookupError
    opening = before.balance if before else ZERO
    closing = opening + (within.balance if within else ZERO)
    net_debit = closing if account.normal_side == Side.DEBIT.value else -closing
    return TrialBalanceRow(
        code=account.code,
        name=account.name,
        kind=account.kind,
        opening=opening,
        debit=within.debit if within else ZERO,
        credit=within.credit if within else ZERO,
        closing=closing,
        closing_debit=max(net_debit, ZERO),
        closing_credit=max(-net_debit, ZERO),
    )
