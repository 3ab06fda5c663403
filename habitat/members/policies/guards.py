"""The guards this floor keeps in the database, for `verify_books` to find missing ones."""

from typing import Final

# (table, name, kind, stops): habitat.controls stands above this floor and turns the rows into its Guard.
GUARDS: Final[tuple[tuple[str, str, str, str], ...]] = (
    (
        "members_member",
        "members_member_state",
        "trigger",
        "a status born late, an edge that is not there, a changed kind",
    ),
    ("members_member", "members_member_once", "trigger", "a sign-in or a cloud identity that changes hands"),
    ("members_member", "members_member_kept", "trigger", "a member deleted or the table emptied"),
    ("members_user", "members_user_kept", "trigger", "a sign-in deleted or the table emptied"),
    ("members_member", "DELETE", "no_privilege", "the application deleting a member"),
    ("members_user", "DELETE", "no_privilege", "the application deleting a sign-in"),
    ("members_member", "member_status_known", "constraint", "a status outside the list"),
    ("members_member", "member_identity_whole", "constraint", "half a cloud identity"),
    ("members_user", "user_email_present", "constraint", "a sign-in whose address was blanked"),
    ("members_user", "user_never_superuser", "constraint", "rights outside the roles"),
    ("members_memberhistory", "members_memberhistory_append_only", "trigger", "rewritten history of members"),
    ("members_userhistory", "members_userhistory_append_only", "trigger", "rewritten history of sign-ins"),
    ("members_rolehistory", "members_rolehistory_append_only", "trigger", "rewritten history of roles"),
    ("members_memberhistory", "UPDATE", "no_privilege", "the application rewriting history"),
    ("members_userhistory", "UPDATE", "no_privilege", "the application rewriting history"),
    ("members_rolehistory", "UPDATE", "no_privilege", "the application rewriting history"),
)
