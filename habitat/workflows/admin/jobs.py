"""The job clock in the back office: what ran, what failed, and running it again with a reason."""

from typing import Any

from django.contrib import admin

from habitat.faces.admin import HouseAdmin, Verb
from habitat.members.policies.actors import Actor
from habitat.workflows.actions import jobs
from habitat.workflows.models import Job
from habitat.workflows.policies.states import JobState


def run_again(job: Job, *, acting: Actor, key: str, reason: str) -> None:
    jobs.run_again(job=job, reason=reason, acting=acting)


def is_over(job: Any) -> bool:
    return job.state in (JobState.FAILED.value, JobState.DONE.value)


@admin.register(Job)
class JobAdmin(HouseAdmin):
    list_display = ("name", "due_at", "state", "attempts", "finished_at", "error")
    list_filter = ("state", "name")
    ordering = ("-due_at", "name")
    verbs = (
        Verb(
            name="run-again",
            label="Run again",
            permission=jobs.RUN,
            run=run_again,
            available=is_over,
            done="The job is due again.",
        ),
    )
