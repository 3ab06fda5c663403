"""What exists on this floor."""

from treasury.models.accounts import Account
from treasury.models.bank import BankAccount, BankLine, BankLineVersion, BankReading, BankRowAside
from treasury.models.bank_matches import BankMatch, BankMatchLine, BankMatchTarget
from treasury.models.bills import Bill
from treasury.models.journal import JournalEntry, JournalLine
from treasury.models.periods import Period, PeriodChange
from treasury.models.snapshots import AccountDay, SealedDay

__all__ = [
    "Account",
    "AccountDay",
    "BankAccount",
    "BankLine",
    "BankLineVersion",
    "BankMatch",
    "BankMatchLine",
    "BankMatchTarget",
    "BankReading",
    "BankRowAside",
    "Bill",
    "JournalEntry",
    "JournalLine",
    "Period",
    "PeriodChange",
    "SealedDay",
]
