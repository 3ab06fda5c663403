"""The clock: `tick` each minute inserts what is due and wakes every queue; `run_due` does the jobs."""

import logging
import time
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from django.utils.module_loading import import_string

from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.actions import jobs, schedule
from habitat.workflows.policies.jobs import definition

logger = logging.getLogger(__name__)

# No new job is begun after this; the one that runs may take its time.
BUDGET_SECONDS: Final = 300
KEEP_JOBS: Final = timedelta(days=30)
KEEP_TASKS: Final = timedelta(days=14)


def tick() -> int:
    """What the task queue's only schedule runs: inserts due jobs and wakes whatever waits; how many jobs were new."""
    inserted = jobs.insert_due(now=timezone.now(), acting=SYSTEM)
    for name in queue.names():
        queue.wake(name)
    return inserted


def run_due() -> int:
    """Runs what is due, one after the other; how many were done. A failing job stops no other."""
    end = time.monotonic() + BUDGET_SECONDS
    done = 0
    while claim := jobs.claim(acting=SYSTEM):
        done += _run(claim)
        if time.monotonic() > end:
            queue.wake(queue.JOBS)
            break
    return done


def _run(claim: jobs.JobClaim) -> bool:
    try:
        run = import_string(definition(claim.name).run)
        run(claim.due_at)
    except Exception as error:
        logger.exception("The job %s of %s failed", claim.name, claim.due_at)
        jobs.fail(claim=claim, error=error, acting=SYSTEM)
        return False
    return jobs.finish(claim=claim, acting=SYSTEM)


def trim(due_at: datetime) -> None:
    """The daily job that throws away what nobody reads any more: old done jobs and the task queue's own rows."""
    jobs.trim(before=due_at - KEEP_JOBS, acting=SYSTEM)
    schedule.trim_task_rows(before=due_at - KEEP_TASKS, acting=SYSTEM)
