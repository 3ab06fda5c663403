"""The financial reports as tables: one definition gives the page, the CSV and the XLSX."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from habitat.faces.tables import Column, Kind, Table
from treasury.reports.accounts import LedgerRow, account_ledger
from treasury.reports.journal import JournalRow, journal
from treasury.reports.statements import (
    BalanceSheet,
    IncomeStatement,
    StatementRow,
    balance_sheet,
    income_statement,
)
from treasury.reports.sums import Basis
from treasury.reports.trial_balance import TrialBalanceRow, trial_balance

# A section's name and total beside its accounts: rows of one table, so that the export says what the page says.
TOTAL: Final = "total"
BASES: Final = {Basis.EFFECTIVE: "by the day it counts", Basis.POSTED: "by the time it was posted"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A report ready for any window: its table, rows, totals by column key, and sentences to stand above it."""

    table: Table[Any]
    rows: Sequence[Any]
    totals: dict[str, Decimal]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asked for. `last` is the last day, included; `account` only the account ledger needs."""

    first: date
    last: date
    basis: Basis
    account: str = ""

    @property
    def end(self) -> date:
        return self.last + timedelta(days=1)

    @property
    def words(self) -> str:
        return f"{self.first} to {self.last}, {BASES[self.basis]}"


def shown_trial_balance(asked: Asked) -> Shown:
    report = trial_balance(asked.first, asked.end, basis=asked.basis)
    columns: tuple[Column[TrialBalanceRow], ...] = (
        Column("code", "Account", lambda row: row.code),
        Column("name", "Name", lambda row: row.name),
        Column("opening", "Opening", lambda row: row.opening, Kind.USD),
        Column("debit", "Debit", lambda row: row.debit, Kind.USD),
        Column("credit", "Credit", lambda row: row.credit, Kind.USD),
        Column("closing_debit", "Closing debit", lambda row: row.closing_debit, Kind.USD),
        Column("closing_credit", "Closing credit", lambda row: row.closing_credit, Kind.USD),
    )
    totals = {key: getattr(report, key) for key in ("debit", "credit", "closing_debit", "closing_credit")}
    return Shown(Table("trial-balance", f"Trial balance, {asked.words}", columns), report.rows, totals)


def shown_balance_sheet(asked: Asked) -> Shown:
    report = balance_sheet(asked.last, basis=asked.basis)
    caption = f"Balance sheet at the end of {asked.last}, {BASES[asked.basis]}"
    agrees = "Assets equal liabilities and equity." if report.balances else "Assets and the other side differ."
    return Shown(Table("balance-sheet", caption, _STATEMENT), balance_sheet_rows(report), {}, (agrees,))


def shown_income_statement(asked: Asked) -> Shown:
    report = income_statement(asked.first, asked.end, basis=asked.basis)
    table = Table("income-statement", f"Income statement, {asked.words}", _STATEMENT)
    remark = "Closing entries are left out: a closed period reads as it did before."
    return Shown(table, income_statement_rows(report), {}, (remark,))


def shown_journal(asked: Asked) -> Shown:
    report = journal(asked.first, asked.end, basis=asked.basis)
    table = Table("journal", f"Journal, {asked.words}", _JOURNAL)
    remark = f"{report.entries} entries, {len(report.rows)} lines."
    return Shown(table, report.rows, {"debit": report.debit, "credit": report.credit}, (remark,))


def shown_account_ledger(asked: Asked) -> Shown:
    report = account_ledger(asked.account, asked.first, asked.end, basis=asked.basis)
    table = Table("account-ledger", f"Account {report.account}, {asked.words}", _LEDGER)
    totals = {"debit": report.debit, "credit": report.credit, "balance": report.closing}
    return Shown(table, report.rows, totals, (f"Opening balance: {report.opening:,.2f} USD.",))


def balance_sheet_rows(report: BalanceSheet) -> list[StatementRow]:
    """Sections with their totals, and CLOUD credits gross, held and net (domain §6)."""
    income = StatementRow("equity", "", "Income not yet closed", report.current_income)
    return [
        *report.assets,
        StatementRow(TOTAL, "", "Total assets", report.total_assets),
        *report.liabilities,
        StatementRow(TOTAL, "", "Total liabilities", report.total_liabilities),
        *report.equity,
        income,
        StatementRow(TOTAL, "", "Total equity", report.total_equity),
        StatementRow(TOTAL, "", "Total liabilities and equity", report.total_liabilities + report.total_equity),
        StatementRow("memo", "2220", "CLOUD credits outstanding, gross", report.credits_gross),
        StatementRow("memo", "1130", "held by the cooperative itself", report.credits_held),
        StatementRow("memo", "", "CLOUD credits outstanding, net", report.credits_net),
    ]


def income_statement_rows(report: IncomeStatement) -> list[StatementRow]:
    return [
        *report.revenue,
        StatementRow(TOTAL, "", "Total revenue", report.total_revenue),
        *report.expenses,
        StatementRow(TOTAL, "", "Total expenses", report.total_expenses),
        StatementRow(TOTAL, "", "Net income", report.net_income),
    ]


_STATEMENT: Final[tuple[Column[StatementRow], ...]] = (
    Column("section", "Section", lambda row: row.section),
    Column("code", "Account", lambda row: row.code),
    Column("name", "Name", lambda row: row.name),
    Column("amount", "Amount", lambda row: row.amount, Kind.USD),
)
_JOURNAL: Final[tuple[Column[JournalRow], ...]] = (
    Column("entry", "Entry", lambda row: row.entry_id, Kind.INTEGER),
    Column("effective_on", "Counts on", lambda row: row.effective_on, Kind.DAY),
    Column("posted_at", "Posted", lambda row: row.posted_at, Kind.MOMENT),
    Column("source", "Source", lambda row: f"{row.source_kind} {row.source_ref}"),
    Column("description", "Description", lambda row: row.description),
    Column("account", "Account", lambda row: row.account),
    Column("account_name", "Name", lambda row: row.account_name),
    Column("debit", "Debit", lambda row: row.debit or None, Kind.USD),
    Column("credit", "Credit", lambda row: row.credit or None, Kind.USD),
    Column("posted_by", "Posted by", lambda row: row.posted_by),
)
_LEDGER: Final[tuple[Column[LedgerRow], ...]] = (
    Column("entry", "Entry", lambda row: row.entry_id, Kind.INTEGER),
    Column("effective_on", "Counts on", lambda row: row.effective_on, Kind.DAY),
    Column("source", "Source", lambda row: f"{row.source_kind} {row.source_ref}"),
    Column("description", "Description", lambda row: row.description),
    Column("debit", "Debit", lambda row: row.debit or None, Kind.USD),
    Column("credit", "Credit", lambda row: row.credit or None, Kind.USD),
    Column("balance", "Balance", lambda row: row.balance, Kind.USD),
)

# By the name in the address: the report's title and what makes it.
REPORTS: Final[dict[str, tuple[str, Callable[[Asked], Shown]]]] = {
    "trial-balance": ("Trial balance", shown_trial_balance),
    "balance-sheet": ("Balance sheet", shown_balance_sheet),
    "income-statement": ("Income statement", shown_income_statement),
    "journal": ("Journal", shown_journal),
    "account-ledger": ("Account ledger", shown_account_ledger),
}
