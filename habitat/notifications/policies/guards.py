"""The database's own guards of this floor, for `verify_books` to find."""

from habitat.controls.policies.guards import Guard

GUARDS = (
    Guard("notifications_notification", "UPDATE", "no_privilege", "the application rewriting a notice"),
    Guard("notifications_notification", "UPDATE (read_at)", "columns", "a notice that says something else"),
    Guard("notifications_notification", "DELETE", "no_privilege", "the application deleting a notice"),
    Guard("notifications_email", "DELETE", "no_privilege", "the application deleting an e-mail"),
    Guard("notifications_email", "notifications_email_state", "trigger", "an e-mail that is sent without sending"),
    Guard("notifications_email", "email_once_an_event", "constraint", "a second mail for one event"),
    Guard("notifications_notification", "notification_once_an_event", "constraint", "a second notice for one event"),
)
