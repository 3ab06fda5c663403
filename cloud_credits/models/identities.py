"""Names under habitat.eth: who has or had which, and whether the chain knows it."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat

from habitat.members.models import Member


class EnsRegistration(models.Model):
    """One name for one member. A revoked name is never issued again, so the row stays."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="ens_registrations", editable=False)
    subname = models.CharField(max_length=63, unique=True, editable=False)
    full_name = models.GeneratedField(
        expression=Concat(F("subname"), Value(".habitat.eth")),
        output_field=models.CharField(max_length=80),
        db_persist=True,
    )
    ethereum_address = models.CharField(max_length=42, unique=True, editable=False)
    text_records = models.JSONField(default=dict, blank=True)
    registered_onchain = models.BooleanField(default=False, editable=False)
    onchain_tx_hash = models.CharField(max_length=66, blank=True, editable=False)
    registered_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    revoked_by = models.CharField(max_length=40, blank=True, editable=False)
    revoke_reason = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="registration_subname_form",
                condition=Q(subname__regex=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$") & ~Q(subname__startswith="xn--"),
                violation_error_message="A name has 1 to 63 of a–z, 0–9 and hyphens, with no hyphen at either end.",
            ),
            models.CheckConstraint(
                name="registration_address_form", condition=Q(ethereum_address__regex=r"^0x[0-9a-fA-F]{40}$")
            ),
            models.UniqueConstraint(
                name="registration_one_unrevoked_a_member", fields=["member"], condition=Q(revoked_at__isnull=True)
            ),
            models.CheckConstraint(name="registration_no_email_published", condition=~Q(text_records__has_key="email")),
        ]

    def __str__(self) -> str:
        return f"{self.subname}.habitat.eth"
