"""What each role may do with the controls."""

from typing import Final

from habitat.members.policies.roles import Role

_OPERATIONS: Final = (
    "controls.view_setting",
    "controls.change_setting",
    "controls.view_approval",
    "controls.view_alert",
    "controls.change_alert",
    "controls.view_servicekey",
)

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: (),
    Role.STEWARD: ("controls.view_setting", "controls.view_alert"),
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: (*_OPERATIONS, "controls.add_servicekey", "controls.revoke_servicekey"),
}
