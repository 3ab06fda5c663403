"""What exists on this floor."""

from treasury.models.accounts import Account
from treasury.models.journal import JournalEntry, JournalLine
from treasury.models.periods import Period, PeriodChange
from treasury.models.snapshots import AccountDay, SealedDay

__all__ = ["Account", "AccountDay", "JournalEntry", "JournalLine", "Period", "PeriodChange", "SealedDay"]
