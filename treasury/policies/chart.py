"""The chart of accounts (domain §6): codes, names, kinds, sides and which accounts take lines."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CODE_FORM: Final = r"^[1-6][0-9]{3}(-[0-9A-Za-z][0-9A-Za-z.]{0,23})?$"
_CODE: Final = re.compile(CODE_FORM, re.ASCII)


class AccountKind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    REVENUE = "revenue"
    EXPENSE = "expense"


class Side(StrEnum):
    DEBIT = "D"
    CREDIT = "C"

    @property
    def other(self) -> "Side":
        return Side.CREDIT if self is Side.DEBIT else Side.DEBIT


class Ledger(StrEnum):
    """Book and tax are balanced each on its own; an entry belongs to one."""

    BOOK = "book"
    TAX = "tax"


NORMAL_SIDE: Final[dict[AccountKind, Side]] = {
    AccountKind.ASSET: Side.DEBIT,
    AccountKind.LIABILITY: Side.CREDIT,
    AccountKind.EQUITY: Side.CREDIT,
    AccountKind.REVENUE: Side.CREDIT,
    AccountKind.EXPENSE: Side.DEBIT,
}

KIND_OF_FIRST_DIGIT: Final[dict[str, AccountKind]] = {
    "1": AccountKind.ASSET,
    "2": AccountKind.LIABILITY,
    "3": AccountKind.EQUITY,
    "4": AccountKind.REVENUE,
    "5": AccountKind.EXPENSE,
    "6": AccountKind.EXPENSE,
}


@dataclass(frozen=True, slots=True)
class ChartAccount:
    """One account as the domain lists it. `parent` is a code or None for the six heads and the memo ledger."""

    code: str
    name: str
    parent: str | None
    is_postable: bool = True
    ledger: Ledger = Ledger.BOOK
    contra: bool = False

    @property
    def kind(self) -> AccountKind:
        return KIND_OF_FIRST_DIGIT[self.code[0]]

    @property
    def normal_side(self) -> Side:
        side = NORMAL_SIDE[self.kind]
        return side.other if self.contra else side


def _head(code: str, name: str) -> ChartAccount:
    return ChartAccount(code, name, parent=None, is_postable=False)


def _under(parent: str, *rows: tuple[str, str]) -> tuple[ChartAccount, ...]:
    return tuple(ChartAccount(code, name, parent=parent) for code, name in rows)


CHART: Final[tuple[ChartAccount, ...]] = (
    _head("1000", "Assets"),
    _head("2000", "Liabilities"),
    _head("3000", "Equity"),
    _head("4000", "Revenue"),
    _head("5000", "Cost of Services"),
    _head("6000", "Distributions and Taxes"),
    *_under(
        "1000",
        ("1110", "Operating Checking (Mercury)"),
        ("1115", "Stripe Clearing"),
        ("1116", "Disputed Funds"),
        ("1120", "Savings and Reserve"),
        ("1130", "CLOUD Credits Held"),
    ),
    # One sub-account a token.
    ChartAccount("1210", "Streaming Tokens", parent="1000", is_postable=False),
    *_under("1000", ("1310", "Member Receivables"), ("1510", "Property")),
    *_under(
        "2000",
        ("2110", "Accounts Payable"),
        ("2120", "Taxes Payable"),
        ("2220", "CLOUD Credits Outstanding"),
        ("2230", "Staking Payable"),
        ("2240", "Member Money Held"),
        ("2320", "Patronage Distributions Payable"),
        ("2330", "Redeemable Equity Payable"),
    ),
    # One sub-account a member.
    ChartAccount("3100", "Member Capital, Book", parent="3000", is_postable=False),
    # The memo ledger stands outside the balance sheet, so these two hang under no head.
    ChartAccount("3200", "Member Capital, Tax", parent=None, ledger=Ledger.TAX),
    ChartAccount("3290", "Tax Memo Contra", parent=None, ledger=Ledger.TAX, contra=True),
    *_under(
        "3000",
        ("3310", "Current-Year Net Income"),
        ("3320", "Unallocated Reserves"),
        ("3330", "Collective Fund"),
    ),
    *_under(
        "4000",
        ("4110", "Professional Services Revenue"),
        ("4120", "Membership Dues"),
        ("4310", "Stream Revenue"),
        ("4320", "Realised Token Gain"),
        ("4420", "Credit Redemption Revenue"),
        ("4910", "Interest Income"),
    ),
    *_under(
        "5000",
        ("5210", "Guaranteed Payments"),
        ("5510", "Compute Infrastructure"),
        ("5520", "Transfer Infrastructure"),
        ("5530", "Long-term Memory Infrastructure"),
        ("5540", "Short-term Memory Infrastructure"),
        ("5610", "Stream Expense"),
        ("5910", "Payment Processing Fees"),
        ("5930", "Miscellaneous"),
        ("5940", "Realised Token Loss"),
    ),
    *_under("6000", ("6410", "Staking Revenue Share"), ("6510", "Taxes")),
)


def is_account_code(code: str) -> bool:
    """True for `2220` and for a sub-account such as `3100-000012`."""
    return bool(_CODE.match(code))
