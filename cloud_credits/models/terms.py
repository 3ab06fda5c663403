"""The terms of service as published, and who accepted which version (domain §10)."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from habitat.members.models import Member


class TermsVersion(models.Model):
    """One published text, never changed: `body` is Markdown, `digest` its SHA-256."""

    version = models.PositiveIntegerField(unique=True)
    title = models.CharField(max_length=200)
    body = models.TextField()
    digest = models.CharField(max_length=64)
    published_at = models.DateTimeField(db_default=Now(), editable=False)
    published_by = models.CharField(max_length=64)
    reason = models.CharField(max_length=500, db_default="", default="")

    class Meta:
        ordering: ClassVar = ["-version"]
        constraints: ClassVar = [
            models.CheckConstraint(name="terms_have_text", condition=models.Q(body__regex=r"\S", title__regex=r"\S")),
            models.CheckConstraint(name="terms_have_reason", condition=models.Q(reason__regex=r"\S")),
        ]
        permissions: ClassVar = [("publish_terms", "Can publish a new version of the terms")]

    def __str__(self) -> str:
        return f"Terms of service, version {self.version}"


class TermsAcceptance(models.Model):
    """A member accepted a version at a moment."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="terms_acceptances")
    terms = models.ForeignKey(TermsVersion, on_delete=models.PROTECT, related_name="acceptances")
    accepted_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [models.UniqueConstraint(name="terms_accepted_once", fields=["member", "terms"])]

    def __str__(self) -> str:
        return f"{self.member} accepted {self.terms}"
