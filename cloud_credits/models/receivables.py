"""What a member owes the cooperative because the credits to take back were already spent (account 1310)."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q

from cloud_credits.models.balances import CREDIT
from cloud_credits.models.transactions import CloudTransaction
from habitat.members.models import Member
from treasury.models import JournalEntry, Payment

if TYPE_CHECKING:
    from habitat.members.models import User


class ReceivableQuerySet(models.QuerySet["Receivable"]):
    def visible_to(self, user: "User | AnonymousUser") -> "ReceivableQuerySet":
        """A member's own; all of them for who may view receivables."""
        if user.has_perm("cloud_credits.view_receivable"):
            return self
        return self.filter(member__in=Member.objects.held_by(user))

    def owed_by(self, member_id: int) -> "ReceivableQuerySet":
        """Not fully settled yet, oldest first."""
        return self.filter(member_id=member_id, settled__lt=F("amount")).order_by("id")


class Receivable(models.Model):
    """An amount in CLOUD that could not be taken back. `settled` only grows, up to `amount`."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="receivables", editable=False)
    amount = models.DecimalField(**CREDIT, editable=False)
    settled = models.DecimalField(**CREDIT, default=0, editable=False)
    origin = models.ForeignKey(CloudTransaction, on_delete=models.PROTECT, related_name="receivables", editable=False)
    journal_entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    objects = ReceivableQuerySet.as_manager()

    class Meta:
        permissions: ClassVar = [
            ("settle_receivable", "Can settle debts from members' liquid credits, and record what paid them"),
            ("write_off_receivable", "Can ask and decide that a debt is written off"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(name="receivable_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="receivable_settled_within", condition=Q(settled__gte=0, settled__lte=F("amount"))
            ),
        ]

    def __str__(self) -> str:
        return f"Receivable {self.pk} of {self.member}"


class ReceivablePayment(models.Model):
    """A wire that paid a debt, or a part of it (2240 / 1310): `amount` in CLOUD."""

    receivable = models.ForeignKey(Receivable, on_delete=models.PROTECT, related_name="payments")
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="debt_paid")
    amount = models.DecimalField(**CREDIT)
    reason = models.CharField(max_length=500)
    acting = models.CharField(max_length=64)
    journal_entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, related_name="receivable_payment")
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="receivablepayment_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="receivablepayment_has_reason", condition=Q(reason__regex=r"\S")),
        ]

    def __str__(self) -> str:
        return f"Payment of {self.receivable}"


class ReceivableWriteOff(models.Model):
    """A debt, or its rest, that the cooperative gives up (5930 / 1310): `amount` in CLOUD, for a reason."""

    receivable = models.ForeignKey(Receivable, on_delete=models.PROTECT, related_name="write_offs")
    amount = models.DecimalField(**CREDIT)
    reason = models.CharField(max_length=500)
    acting = models.CharField(max_length=64)
    journal_entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, related_name="receivable_write_off")
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="writeoff_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="writeoff_has_reason", condition=Q(reason__regex=r"\S")),
        ]

    def __str__(self) -> str:
        return f"Write-off of {self.receivable}"
