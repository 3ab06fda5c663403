"""The life of a job: its states and edges."""

from enum import StrEnum
from typing import Final


class JobState(StrEnum):
    DUE = "due"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


# `running > running` is a lease that ran out; `running > due` a failure that is tried again.
EDGES: Final[dict[JobState, frozenset[JobState]]] = {
    JobState.DUE: frozenset({JobState.RUNNING}),
    JobState.RUNNING: frozenset({JobState.RUNNING, JobState.DUE, JobState.DONE, JobState.FAILED}),
    JobState.DONE: frozenset({JobState.DUE}),
    JobState.FAILED: frozenset({JobState.DUE}),
}
