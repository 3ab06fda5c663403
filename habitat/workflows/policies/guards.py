"""The database's own guards of this floor, for `verify_books` to find."""

from habitat.controls.policies.guards import Guard

GUARDS = (
    Guard("workflows_job", "workflows_job_state", "trigger", "a job that jumps over a state or is born done"),
    Guard("workflows_job", "job_once_a_slot", "constraint", "a job that runs twice for one due time"),
)
