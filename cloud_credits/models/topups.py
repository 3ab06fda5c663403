"""A member's wish that credits are bought by themselves when few are left."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, FSMModelMixin, transition

from cloud_credits.models.balances import CREDIT
from cloud_credits.models.purchases import OwnedQuerySet
from cloud_credits.policies.topups import TopUpState
from habitat.members.models import Member


class TopUpQuerySet(OwnedQuerySet["TopUp"]):
    pass


class TopUp(FSMModelMixin, models.Model):
    """Below `threshold` CLOUD, `amount` CLOUD are bought with a card saved at Stripe, at most `most_a_day` times."""

    member = models.OneToOneField(Member, on_delete=models.PROTECT, primary_key=True, related_name="top_up")
    threshold = models.DecimalField("below, CLOUD", **CREDIT)
    amount = models.DecimalField("buys, CLOUD", **CREDIT)
    method_id = models.CharField("card at Stripe", max_length=120)
    customer_id = models.CharField(max_length=120)
    card = models.CharField(max_length=60)
    most_a_day = models.PositiveSmallIntegerField()
    state = FSMField(
        default=TopUpState.OFF.value, choices=[(state.value, state.value) for state in TopUpState], protected=True
    )
    because = models.CharField("why it stopped", max_length=300, blank=True, default="")
    changed_at = models.DateTimeField()

    objects = TopUpQuerySet.as_manager()

    class Meta:
        verbose_name = "automatic top-up"
        ordering: ClassVar = ["-changed_at"]
        constraints: ClassVar = [
            models.CheckConstraint(name="top_up_state_known", condition=Q(state__in=[s.value for s in TopUpState])),
            models.CheckConstraint(
                name="top_up_positive", condition=Q(threshold__gt=0, amount__gt=0, most_a_day__gt=0)
            ),
            models.CheckConstraint(
                name="top_up_stopped_says_why", condition=~Q(state=TopUpState.STOPPED.value) | ~Q(because="")
            ),
        ]

    def __str__(self) -> str:
        return f"Automatic top-up of member {self.member_id}"

    @transition(field=state, source=[TopUpState.OFF.value, TopUpState.STOPPED.value], target=TopUpState.ON.value)
    def switch_on(self) -> None:
        """Its card is charged when it is due."""

    @transition(field=state, source=[TopUpState.ON.value, TopUpState.STOPPED.value], target=TopUpState.OFF.value)
    def switch_off(self) -> None:
        """Nothing is charged any more."""

    @transition(field=state, source=TopUpState.ON.value, target=TopUpState.STOPPED.value)
    def stop(self) -> None:
        """Something went wrong: nothing is charged until the member switches it on again."""
