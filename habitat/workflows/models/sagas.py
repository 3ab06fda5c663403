"""Sagas as they run: an execution, and a row for each step in each direction it went."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import FSMField, transition

from habitat.workflows.policies.sagas import LONGEST_STEP, Direction
from habitat.workflows.policies.states import ENDED, OPEN, ExecutionState, Heading, StepState

if TYPE_CHECKING:
    from habitat.members.models import User

S, T = ExecutionState, StepState


def _choices(states: type[ExecutionState] | type[StepState] | type[Heading] | type[Direction]) -> list[tuple[str, str]]:
    return [(state.value, state.value) for state in states]


class ExecutionQuerySet(models.QuerySet["Execution"]):
    def visible_to(self, user: "User | AnonymousUser") -> "ExecutionQuerySet":
        """The back office's: whoever may view executions."""
        return self if user.has_perm("workflows.view_execution") else self.none()


class Execution(models.Model):
    """One run of a saga. `due_at` says when a worker may take it next; `fence` counts takings.

    `signals` keeps what came, early signals included; `heading` says whether it goes forward or back; `acting` is the
    label of who started it; `decisions` are what people did to it: at, by, name, verb, reason.
    """

    saga = models.CharField(max_length=LONGEST_STEP)
    version = models.PositiveIntegerField()
    key = models.CharField(max_length=120)
    input = models.JSONField(encoder=DjangoJSONEncoder)
    state = FSMField(
        db_default=S.RUNNING.value, default=S.RUNNING.value, choices=_choices(ExecutionState), protected=True
    )
    heading = models.CharField(
        max_length=10, db_default=Heading.FORWARD.value, default=Heading.FORWARD.value, choices=_choices(Heading)
    )
    waiting_for = models.CharField(max_length=60, db_default="", default="", blank=True)
    signals = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    acting = models.CharField(max_length=60)
    decisions = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    error = models.CharField(max_length=500, db_default="", default="", blank=True)
    due_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(db_default=0, default=0)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("retry_execution", "Can try sagas again"),
            ("signal_execution", "Can signal sagas"),
            ("compensate_execution", "Can send sagas back"),
            ("cancel_execution", "Can cancel sagas"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["saga", "key"],
                name="execution_once",
                violation_error_message="This saga already runs, or ran, under this key.",
            ),
            models.CheckConstraint(
                name="execution_state_known",
                condition=Q(state__in=[state.value for state in S]) & Q(heading__in=[way.value for way in Heading]),
                violation_error_message="This is no state of a saga.",
            ),
            models.CheckConstraint(
                name="execution_leased_while_open",
                condition=Q(lease_until__isnull=True) | Q(state__in=[state.value for state in OPEN]),
                violation_error_message="Only a saga that goes on is in somebody's hands.",
            ),
            models.CheckConstraint(
                name="execution_waits_for_something",
                condition=Q(state=S.WAITING.value) & ~Q(waiting_for="") | ~Q(state=S.WAITING.value) & Q(waiting_for=""),
                violation_error_message="A saga that waits says for which signal, and no other does.",
            ),
            models.CheckConstraint(
                name="execution_finished_when_ended",
                condition=Q(state__in=[state.value for state in ENDED], finished_at__isnull=False)
                | (~Q(state__in=[state.value for state in ENDED]) & Q(finished_at__isnull=True)),
                violation_error_message="A saga that ended says when, and no other does.",
            ),
            models.CheckConstraint(
                name="execution_goes_back_when_compensating",
                condition=~Q(state__in=[S.COMPENSATING.value, S.COMPENSATED.value]) | Q(heading=Heading.BACKWARD.value),
                violation_error_message="A saga that compensates goes back.",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], condition=Q(state__in=[s.value for s in OPEN]), name="execution_open")
        ]

    def __str__(self) -> str:
        return f"{self.saga} {self.key}"

    @transition(field=state, source=S.RUNNING.value, target=S.WAITING.value)
    def wait(self) -> None:
        """The next step needs a signal that has not come."""

    @transition(field=state, source=S.WAITING.value, target=S.RUNNING.value)
    def go_on(self) -> None:
        """The signal came, or a person sends it back."""

    @transition(field=state, source=[S.RUNNING.value, S.STUCK.value], target=S.COMPENSATING.value)
    def turn_back(self) -> None:
        """What was done is undone, last first."""

    @transition(field=state, source=S.RUNNING.value, target=S.COMPLETED.value)
    def complete(self) -> None:
        """Every step is recorded."""

    @transition(field=state, source=S.COMPENSATING.value, target=S.COMPENSATED.value)
    def finish_compensating(self) -> None:
        """Everything that was done is undone."""

    @transition(field=state, source=[S.RUNNING.value, S.COMPENSATING.value], target=S.STUCK.value)
    def get_stuck(self) -> None:
        """A person must look."""

    @transition(field=state, source=S.STUCK.value, target=S.RUNNING.value)
    def resume(self) -> None:
        """A person lets it try again."""

    @transition(field=state, source=[S.RUNNING.value, S.WAITING.value, S.STUCK.value], target=S.CANCELLED.value)
    def cancel(self) -> None:
        """A person calls it off before anything was done."""


class Step(models.Model):
    """One step of an execution in one direction: how often it was tried, under which key, and what came of it.

    `input` is what it was told when it began. A refused step with an `output` had its effect outside before its
    record was refused.
    """

    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="steps")
    name = models.CharField(max_length=LONGEST_STEP)
    direction = models.CharField(max_length=10, choices=_choices(Direction))
    state = FSMField(choices=_choices(StepState), protected=True)
    attempts = models.PositiveIntegerField(db_default=0, default=0)
    round = models.PositiveSmallIntegerField(db_default=1, default=1)
    key = models.CharField(max_length=255)
    input = models.JSONField(encoder=DjangoJSONEncoder)
    output = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    error = models.CharField(max_length=500, db_default="", default="", blank=True)
    first_called_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["execution", "name", "direction"],
                name="step_once_a_direction",
                violation_error_message="This step was begun in this direction already.",
            ),
            models.CheckConstraint(
                name="step_state_known",
                condition=Q(state__in=[state.value for state in T])
                & Q(direction__in=[direction.value for direction in Direction]),
                violation_error_message="This is no state of a step.",
            ),
            models.CheckConstraint(
                name="step_recorded_whole",
                condition=Q(state=T.RECORDED.value, recorded_at__isnull=False, output__isnull=False)
                | (~Q(state=T.RECORDED.value) & Q(recorded_at__isnull=True)),
                violation_error_message="A recorded step has its output and its time, and no other has the time.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.direction}"

    @transition(field=state, source=[T.CALLING.value, T.RECORDING.value], target=T.RECORDED.value)
    def settle(self) -> None:
        """Its outcome is written down, for ever."""

    @transition(field=state, source=[T.CALLING.value, T.RECORDING.value], target=T.REFUSED.value)
    def refuse(self) -> None:
        """Refused for good."""

    @transition(field=state, source=T.REFUSED.value, target=T.CALLING.value)
    def call_again(self) -> None:
        """A person lets it ask again."""

    @transition(field=state, source=T.REFUSED.value, target=T.RECORDING.value)
    def record_again(self) -> None:
        """A person lets it write again."""
