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
    "treasury.view_mintswitch",
    "treasury.view_mintswitchchange",
    "treasury.view_backingcheck",
    "treasury.view_bankaccount",
    "treasury.view_bankreading",
    "treasury.view_bankline",
    "treasury.view_banklineversion",
    "treasury.view_bankrowaside",
    "treasury.view_bankmatch",
    "treasury.view_bankmatchline",
    "treasury.view_bankmatchtarget",
    "treasury.view_bill",
    "treasury.view_payment",
    "treasury.view_reconciliationrun",
    "treasury.view_reconciliationexception",
    "treasury.view_exceptionnote",
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
    "treasury.switch_minting",
    "treasury.check_backing",
    "treasury.read_bank",
    "treasury.assign_bankaccount",
    "treasury.match_bank",
    "treasury.record_bill",
    "treasury.void_bill",
    "treasury.run_reconciliation",
    "treasury.settle_reconciliationexception",
)

PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: (),
    Role.STEWARD: _READ,
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: (*_OPERATIONS, "treasury.lock_period", "treasury.reopen_period"),
}
