"""What each role may do with the books."""

from typing import Final

from habitat.members.policies.roles import Role

_READ: Final = (
    "treasury.view_account",
    "treasury.view_period",
    "treasury.view_periodchange",
    "treasury.view_journalentry",
    "treasury.view_journalline",
    "treasury.view_reports",
)
_OPERATIONS: Final = (
    *_READ,
    "treasury.open_account",
    "treasury.retire_account",
    "treasury.open_period",
    "treasury.close_period",
    "treasury.reverse_entry",
    "treasury.adjust_books",
    "treasury.approve_adjustment",
)

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: (),
    Role.STEWARD: _READ,
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: (*_OPERATIONS, "treasury.lock_period", "treasury.reopen_period"),
}
