"""The bank as it reports itself: accounts, readings, lines, and each way a line was ever reported."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from treasury.policies.bank import BANK_CODES, LineStatus

# USD, exact to eight decimals, as everywhere in the books.
USD: dict[str, int] = {"max_digits": 20, "decimal_places": 8}


class BankAccount(models.Model):
    """An account at the bank. `ledger_code` is the account of the chart it stands for."""

    account_id = models.CharField(max_length=64, unique=True, help_text="The bank's own id.")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=32)
    ledger_code = models.CharField("account of the chart", max_length=4, choices=[(code, code) for code in BANK_CODES])
    is_backing = models.BooleanField("counts as backing", default=False)
    opened_at = models.DateTimeField(help_text="When the bank opened it.")
    # Up to which moment every line was read, without a gap.
    read_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="bankaccount_code_known", condition=Q(ledger_code__in=BANK_CODES)),
        ]
        permissions: ClassVar = [
            ("read_bank", "Can read the bank on demand"),
            ("assign_bankaccount", "Can say what a bank account stands for"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.ledger_code})"


class BankReading(models.Model):
    """What an account held when the bank was asked; USD. Never changed."""

    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="readings", db_index=False)
    available = models.DecimalField(**USD)
    current = models.DecimalField(**USD)
    read_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-read_at"]
        get_latest_by = "read_at"
        constraints: ClassVar = [models.UniqueConstraint(name="bankreading_once", fields=["account", "read_at"])]

    def __str__(self) -> str:
        return f"{self.account_id} {self.available}"


class BankLine(models.Model):
    """A transaction at the bank. What the bank says of it stands in its versions; `current` is the newest."""

    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="lines", db_index=False)
    line_id = models.CharField(max_length=64, help_text="The bank's own id.")
    opened_at = models.DateTimeField(help_text="When the bank first recorded it.")
    current = models.OneToOneField(
        "BankLineVersion", on_delete=models.PROTECT, related_name="+", null=True, blank=True, editable=False
    )
    first_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="bankline_once",
                fields=["account", "line_id"],
                violation_error_message="The bank has one line of that id.",
            ),
        ]
        indexes: ClassVar = [models.Index(name="bankline_opened", fields=["account", "opened_at"])]

    def __str__(self) -> str:
        return f"Line {self.pk}" if self.current is None else f"Line {self.pk}: {self.current}"


class BankLineVersion(models.Model):
    """One way a line was reported, or that it was reported no more. Never changed."""

    line = models.ForeignKey(BankLine, on_delete=models.PROTECT, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    amount = models.DecimalField(**USD, help_text="USD; what comes in is positive.")
    status = models.CharField(max_length=16, choices=[(status.value, status.value) for status in LineStatus])
    kind = models.CharField(max_length=64, blank=True)
    posted_at = models.DateTimeField(null=True, blank=True)
    counterparty = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=500, blank=True)
    reference = models.CharField(max_length=500, blank=True, help_text="Memo and note, as the payer or the bank wrote.")
    payload = models.JSONField(help_text="What the bank answered, whole; numbers as text.")
    seen_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["line", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="banklineversion_once", fields=["line", "number"]),
            models.CheckConstraint(name="banklineversion_from_one", condition=Q(number__gte=1)),
            models.CheckConstraint(
                name="banklineversion_status_known", condition=Q(status__in=[status.value for status in LineStatus])
            ),
            models.CheckConstraint(
                name="banklineversion_posted_has_time",
                condition=~Q(status=LineStatus.SENT.value) | Q(posted_at__isnull=False),
                violation_error_message="A posted line has the time it was posted.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} USD {self.status} {self.counterparty}".rstrip()

    @property
    def text(self) -> str:
        """Everything written on it, for whoever looks for a reference."""
        return " ".join(part for part in (self.counterparty, self.description, self.reference) if part)


class BankRowAside(models.Model):
    """A row of the bank's answer that could not be read: kept whole, with the field at fault. Never changed."""

    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="rows_aside", null=True, blank=True, db_index=False
    )
    row_id = models.CharField(max_length=64, blank=True, help_text="The bank's own id, where it could be read.")
    field = models.CharField(max_length=64)
    payload = models.JSONField()
    digest = models.CharField(max_length=64, unique=True)
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "bank row set aside"
        verbose_name_plural = "bank rows set aside"
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.row_id or 'a row'}: {self.field}"
