"""What each role may do with jobs and sagas."""

from typing import Final

from habitat.members.policies.roles import Role

_VIEW: Final = ("workflows.view_execution", "workflows.view_step")
_OPERATIONS: Final = (
    "workflows.view_job",
    "workflows.run_job",
    *_VIEW,
    "workflows.retry_execution",
    "workflows.signal_execution",
    "workflows.compensate_execution",
    "workflows.cancel_execution",
)

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: (),
    Role.STEWARD: _VIEW,
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: _OPERATIONS,
}
