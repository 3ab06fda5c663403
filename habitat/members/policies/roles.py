"""The four roles, what this floor lets each do, and what makes somebody staff."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    MEMBER = "member"
    STEWARD = "steward"
    OPERATIONS = "operations"
    ADMIN = "admin"


# These open the back office; whoever holds one must sign in with a second factor.
STAFF: Final = frozenset({Role.STEWARD, Role.OPERATIONS, Role.ADMIN})

_OPERATIONS: Final = (
    "members.view_member",
    "members.add_member",
    "members.change_member",
    "members.change_status",
    "members.view_user",
)

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: (),
    Role.STEWARD: ("members.view_member",),
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: (*_OPERATIONS, "members.manage_roles", "auth.view_group"),
}
