"""What the house counts of its own requests, window by window, and what it charged for them."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.self_metering import STEP

if TYPE_CHECKING:
    from habitat.members.models import User

_PRIMITIVES = [(primitive.value, primitive.value) for primitive in STEP]


class SelfMeterCount(models.Model):
    """An open window's count for a member: whole nanoseconds of CPU, or whole bytes. Gone once the window settles."""

    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, db_index=False, related_name="+")
    primitive = models.CharField(max_length=8, choices=_PRIMITIVES)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    amount = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="self_count_once", fields=["member", "primitive", "window_start"]),
            models.CheckConstraint(name="self_count_positive", condition=Q(amount__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.primitive} {self.window_start}"


class SelfMeterRemainder(models.Model):
    """What a member carries over below 10^-6 of a unit, and all that was ever settled: the proof of the sums."""

    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, db_index=False, related_name="+")
    primitive = models.CharField(max_length=8, choices=_PRIMITIVES)
    amount = models.BigIntegerField(default=0)
    settled = models.DecimalField(max_digits=30, decimal_places=0, default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="self_remainder_once", fields=["member", "primitive"]),
            models.CheckConstraint(
                name="self_remainder_below_step",
                condition=Q(primitive="compute", amount__gte=0, amount__lt=STEP[Primitive.COMPUTE])
                | Q(primitive="transfer", amount__gte=0, amount__lt=STEP[Primitive.TRANSFER]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.primitive} {self.amount}"


class SelfMeterFlush(models.Model):
    """The last batch of counts each process wrote: a batch sent again after a lost answer counts nothing twice."""

    process = models.UUIDField(primary_key=True)
    sequence = models.BigIntegerField()
    flushed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.process} {self.sequence}"


class SelfMeterChargeQuerySet(models.QuerySet["SelfMeterCharge"]):
    def visible_to(self, user: "User | AnonymousUser") -> "SelfMeterChargeQuerySet":
        """A member's own; all of them for who may view charges."""
        if user.has_perm("cloud_credits.view_selfmetercharge"):
            return self
        if not user.is_authenticated:
            return self.none()
        return self.filter(member__user=user)

    def pending(self) -> "SelfMeterChargeQuerySet":
        return self.filter(state="pending")


class SelfMeterCharge(models.Model):
    """A settled window of one member and primitive, on its way through the metering door."""

    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, db_index=False, related_name="+")
    primitive = models.CharField(max_length=8, choices=_PRIMITIVES)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    state = FSMField(default="pending", choices=[("pending", "pending"), ("charged", "charged")], protected=True)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    attempted_at = models.DateTimeField(null=True)
    refusal_code = models.CharField(max_length=60, blank=True, default="")
    refusal = models.TextField(blank=True, default="")
    meter_id = models.BigIntegerField(null=True)
    cost = models.DecimalField("cost, CLOUD", max_digits=20, decimal_places=8, null=True)
    charged_at = models.DateTimeField(null=True)

    objects = SelfMeterChargeQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["window_start", "id"]
        indexes: ClassVar = [
            models.Index(name="self_charge_due", fields=["due_at", "id"], condition=Q(state="pending")),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(name="self_charge_once", fields=["member", "primitive", "window_start"]),
            models.CheckConstraint(name="self_charge_positive", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="self_charge_state_whole",
                condition=Q(state="pending", meter_id__isnull=True, charged_at__isnull=True)
                | Q(state="charged", meter_id__isnull=False, charged_at__isnull=False, cost__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} {self.primitive} of {self.window_start}"

    @transition(field=state, source="pending", target="charged")
    def charge(self) -> None:
        """The metering door took it."""
