"""What each role may do with e-mails and webhooks. Notices are each member's own: no role reads those of others."""

from typing import Final

from habitat.members.policies.roles import Role

_OPERATIONS: Final = (
    "notifications.view_email",
    "notifications.resend_email",
    "notifications.view_webhookendpoint",
    "notifications.view_webhookdelivery",
    "notifications.manage_webhooks",
)

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: (),
    Role.STEWARD: (),
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: _OPERATIONS,
}
