"""The balance sheet and the income statement, exact and for any day or range."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from treasury.models import Account
from treasury.policies.chart import AccountKind
from treasury.reports.sums import BEGINNING, AccountSum, Basis, account_sums, account_sums_without_close, total

CREDITS_OUTSTANDING: Final = "2220"
CREDITS_HELD: Final = "1130"
HEAD_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One line of a statement: USD on the side the section counts on. Sub-accounts are summed under their parent."""

    section: str
    code: str
    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class BalanceSheet:
    """`current_income` is what revenue and expense hold until the close moves it to 3310; it belongs to equity."""

    on: date
    assets: tuple[StatementRow, ...]
    liabilities: tuple[StatementRow, ...]
    equity: tuple[StatementRow, ...]
    current_income: Decimal

    @property
    def total_assets(self) -> Decimal:
        return total(row.amount for row in self.assets)

    @property
    def total_liabilities(self) -> Decimal:
        return total(row.amount for row in self.liabilities)

    @property
    def total_equity(self) -> Decimal:
        """With the income of the current year."""
        return total(row.amount for row in self.equity) + self.current_income

    @property
    def credits_gross(self) -> Decimal:
        return _amount_of(self.liabilities, CREDITS_OUTSTANDING)

    @property
    def credits_held(self) -> Decimal:
        """What the cooperative owes itself (domain §6)."""
        return _amount_of(self.assets, CREDITS_HELD)

    @property
    def credits_net(self) -> Decimal:
        return self.credits_gross - self.credits_held

    @property
    def balances(self) -> bool:
        return self.total_assets == self.total_liabilities + self.total_equity


@dataclass(frozen=True, slots=True)
class IncomeStatement:
    start: date
    end: date
    revenue: tuple[StatementRow, ...]
    expenses: tuple[StatementRow, ...]

    @property
    def total_revenue(self) -> Decimal:
        return total(row.amount for row in self.revenue)

    @property
    def total_expenses(self) -> Decimal:
        return total(row.amount for row in self.expenses)

    @property
    def net_income(self) -> Decimal:
        return self.total_revenue - self.total_expenses


def balance_sheet(on: date, *, basis: Basis = Basis.EFFECTIVE) -> BalanceSheet:
    """The book ledger at the end of the day `on`."""
    sums = account_sums(BEGINNING, on + timedelta(days=1), basis=basis)
    income = -total(row.net_debit for row in sums if row.kind in (AccountKind.REVENUE, AccountKind.EXPENSE))
    return BalanceSheet(
        on=on,
        assets=_section(sums, AccountKind.ASSET),
        liabilities=_section(sums, AccountKind.LIABILITY),
        equity=_section(sums, AccountKind.EQUITY),
        current_income=income,
    )


def income_statement(start: date, end: date, *, basis: Basis = Basis.EFFECTIVE) -> IncomeStatement:
    """What was earned and spent in `[start, end)`, whether or not the period was closed. Raises RangeBackwards."""
    sums = account_sums_without_close(start, end, basis=basis)
    return IncomeStatement(
        start=start,
        end=end,
        revenue=_section(sums, AccountKind.REVENUE),
        expenses=_section(sums, AccountKind.EXPENSE),
    )


def _section(sums: Iterable[AccountSum], kind: AccountKind) -> tuple[StatementRow, ...]:
    heads: dict[str, Decimal] = {}
    names: dict[str, str] = {}
    for row in sums:
        if row.kind == kind:
            head = row.code[:HEAD_DIGITS]
            heads[head] = heads.get(head, Decimal(0)) + row.balance
            names.setdefault(head, row.name)
    names |= dict(Account.objects.filter(code__in=heads).values_list("code", "name"))
    return tuple(StatementRow(kind.value, code, names[code], heads[code]) for code in sorted(heads) if heads[code])


def _amount_of(rows: Iterable[StatementRow], code: str) -> Decimal:
    return total(row.amount for row in rows if row.code == code)
