"""The database's own guards of this floor, for `verify_books` to find."""

from typing import Final

from habitat.controls.policies.guards import Guard, withheld

_EXECUTION: Final = "workflows_execution"
_STEP: Final = "workflows_step"

GUARDS = (
    Guard("workflows_job", "workflows_job_state", "trigger", "a job that jumps over a state or is born done"),
    Guard("workflows_job", "job_once_a_slot", "constraint", "a job that runs twice for one due time"),
    Guard(_EXECUTION, "workflows_execution_state", "trigger", "a saga that jumps over a state or becomes another"),
    Guard(
        _EXECUTION,
        "workflows_execution_moves",
        "trigger",
        "an ended saga changed, a fence counted down, a signal or decision lost",
    ),
    Guard(_EXECUTION, "workflows_execution_kept", "trigger", "a saga deleted or truncated"),
    Guard(_EXECUTION, "execution_once", "constraint", "a saga that runs twice under one key"),
    *withheld(_EXECUTION, "the application rewriting or deleting a saga", "UPDATE", "DELETE", "TRUNCATE"),
    Guard(
        _EXECUTION,
        "UPDATE (state, heading, waiting_for, signals, error, decisions, due_at, lease_until, fence, finished_at)",
        "columns",
        "a saga given another key, input or version",
    ),
    Guard(_STEP, "workflows_step_state", "trigger", "a step born done, or off its edges"),
    Guard(_STEP, "workflows_step_moves", "trigger", "a recorded step changed, a key changed under a call"),
    Guard(_STEP, "workflows_step_kept", "trigger", "a step deleted or truncated"),
    Guard(_STEP, "step_once_a_direction", "constraint", "a step done twice in one direction"),
    *withheld(_STEP, "the application rewriting or deleting a step", "UPDATE", "DELETE", "TRUNCATE"),
    Guard(
        _STEP,
        "UPDATE (state, attempts, round, key, output, error, first_called_at, recorded_at)",
        "columns",
        "a step moved to another saga, or told another input",
    ),
)
