"""Row locks of this floor."""

from django.db.models.functions import Now

from habitat.workflows.models import Execution, Job, Step
from habitat.workflows.policies.states import OPEN, JobState


def job(job_id: int) -> Job:
    """The job, its row locked. Raises Job.DoesNotExist."""
    return Job.objects.select_for_update(no_key=True).get(pk=job_id)


def held_job(job_id: int, fence: int) -> Job | None:
    """The job if whoever took it under `fence` still holds it, locked; None when it moved on."""
    held = Job.objects.select_for_update(no_key=True)
    return held.filter(pk=job_id, fence=fence, state=JobState.RUNNING.value).first()


def execution(execution_id: int) -> Execution:
    """The execution, its row locked. Raises Execution.DoesNotExist."""
    return Execution.objects.select_for_update(no_key=True).get(pk=execution_id)


def execution_of(saga: str, key: str) -> Execution | None:
    """The execution of `saga` with `key`, locked; None when it was never started."""
    return Execution.objects.select_for_update(no_key=True).filter(saga=saga, key=key).first()


def due_execution(execution_id: int) -> Execution | None:
    """The execution if it is due and in nobody's hands, locked; None otherwise, without waiting for whoever has it."""
    rows = Execution.objects.select_for_update(no_key=True, skip_locked=True)
    return rows.filter(pk=execution_id, state__in=[state.value for state in OPEN], due_at__lte=Now()).first()


def held_execution(execution_id: int, fence: int) -> Execution | None:
    """The execution if whoever took it under `fence` still holds it, locked; None when it moved on."""
    held = Execution.objects.select_for_update(no_key=True)
    return held.filter(
        pk=execution_id, fence=fence, state__in=[state.value for state in OPEN], lease_until__isnull=False
    ).first()


def steps(execution_id: int) -> list[Step]:
    """Every step row of an execution whose own row is locked, by id. The execution's lock comes first."""
    return list(Step.objects.select_for_update(no_key=True).filter(execution_id=execution_id).order_by("id"))
