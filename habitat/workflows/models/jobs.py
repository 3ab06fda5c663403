"""Jobs by the clock: one row for each time each job was due."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import FSMField, transition

from habitat.workflows.policies.states import JobState

if TYPE_CHECKING:
    from habitat.members.models import User

OPEN = (JobState.DUE.value, JobState.RUNNING.value)


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, user: "User | AnonymousUser") -> "JobQuerySet":
        """The back office's: whoever may view jobs."""
        return self if user.has_perm("workflows.view_job") else self.none()


class Job(models.Model):
    """What a job computes as of `due_at`. `take_at` says when a worker may take it next; `fence` counts takings."""

    name = models.CharField(max_length=80)
    due_at = models.DateTimeField()
    state = FSMField(
        db_default=JobState.DUE.value,
        default=JobState.DUE.value,
        choices=[(state.value, state.value) for state in JobState],
        protected=True,
    )
    attempts = models.PositiveSmallIntegerField(db_default=0)
    take_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(db_default=0)
    error = models.CharField(max_length=500, db_default="", blank=True)
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-due_at", "name"]
        permissions: ClassVar = [("run_job", "Can run jobs again")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "due_at"], name="job_once_a_slot"),
            models.CheckConstraint(name="job_state_known", condition=Q(state__in=[s.value for s in JobState])),
            models.CheckConstraint(
                name="job_leased_while_running",
                condition=Q(state=JobState.RUNNING.value, lease_until__isnull=False)
                | (~Q(state=JobState.RUNNING.value) & Q(lease_until__isnull=True)),
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["take_at", "id"], condition=Q(state__in=OPEN), name="job_open")]

    def __str__(self) -> str:
        return f"{self.name} of {self.due_at:%Y-%m-%d %H:%M}Z"

    @transition(field=state, source=JobState.RUNNING.value, target=JobState.DONE.value)
    def finish(self) -> None:
        """It ran."""

    @transition(field=state, source=JobState.RUNNING.value, target=JobState.DUE.value)
    def retry(self) -> None:
        """It failed and is due again later."""

    @transition(field=state, source=JobState.RUNNING.value, target=JobState.FAILED.value)
    def fail(self) -> None:
        """It failed too often: a person must look."""

    @transition(field=state, source=[JobState.FAILED.value, JobState.DONE.value], target=JobState.DUE.value)
    def run_again(self) -> None:
        """A person wants it to run once more."""
