"""What each role may do with jobs."""

from typing import Final

from habitat.members.policies.roles import Role

_OPERATIONS: Final = ("workflows.view_job", "workflows.run_job")

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: (),
    Role.STEWARD: (),
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: _OPERATIONS,
}
