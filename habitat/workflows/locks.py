"""Row locks of this floor."""

from habitat.workflows.models import Job
from habitat.workflows.policies.states import JobState


def job(job_id: int) -> Job:
    """The job, its row locked. Raises Job.DoesNotExist."""
    return Job.objects.select_for_update(no_key=True).get(pk=job_id)


def held_job(job_id: int, fence: int) -> Job | None:
    """The job if whoever took it under `fence` still holds it, locked; None when it moved on."""
    held = Job.objects.select_for_update(no_key=True)
    return held.filter(pk=job_id, fence=fence, state=JobState.RUNNING.value).first()
