"""What each member holds: liquid and staked credits, and where the public mirror stands."""

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q

from habitat.members.models import Member
from habitat.money import CLOUD, Money

if TYPE_CHECKING:
    from habitat.members.models import User

# Hot columns are bare NUMERIC(20, 8): the currency is always CLOUD (domain §1 allows this for tables of many
# million rows and the row every movement touches).
CREDIT = {"max_digits": 20, "decimal_places": 8}


class CloudBalanceQuerySet(models.QuerySet["CloudBalance"]):
    def visible_to(self, user: "User | AnonymousUser") -> "CloudBalanceQuerySet":
        """A member's own; all of them for who may view balances."""
        if user.has_perm("cloud_credits.view_cloudbalance"):
            return self
        return self.filter(member__in=Member.objects.held_by(user))


class SyncStatus(models.TextChoices):
    PENDING = "pending"
    SYNCED = "synced"
    DIVERGED = "diverged"
    MANUAL_OVERRIDE = "manual_override"


class CloudBalance(models.Model):
    """One a member. Only a booked transaction moves it: a trigger compares the two."""

    member = models.OneToOneField(Member, on_delete=models.PROTECT, related_name="cloud_balance")
    liquid = models.DecimalField(**CREDIT, default=Decimal(0), editable=False)
    staked = models.DecimalField(**CREDIT, default=Decimal(0), editable=False)
    total = models.GeneratedField(
        expression=F("liquid") + F("staked"), output_field=models.DecimalField(**CREDIT), db_persist=True
    )
    version = models.BigIntegerField("sequence of the last transaction", default=0, editable=False)
    last_transaction = models.ForeignKey(
        "cloud_credits.CloudTransaction",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
    )
    booked_at = models.DateTimeField("time of the last transaction", null=True, editable=False)

    onchain_balance = models.DecimalField(**CREDIT, null=True, editable=False)
    onchain_synced_at = models.DateTimeField(null=True, editable=False)
    onchain_sync_status = models.CharField(
        max_length=16, choices=SyncStatus.choices, default=SyncStatus.PENDING, editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CloudBalanceQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="balance_liquid_not_negative",
                condition=Q(liquid__gte=0),
                violation_error_message="There are not enough credits.",
            ),
            models.CheckConstraint(
                name="balance_staked_not_negative",
                condition=Q(staked__gte=0),
                violation_error_message="There are not enough staked credits.",
            ),
            models.CheckConstraint(
                name="balance_sync_status_known", condition=Q(onchain_sync_status__in=SyncStatus.values)
            ),
        ]

    def __str__(self) -> str:
        return f"Balance of {self.member}"

    @property
    def liquid_money(self) -> Money:
        return Money(self.liquid, CLOUD)

    @property
    def staked_money(self) -> Money:
        return Money(self.staked, CLOUD)

    @property
    def total_money(self) -> Money:
        return Money(self.liquid + self.staked, CLOUD)
