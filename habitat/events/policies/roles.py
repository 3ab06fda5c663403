"""What each role may do with events and deliveries."""

from typing import Final

from habitat.members.policies.roles import Role

_OPERATIONS: Final = (
    "events.view_event",
    "events.view_delivery",
    "events.view_eventcount",
    "events.replay_delivery",
)

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: (),
    Role.STEWARD: (),
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: _OPERATIONS,
}
