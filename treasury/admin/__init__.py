"""This floor in the back office."""

from treasury.admin import accounts, backing, bank, journal, payments, periods, reconciliation, stripe, third_party

__all__ = ["accounts", "backing", "bank", "journal", "payments", "periods", "reconciliation", "stripe", "third_party"]
