"""The chart of accounts."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from treasury.policies.chart import CODE_FORM, AccountKind, Ledger, Side


class Account(models.Model):
    """One account. Only `name` and `is_active` ever change; its code, kind, side and ledger are for ever."""

    code = models.CharField(max_length=29, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in AccountKind])
    normal_side = models.CharField(max_length=1, choices=[(side.value, side.name.lower()) for side in Side])
    ledger = models.CharField(
        max_length=8, choices=[(ledger.value, ledger.value) for ledger in Ledger], default=Ledger.BOOK.value
    )
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="sub_accounts")
    is_postable = models.BooleanField("takes lines", default=True)
    is_active = models.BooleanField("in use", default=True)

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.CheckConstraint(name="account_code_form", condition=Q(code__regex=CODE_FORM)),
            models.CheckConstraint(
                name="account_kind_known", condition=Q(kind__in=[kind.value for kind in AccountKind])
            ),
            models.CheckConstraint(
                name="account_side_known", condition=Q(normal_side__in=[side.value for side in Side])
            ),
            models.CheckConstraint(
                name="account_ledger_known", condition=Q(ledger__in=[ledger.value for ledger in Ledger])
            ),
        ]
        permissions: ClassVar = [
            ("open_account", "Can open a sub-account"),
            ("retire_account", "Can retire an account"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"
