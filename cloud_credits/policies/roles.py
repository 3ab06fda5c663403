"""What each role may do on this floor."""

from typing import Final

from habitat.members.policies.roles import Role

_READ: Final = ("cloud_credits.view_ratecard",)
_OPERATIONS: Final = (
    *_READ,
    "cloud_credits.view_ratecardhistory",
    "cloud_credits.view_resourceusage",
    "cloud_credits.view_meteringrefusal",
    "cloud_credits.view_usageimport",
    "cloud_credits.view_selfmetercharge",
    "cloud_credits.admit_late_usage",
)

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: _READ,
    Role.STEWARD: (*_READ, "cloud_credits.view_ratecardhistory"),
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: _OPERATIONS,
}
