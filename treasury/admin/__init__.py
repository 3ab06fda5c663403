"""This floor in the back office."""

from treasury.admin import accounts, journal, payments, periods, stripe

__all__ = ["accounts", "journal", "payments", "periods", "stripe"]
