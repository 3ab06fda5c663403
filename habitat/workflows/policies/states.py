"""The lives of jobs, of sagas and of their steps: states and edges."""

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


class ExecutionState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    STUCK = "stuck"
    CANCELLED = "cancelled"


# A worker may take these.
OPEN: Final = (ExecutionState.RUNNING, ExecutionState.COMPENSATING)
ENDED: Final = (ExecutionState.COMPLETED, ExecutionState.COMPENSATED, ExecutionState.CANCELLED)
EXECUTION_EDGES: Final[dict[ExecutionState, frozenset[ExecutionState]]] = {
    ExecutionState.RUNNING: frozenset(
        {
            ExecutionState.WAITING,
            ExecutionState.COMPENSATING,
            ExecutionState.COMPLETED,
            ExecutionState.STUCK,
            ExecutionState.CANCELLED,
        }
    ),
    ExecutionState.WAITING: frozenset({ExecutionState.RUNNING, ExecutionState.CANCELLED}),
    ExecutionState.COMPENSATING: frozenset({ExecutionState.COMPENSATED, ExecutionState.STUCK}),
    ExecutionState.STUCK: frozenset({ExecutionState.RUNNING, ExecutionState.COMPENSATING, ExecutionState.CANCELLED}),
    ExecutionState.COMPLETED: frozenset(),
    ExecutionState.COMPENSATED: frozenset(),
    ExecutionState.CANCELLED: frozenset(),
}


class Heading(StrEnum):
    """Where an execution goes. `turning`: back, as soon as it is known what the call in hand did."""

    FORWARD = "forward"
    TURNING = "turning"
    BACKWARD = "backward"


class StepState(StrEnum):
    CALLING = "calling"
    RECORDING = "recording"
    RECORDED = "recorded"
    REFUSED = "refused"


# `calling`: the outside world was asked, what it did is unknown. `recording`: the step stays in the database, and what
# it tried was rolled back. A refused step begins again only when a person says so.
STEP_EDGES: Final[dict[StepState, frozenset[StepState]]] = {
    StepState.CALLING: frozenset({StepState.RECORDED, StepState.REFUSED}),
    StepState.RECORDING: frozenset({StepState.RECORDED, StepState.REFUSED}),
    StepState.REFUSED: frozenset({StepState.CALLING, StepState.RECORDING}),
    StepState.RECORDED: frozenset(),
}
