"""What members set for their own spending, and where the running month stands against it."""

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q

from cloud_credits.models.balances import CREDIT
from habitat.members.models import Member

if TYPE_CHECKING:
    from habitat.members.models import User


class SpendCapQuerySet(models.QuerySet["SpendCap"]):
    def visible_to(self, user: "User | AnonymousUser") -> "SpendCapQuerySet":
        """A member's own; all of them for who may view spend caps."""
        if user.has_perm("cloud_credits.view_spendcap"):
            return self
        return self.filter(member__in=Member.objects.held_by(user))


class SpendCap(models.Model):
    """A member's cap on metered usage a UTC month. `month` and `spent` move under the balance lock and nowhere else.

    A month counts what was booked in it. Usage older than 35 days is let in by two persons and counts in none.
    """

    member = models.OneToOneField(Member, on_delete=models.PROTECT, primary_key=True, related_name="spend_cap")
    monthly_cap = models.DecimalField("cap a month, CLOUD", **CREDIT, null=True)
    month = models.DateField("month counted")
    spent = models.DecimalField("spent in it, CLOUD", **CREDIT, default=Decimal(0))
    # The month in which the member was told that the cap is reached: once a month is enough.
    told_for = models.DateField(null=True)
    set_at = models.DateTimeField()

    objects = SpendCapQuerySet.as_manager()

    class Meta:
        verbose_name = "spend cap"
        constraints: ClassVar = [
            models.CheckConstraint(
                name="spend_cap_positive",
                condition=Q(monthly_cap__isnull=True) | Q(monthly_cap__gt=0),
                violation_error_message="A cap is more than zero; leave it empty for none.",
            ),
            models.CheckConstraint(name="spend_cap_spent_not_negative", condition=Q(spent__gte=0)),
            models.CheckConstraint(name="spend_cap_month_first_day", condition=Q(month__day=1)),
        ]

    def __str__(self) -> str:
        return f"Spend cap of member {self.member_id}"


class LowBalanceWarning(models.Model):
    """When a member wants to be told that they have little left. `is_below` since the last time it was looked at.

    Apart from the cap, so that looking at a balance never holds up a charge.
    """

    member = models.OneToOneField(Member, on_delete=models.PROTECT, primary_key=True, related_name="low_balance")
    threshold = models.DecimalField("tell below, CLOUD", **CREDIT, null=True)
    is_below = models.BooleanField(default=False)
    set_at = models.DateTimeField()

    class Meta:
        verbose_name = "low-balance warning"
        constraints: ClassVar = [
            models.CheckConstraint(
                name="low_balance_positive",
                condition=Q(threshold__isnull=True) | Q(threshold__gt=0),
                violation_error_message="A threshold is more than zero; leave it empty for none.",
            ),
            models.CheckConstraint(
                name="low_balance_below_something",
                condition=Q(is_below=False) | Q(threshold__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"Low-balance warning of member {self.member_id}"
