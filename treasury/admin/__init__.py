"""This floor in the back office."""

from treasury.admin import accounts, journal, periods, reconciliation

__all__ = ["accounts", "journal", "periods", "reconciliation"]
