"""The mint switch with its two flags, and each computed backing ratio with its terms."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from habitat.faces.fields import CurrentTransaction, TransactionIdField
from treasury.models.journal import ClockTime
from treasury.models.payments import DOLLARS
from treasury.policies.backing import Band


class MintSwitch(models.Model):
    """One row: credits are minted only while both flags are on. The checks move one, people the other."""

    automatic = models.BooleanField(db_default=True, default=True)
    manual = models.BooleanField(db_default=True, default=True)
    changed_at = models.DateTimeField(db_default=ClockTime())

    class Meta:
        verbose_name_plural = "mint switch"
        constraints: ClassVar = [models.CheckConstraint(name="mintswitch_one_row", condition=Q(id=1))]
        permissions: ClassVar = [
            ("switch_minting", "Can stop and resume minting by hand"),
            ("check_backing", "Can have the backing checked now"),
        ]

    def __str__(self) -> str:
        return "Minting is on" if self.automatic and self.manual else "Minting is suspended"


class MintSwitchChange(models.Model):
    """One flag set by somebody, for a reason. Never changed."""

    flag = models.CharField(max_length=9, choices=[("automatic", "automatic"), ("manual", "manual")])
    on = models.BooleanField()
    reason = models.CharField(max_length=500)
    acting = models.CharField(max_length=64)
    changed_at = models.DateTimeField(db_default=ClockTime(), editable=False)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="mintswitchchange_has_reason", condition=Q(reason__regex=r"\S")),
            models.CheckConstraint(name="mintswitchchange_flag_known", condition=Q(flag__in=["automatic", "manual"])),
        ]

    def __str__(self) -> str:
        return f"{self.flag} {'on' if self.on else 'off'}"


class BackingCheck(models.Model):
    """One computed ratio, never changed: every term of it with its source and time. In USD.

    `ratio` is a percentage and null when nothing is required; `settled_ratio` leaves out what is still pending.
    """

    as_of = models.DateTimeField()
    checked_at = models.DateTimeField(db_default=ClockTime(), editable=False)
    trigger = models.CharField(max_length=40)
    outstanding = models.DecimalField(**DOLLARS)
    in_flight = models.DecimalField(**DOLLARS)
    required = models.DecimalField(**DOLLARS)
    held = models.DecimalField(**DOLLARS)
    settled_held = models.DecimalField(**DOLLARS)
    ratio = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    settled_ratio = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    band = models.CharField(max_length=9, choices=[(b.value, b.value) for b in Band])
    terms = models.JSONField()
    # The books this was computed from: the entries that this snapshot sees and those its own transaction had written
    # up to that one; of the days before `books_until`, or of all.
    snapshot = models.TextField(db_default="", default="", editable=False)
    transaction = TransactionIdField(db_default=CurrentTransaction(), editable=False)
    last_entry = models.BigIntegerField(db_default=0, default=0, editable=False)
    books_until = models.DateField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="backingcheck_band_known", condition=Q(band__in=[b.value for b in Band])),
            models.CheckConstraint(
                name="backingcheck_required_adds_up",
                condition=Q(required=models.F("outstanding") + models.F("in_flight")),
            ),
        ]
        indexes: ClassVar = [models.Index(name="backingcheck_as_of", fields=["-as_of", "-id"])]

    def __str__(self) -> str:
        return f"Backing as of {self.as_of:%Y-%m-%d %H:%M}Z: {self.band}"


class BackingRequest(models.Model):
    """Something moved that the ratio depends on. However many wait, one check answers them all and takes them away."""

    trigger = models.CharField(max_length=40)
    asked_at = models.DateTimeField(db_default=ClockTime(), editable=False)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"Check after {self.trigger}"
