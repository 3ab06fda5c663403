"""The journal: entries and their lines, posted together and never changed."""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Func, Q

from habitat.faces.fields import CurrentTransaction, TransactionIdField
from treasury.models.accounts import Account
from treasury.models.periods import Period
from treasury.policies.chart import Ledger, Side


class ClockTime(Func):
    """`clock_timestamp()`: the moment of writing, not of the transaction's start."""

    function = "clock_timestamp"
    template = "%(function)s()"
    output_field = models.DateTimeField()


class JournalEntry(models.Model):
    """A fact in the books. Its lines came in the statement that made it; a correction is a new entry."""

    ledger = models.CharField(max_length=8, choices=[(ledger.value, ledger.value) for ledger in Ledger])
    occurred_at = models.DateTimeField(help_text="When the fact happened.")
    effective_on = models.DateField(help_text="The day it counts in the books.")
    posted_at = models.DateTimeField(db_default=ClockTime(), help_text="When it was written down.")
    period = models.ForeignKey(Period, on_delete=models.PROTECT, related_name="entries", db_index=False)
    source_kind = models.CharField(max_length=32)
    source_ref = models.CharField(max_length=200)
    description = models.CharField(max_length=500)
    idempotency_key = models.CharField(max_length=200, unique=True)
    content_digest = models.BinaryField(max_length=32)
    reverses = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversals", db_index=False
    )
    posted_by = models.CharField(max_length=64)
    # The sealer reads only rows below pg_snapshot_xmin; the guards know by it that an entry is of this transaction.
    transaction = TransactionIdField(db_default=CurrentTransaction(), editable=False)

    # True on what `post` returns when the key had been used with the same content before.
    replayed = False

    class Meta:
        verbose_name_plural = "journal entries"
        indexes: ClassVar = [
            models.Index(name="entry_effective", fields=["effective_on", "id"]),
            models.Index(name="entry_transaction", fields=["transaction"]),
            BrinIndex(name="entry_posted", fields=["posted_at"], autosummarize=True),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="entry_reversed_once",
                fields=["reverses"],
                condition=Q(reverses__isnull=False),
                violation_error_message="An entry is reversed once.",
            ),
            models.CheckConstraint(
                name="entry_ledger_known", condition=Q(ledger__in=[ledger.value for ledger in Ledger])
            ),
            models.CheckConstraint(
                name="entry_names_its_source",
                condition=Q(source_kind__regex=r"\S", source_ref__regex=r"\S", posted_by__regex=r"\S"),
            ),
            models.CheckConstraint(name="entry_has_key", condition=~Q(idempotency_key="")),
            models.CheckConstraint(
                name="entry_reverses_another", condition=Q(reverses__isnull=True) | Q(reverses__lt=F("id"))
            ),
        ]
        permissions: ClassVar = [
            ("reverse_entry", "Can reverse an entry"),
            ("adjust_books", "Can propose an adjusting entry"),
            ("approve_adjustment", "Can approve another's adjusting entry"),
            ("view_reports", "Can read the financial reports"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.description}"


class JournalLine(models.Model):
    """A positive amount of USD, exact to eight decimals, on one side of one account."""

    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="lines", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="lines", db_index=False)
    side = models.CharField(max_length=1, choices=[(side.value, side.name.lower()) for side in Side])
    amount = models.DecimalField(max_digits=20, decimal_places=8)
    memo = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(name="line_entry", fields=["entry"], include=["account", "side", "amount"]),
            models.Index(name="line_account", fields=["account", "entry"], include=["side", "amount"]),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(name="line_side_known", condition=Q(side__in=[side.value for side in Side])),
            models.CheckConstraint(
                name="line_amount_positive",
                condition=Q(amount__gt=0),
                violation_error_message="The amount of a line is more than zero.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.amount}"
