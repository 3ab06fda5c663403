"""Accounting periods and the record of who opened and closed them."""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now
from django_fsm import FSMField, transition

from treasury.policies.periods import FIRST, PeriodState


class DateSpan(Func):
    """`daterange(start, end, '[)')`."""

    function = "daterange"
    output_field = DateRangeField()


class Period(models.Model):
    """The half-open range of days `[start, end)` in which entries count, and whether it still takes them."""

    name = models.CharField(max_length=32, unique=True)
    start = models.DateField()
    end = models.DateField(help_text="The first day that no longer belongs to the period.")
    state = FSMField(default=FIRST.value, choices=[(state.value, state.value) for state in PeriodState], protected=True)

    class Meta:
        ordering: ClassVar = ["start"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="period_starts_before_it_ends",
                condition=Q(end__gt=F("start")),
                violation_error_message="A period starts before it ends.",
            ),
            models.CheckConstraint(
                name="period_state_known", condition=Q(state__in=[state.value for state in PeriodState])
            ),
            ExclusionConstraint(
                name="period_no_overlap",
                expressions=[(DateSpan("start", "end", Value("[)")), RangeOperators.OVERLAPS)],
                violation_error_message="Periods do not overlap.",
            ),
        ]
        permissions: ClassVar = [
            ("open_period", "Can open the next period"),
            ("close_period", "Can begin, call off and finish a close"),
            ("lock_period", "Can lock a closed period"),
            ("reopen_period", "Can reopen a closed period"),
        ]

    def __str__(self) -> str:
        return self.name

    @transition(field=state, source=PeriodState.OPEN.value, target=PeriodState.CLOSING.value)
    def begin_close(self) -> None:
        """From here only the close and approved adjustments post."""

    @transition(field=state, source=PeriodState.CLOSING.value, target=PeriodState.OPEN.value)
    def call_off_close(self) -> None:
        """The close is given up before it was finished."""

    @transition(field=state, source=PeriodState.CLOSING.value, target=PeriodState.CLOSED.value)
    def finish_close(self) -> None:
        """Nothing is dated here any more."""

    @transition(field=state, source=PeriodState.CLOSED.value, target=PeriodState.LOCKED.value)
    def lock(self) -> None:
        """For ever."""

    @transition(field=state, source=PeriodState.CLOSED.value, target=PeriodState.OPEN.value)
    def reopen(self) -> None:
        """A closed period takes entries again."""


class PeriodChange(models.Model):
    """One step in a period's life, with who and why. Never changed."""

    period = models.ForeignKey(Period, on_delete=models.PROTECT, related_name="changes")
    verb = models.CharField(max_length=16)
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    reason = models.TextField()
    actor = models.CharField(max_length=64)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.period}: {self.verb}"
