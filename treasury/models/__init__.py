"""What exists on this floor."""

from treasury.models.accounts import Account
from treasury.models.backing import BackingCheck, BackingRequest, MintSwitch, MintSwitchChange
from treasury.models.bank import BankAccount, BankLine, BankLineVersion, BankReading, BankRowAside
from treasury.models.bank_matches import BankMatch, BankMatchLine, BankMatchTarget
from treasury.models.bills import Bill
from treasury.models.journal import JournalEntry, JournalLine
from treasury.models.payments import Dispute, Payment, Refund
from treasury.models.periods import Period, PeriodChange
from treasury.models.reconciliation import ExceptionNote, ReconciliationException, ReconciliationRun
from treasury.models.snapshots import AccountDay, SealedDay
from treasury.models.stripe import Payout, StripeEvent, StripeMovement, StripeReading

__all__ = [
    "Account", "AccountDay", "BackingCheck", "BackingRequest", "BankAccount", "BankLine", "BankLineVersion",
    "BankMatch", "BankMatchLine", "BankMatchTarget", "BankReading", "BankRowAside", "Bill", "Dispute",
    "ExceptionNote", "JournalEntry", "JournalLine", "MintSwitch", "MintSwitchChange", "Payment", "Payout",
    "Period", "PeriodChange", "ReconciliationException", "ReconciliationRun", "Refund", "SealedDay", "StripeEvent",
    "StripeMovement", "StripeReading",
]  # fmt: skip
