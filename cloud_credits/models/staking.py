"""Credits locked for a time: their amount, their terms, and how they were released."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Cast, Round
from django_fsm import FSMField, transition

from cloud_credits.models.balances import CREDIT
from cloud_credits.models.transactions import CloudTransaction
from cloud_credits.policies.staking import LONGEST_DAYS, SHORTEST_DAYS, PositionState
from habitat.members.models import Member

if TYPE_CHECKING:
    from habitat.members.models import User


class StakingPositionQuerySet(models.QuerySet["StakingPosition"]):
    def visible_to(self, user: "User | AnonymousUser") -> "StakingPositionQuerySet":
        """A member's own; all of them for who may view positions."""
        if user.has_perm("cloud_credits.view_stakingposition"):
            return self
        return self.filter(member__in=Member.objects.held_by(user))

    def active(self) -> "StakingPositionQuerySet":
        return self.filter(state=PositionState.ACTIVE.value)


def _curve() -> Q:
    """Postgres' round() on NUMERIC is half away from zero: half-up, for a positive share."""
    days = Cast(F("days"), models.DecimalField(max_digits=10, decimal_places=0))
    exact = Func(days, template="(%(expressions)s * 10 / 365)")
    return Q(share_percent=Round(exact, precision=2))


def _lasts_its_days() -> Q:
    """Whole days of 86,400 seconds, whatever time zone the session is in: the weight of a stake is counted in them."""
    lasts = Func(
        F("unlock_at"),
        F("staked_at"),
        arg_joiner=" - ",
        template="(EXTRACT(EPOCH FROM (%(expressions)s)) / 86400)",
    )
    return Q(days=lasts)


class StakingPosition(models.Model):
    """A stake. Its terms never change; it ends unstaked at maturity, or slashed on an early exit."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="staking_positions", editable=False)
    amount = models.DecimalField(**CREDIT, editable=False)
    days = models.SmallIntegerField(editable=False)
    share_percent = models.DecimalField(max_digits=5, decimal_places=2, editable=False)
    staked_at = models.DateTimeField(editable=False)
    unlock_at = models.DateTimeField(editable=False)
    state = FSMField(
        default=PositionState.ACTIVE.value,
        choices=[(s.value, s.value) for s in PositionState],
        protected=True,
        editable=False,
    )
    stake_transaction = models.OneToOneField(
        CloudTransaction, on_delete=models.PROTECT, related_name="staked_position", editable=False
    )
    unstake_transaction = models.OneToOneField(
        CloudTransaction, on_delete=models.PROTECT, null=True, related_name="released_position", editable=False
    )
    released_at = models.DateTimeField(null=True, editable=False)

    objects = StakingPositionQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="position_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="position_days_in_range",
                condition=Q(days__gte=SHORTEST_DAYS, days__lte=LONGEST_DAYS),
                violation_error_message="Credits are locked for 30 to 365 days.",
            ),
            models.CheckConstraint(name="position_share_on_curve", condition=_curve()),
            models.CheckConstraint(
                name="position_unlock_after_its_days",
                condition=_lasts_its_days(),
            ),
            models.CheckConstraint(
                name="position_release_whole",
                condition=Q(
                    state=PositionState.ACTIVE.value, unstake_transaction__isnull=True, released_at__isnull=True
                )
                | (
                    Q(unstake_transaction__isnull=False, released_at__isnull=False)
                    & ~Q(state=PositionState.ACTIVE.value)
                ),
            ),
            models.CheckConstraint(
                name="position_unstaked_at_maturity",
                condition=~Q(state=PositionState.UNSTAKED.value) | Q(released_at__gte=F("unlock_at")),
                violation_error_message="This stake is still locked.",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                name="position_active_by_unlock",
                fields=["unlock_at"],
                condition=Q(state=PositionState.ACTIVE.value),
            )
        ]

    def __str__(self) -> str:
        return f"Stake {self.pk} of {self.member}"

    @transition(field=state, source=PositionState.ACTIVE.value, target=PositionState.UNSTAKED.value)
    def release(self) -> None:
        """The lock is over; the credits are liquid again."""
