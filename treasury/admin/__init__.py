"""This floor in the back office."""

from treasury.admin import accounts, bank, journal, payments, periods, reconciliation, stripe, third_party

__all__ = ["accounts", "bank", "journal", "payments", "periods", "reconciliation", "stripe", "third_party"]
