"""The guards this floor keeps in the database, and the shape that every floor above declares its own in."""

from typing import Final

from habitat.members.policies.guards import Guard, GuardKind

__all__ = ["GUARDS", "Guard", "GuardKind"]

GUARDS: Final = (
    Guard("controls_approval", "controls_approval_state", "trigger", "a decision taken twice, or rewritten afterwards"),
    Guard("controls_approval", "controls_approval_settled", "trigger", "a decision's author or reason rewritten"),
    Guard("controls_approval", "controls_approval_kept", "trigger", "a request deleted"),
    Guard("controls_approval", "approval_two_people", "constraint", "one person asking and deciding"),
    Guard("controls_approval", "DELETE", "no_privilege", "the application deleting a request"),
    Guard("controls_alert", "controls_alert_state", "trigger", "an alert that reopens or is born settled"),
    Guard("controls_alert", "controls_alert_kept", "trigger", "an alert deleted"),
    Guard("controls_alert", "alert_one_open_a_cause", "constraint", "two open alerts for one cause"),
    Guard("controls_alert", "DELETE", "no_privilege", "the application deleting an alert"),
    Guard("controls_servicekey", "controls_servicekey_fixed", "trigger", "a key's secret, scopes or end rewritten"),
    Guard("controls_servicekey", "controls_servicekey_kept", "trigger", "a key deleted"),
    Guard("controls_servicekey", "DELETE", "no_privilege", "the application deleting a key"),
    Guard("controls_setting", "controls_setting_kept", "trigger", "a setting deleted, and its value with it"),
    Guard("controls_setting", "DELETE", "no_privilege", "the application deleting a setting"),
    Guard("controls_settinghistory", "controls_settinghistory_append_only", "trigger", "rewritten history of settings"),
    Guard("controls_settinghistory", "UPDATE", "no_privilege", "the application rewriting history"),
    Guard("controls_keyhistory", "controls_keyhistory_append_only", "trigger", "rewritten history of keys"),
    Guard("controls_keyhistory", "UPDATE", "no_privilege", "the application rewriting history"),
)
