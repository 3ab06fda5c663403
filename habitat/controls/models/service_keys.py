"""Keys by which services open doors: the secret itself is stored nowhere."""

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class ServiceKey(models.Model):
    """`prefix` names the key in logs and lists; `secret_hash` is SHA-256 of 256 random bits."""

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=60)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=60, blank=True)
    revoke_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        permissions: ClassVar = [("revoke_servicekey", "Can revoke service keys")]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="servicekey_expires_after_birth",
                condition=Q(expires_at__gt=F("created_at")),
                violation_error_message="A key expires after it was made.",
            ),
            models.CheckConstraint(name="servicekey_hash_form", condition=Q(("secret_hash__regex", r"^[0-9a-f]{64}$"))),
            models.CheckConstraint(name="servicekey_has_scope", condition=Q(scopes__len__gt=0)),
            models.CheckConstraint(
                name="servicekey_revoked_whole",
                condition=Q(revoked_at__isnull=True, revoked_by="") | (Q(revoked_at__isnull=False) & ~Q(revoked_by="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (hbt_{self.prefix}_…)"

    def opens(self, scope: str) -> bool:
        return scope in self.scopes

    def is_live(self, at: datetime) -> bool:
        """True while it is neither revoked nor expired."""
        return self.revoked_at is None and at < self.expires_at
