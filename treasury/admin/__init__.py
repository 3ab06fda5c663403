"""This floor in the back office."""

from treasury.admin import accounts, bank, journal, periods

__all__ = ["accounts", "bank", "journal", "periods"]
