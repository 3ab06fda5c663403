"""Guards in the database: each floor names its own, and `verify_books` looks for them in the catalogue."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class GuardKind(StrEnum):
    TRIGGER = "trigger"
    CONSTRAINT = "constraint"
    # For these `name` is the privilege that the application role must not hold on the table.
    NO_PRIVILEGE = "no_privilege"
    # `UPDATE (a, b)`: the only columns on which the application role holds that privilege.
    COLUMNS = "columns"


@dataclass(frozen=True, slots=True)
class Guard:
    """`name` of a trigger, a constraint or a withheld privilege on `table`; `stops` says what would slip through."""

    table: str
    name: str
    kind: str
    stops: str


def withheld(table: str, stops: str, *privileges: str) -> tuple[Guard, ...]:
    """One guard for each privilege that the application role must not hold on `table`."""
    return tuple(Guard(table, privilege, "no_privilege", stops) for privilege in privileges)


GUARDS: Final = (
    Guard("controls_approval", "controls_approval_state", "trigger", "a decision taken twice, or rewritten afterwards"),
    Guard("controls_approval", "controls_approval_settled", "trigger", "who decided, when and why rewritten"),
    Guard("controls_approval", "controls_approval_kept", "trigger", "a request deleted"),
    Guard("controls_approval", "approval_two_people", "constraint", "one person asking and deciding"),
    Guard("controls_approval", "DELETE", "no_privilege", "the application deleting a request"),
    Guard("controls_alert", "controls_alert_state", "trigger", "an alert that reopens or is born settled"),
    Guard("controls_alert", "controls_alert_kept", "trigger", "an alert deleted"),
    Guard("controls_alert", "alert_one_open_a_cause", "constraint", "two open alerts for one cause"),
    Guard("controls_alert", "DELETE", "no_privilege", "the application deleting an alert"),
    Guard("controls_servicekey", "controls_servicekey_fixed", "trigger", "a key's secret, scopes or end rewritten"),
    Guard("controls_servicekey", "controls_servicekey_kept", "trigger", "a key deleted"),
    Guard("controls_servicekey", "UPDATE", "no_privilege", "the application rewriting a key"),
    Guard(
        "controls_servicekey",
        "UPDATE (last_used_at, revoked_at, revoked_by, revoke_reason)",
        "columns",
        "the application giving a key more scopes or a longer life",
    ),
    Guard("controls_servicekey", "DELETE", "no_privilege", "the application deleting a key"),
    Guard("controls_setting", "controls_setting_kept", "trigger", "a setting deleted, and its value with it"),
    Guard("controls_setting", "DELETE", "no_privilege", "the application deleting a setting"),
    Guard("controls_settinghistory", "controls_settinghistory_append_only", "trigger", "rewritten history of settings"),
    Guard("controls_settinghistory", "UPDATE", "no_privilege", "the application rewriting history"),
    Guard("controls_keyhistory", "controls_keyhistory_append_only", "trigger", "rewritten history of keys"),
    Guard("controls_keyhistory", "UPDATE", "no_privilege", "the application rewriting history"),
)
