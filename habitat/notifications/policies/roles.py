"""What each role may do with e-mails. Notices on the site are each member's own: no role reads those of others."""

from typing import Final

from habitat.members.policies.roles import Role

_OPERATIONS: Final = ("notifications.view_email", "notifications.resend_email")

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: (),
    Role.STEWARD: (),
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: _OPERATIONS,
}
