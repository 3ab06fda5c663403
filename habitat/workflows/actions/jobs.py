"""The job clock's verbs: insert what is due, take a job under a lease and a fence, finish it, run it again."""

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models.functions import Now

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.controls.reports.settings import value
from habitat.events.actions.wakes import wake_after_commit
from habitat.events.policies.states import backoff, error_text
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.workflows import locks
from habitat.workflows.errors import JobNotFinished
from habitat.workflows.models import Job
from habitat.workflows.policies.jobs import definitions, due_times
from habitat.workflows.policies.states import JobState

logger = logging.getLogger(__name__)

# A job may run a quarter of an hour; its worker is stopped before the lease ends.
RUN_SECONDS: Final = 900
LEASE: Final = timedelta(seconds=RUN_SECONDS + 100)
ALERT: Final = "saga_stuck"
RUN: Final = "workflows.run_job"


@dataclass(frozen=True, slots=True)
class JobClaim:
    """A job in somebody's hands: only the newest `fence` of it may finish it."""

    job_id: int
    name: str
    due_at: datetime
    fence: int


@transaction.atomic
def insert_due(*, now: datetime, acting: Actor) -> int:
    """Inserts every slot that fell due since the last one of its job; how many were new. Two clocks do no harm."""
    last = _newest([job.name for job in definitions()])
    rows = [(job.name, due) for job in definitions() for due in due_times(job, last=last.get(job.name), now=now)]
    if not rows:
        return 0
    names, times = zip(*rows, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workflows_job (name, due_at) SELECT * FROM unnest(%s::varchar[], %s::timestamptz[])"
            " ON CONFLICT (name, due_at) DO NOTHING",
            [list(names), list(times)],
        )
        inserted = int(cursor.rowcount)
    if inserted:
        wake_after_commit("jobs")
    return inserted


def _newest(names: list[str]) -> dict[str, datetime]:
    """The newest due time of each job: one step into the index for each, however many rows there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, (SELECT max(due_at) FROM workflows_job AS job WHERE job.name = names.name)"
            " FROM unnest(%s::varchar[]) AS names (name)",
            [names],
        )
        return {name: newest for name, newest in cursor.fetchall() if newest is not None}


@transaction.atomic
def claim(*, acting: Actor) -> JobClaim | None:
    """Takes the job that waits longest and counts an attempt; None when nothing is due."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflows_job AS job SET state = 'running', fence = job.fence + 1, attempts = job.attempts + 1,"
            " lease_until = clock_timestamp() + make_interval(secs => %(lease)s),"
            " take_at = clock_timestamp() + make_interval(secs => %(lease)s)"
            " FROM (SELECT id FROM workflows_job WHERE state IN ('due', 'running')"
            "   AND take_at <= statement_timestamp()"
            "   ORDER BY take_at, due_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS chosen"
            " WHERE job.id = chosen.id RETURNING job.id, job.name, job.due_at, job.fence",
            {"lease": LEASE.seconds},
        )
        row = cursor.fetchone()
    return JobClaim(*row) if row else None


@transaction.atomic
def finish(*, claim: JobClaim, acting: Actor) -> bool:
    """Marks the job done; False (and nothing) when somebody else took over."""
    job = locks.held_job(claim.job_id, claim.fence)
    if job is None:
        return False
    job.finish()
    _keep(job, error="", finished=True)
    if not Job.objects.filter(name=job.name, state=JobState.FAILED.value).exists():
        resolve_cause(code=ALERT, cause=f"job:{job.name}")
    return True


@transaction.atomic
def fail(*, claim: JobClaim, error: Exception, acting: Actor) -> None:
    """Keeps the failure: due again after a while, or failed and alerted after the last attempt."""
    job = locks.held_job(claim.job_id, claim.fence)
    if job is None:
        return
    if job.attempts < int(value("events.max_attempts")):
        job.retry()
        _keep(job, error=error_text(error), wait=backoff(job.attempts, jitter=random.random()))  # noqa: S311 - spreads retries, hides nothing
        return
    job.fail()
    _keep(job, error=error_text(error), finished=True)
    raise_alert(
        code=ALERT,
        cause=f"job:{job.name}",
        message=f"The job {job} failed {job.attempts} times.",
        details={"job": str(job.pk), "error": job.error},
        acting=acting,
    )


@transaction.atomic
def run_again(*, job: Job, reason: str, acting: Actor) -> Job:
    """Makes a failed or finished job due once more. Raises ReasonRequired, NotAllowed, JobNotFinished."""
    require(acting, RUN)
    reason = require_reason(reason)
    found = locks.job(job.pk)
    if found.state not in (JobState.FAILED.value, JobState.DONE.value):
        raise JobNotFinished(name=found.name, due_at=f"{found.due_at:%Y-%m-%d %H:%M}Z", state=found.state)
    logger.info("%s runs %s again: %s", acting.label, found, reason)
    note = f"Run again by {acting.label}: {reason}. Before: {found.error}"
    found.run_again()
    found.attempts = 0
    found.finished_at = None
    _keep(found, error=note[:500])
    wake_after_commit("jobs")
    return found


def _keep(job: Job, *, error: str, wait: timedelta = timedelta(), finished: bool = False) -> None:
    job.lease_until = None
    job.error = error
    job.take_at = Now() + wait
    if finished:
        job.finished_at = Now()
    job.save(update_fields=["state", "lease_until", "error", "take_at", "finished_at", "attempts"])


@transaction.atomic
def trim(*, before: datetime, acting: Actor) -> int:
    """Deletes jobs done before `before`, but never the newest of a name: the clock counts on from it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM workflows_job AS job WHERE state = 'done' AND finished_at < %s AND EXISTS"
            " (SELECT 1 FROM workflows_job AS newer WHERE newer.name = job.name AND newer.due_at > job.due_at)",
            [before],
        )
        return int(cursor.rowcount)
