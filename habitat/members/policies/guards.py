"""Guards in the database: what one is, and those of this floor, for `verify_books` to find missing ones."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class GuardKind(StrEnum):
    TRIGGER = "trigger"
    CONSTRAINT = "constraint"
    # For these `name` is the privilege that the application role must not hold on the table.
    NO_PRIVILEGE = "no_privilege"


@dataclass(frozen=True, slots=True)
class Guard:
    """`name` of a trigger, a constraint or a withheld privilege on `table`; `stops` says what would slip through."""

    table: str
    name: str
    kind: str
    stops: str


GUARDS: Final = (
    Guard(
        "members_member",
        "members_member_state",
        "trigger",
        "a status born late, an edge that is not there, a changed kind",
    ),
    Guard("members_member", "members_member_once", "trigger", "a sign-in or a cloud identity that changes hands"),
    Guard("members_member", "members_member_kept", "trigger", "a member deleted or the table emptied"),
    Guard("members_user", "members_user_kept", "trigger", "a sign-in deleted or the table emptied"),
    Guard("members_member", "DELETE", "no_privilege", "the application deleting a member"),
    Guard("members_user", "DELETE", "no_privilege", "the application deleting a sign-in"),
    Guard("members_member", "member_status_known", "constraint", "a status outside the list"),
    Guard("members_member", "member_identity_whole", "constraint", "half a cloud identity"),
    Guard("members_user", "user_email_present", "constraint", "a sign-in whose address was blanked"),
    Guard("members_user", "user_never_superuser", "constraint", "rights outside the roles"),
    Guard("members_memberhistory", "members_memberhistory_append_only", "trigger", "rewritten history of members"),
    Guard("members_userhistory", "members_userhistory_append_only", "trigger", "rewritten history of sign-ins"),
    Guard("members_rolehistory", "members_rolehistory_append_only", "trigger", "rewritten history of roles"),
    Guard("members_memberhistory", "UPDATE", "no_privilege", "the application rewriting history"),
    Guard("members_userhistory", "UPDATE", "no_privilege", "the application rewriting history"),
    Guard("members_rolehistory", "UPDATE", "no_privilege", "the application rewriting history"),
)
