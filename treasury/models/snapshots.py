"""Sealed days: sums of lines kept for speed, rebuildable at any time, never the truth."""

from typing import ClassVar

from django.db import models

from habitat.faces.fields import TransactionIdField
from treasury.models.accounts import Account


class SealedDay(models.Model):
    """Says that the sums of `day` hold every line posted by transactions below `horizon`, and no other."""

    day = models.DateField(primary_key=True)
    horizon = TransactionIdField()

    class Meta:
        ordering: ClassVar = ["day"]

    def __str__(self) -> str:
        return self.day.isoformat()


class AccountDay(models.Model):
    """One account's debits and credits of one sealed day, in USD."""

    day = models.ForeignKey(SealedDay, on_delete=models.CASCADE, related_name="sums", db_column="day", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="days", db_index=False)
    # Sums of amounts: wider than one amount, as a day may hold many.
    debit = models.DecimalField(max_digits=28, decimal_places=8)
    credit = models.DecimalField(max_digits=28, decimal_places=8)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="account_day_once", fields=["day", "account"]),
        ]
        indexes: ClassVar = [
            models.Index(name="account_day_account", fields=["account", "day"], include=["debit", "credit"]),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.day_id}"
