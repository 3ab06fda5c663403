"""The database's own guards of this floor, for `verify_books` to find."""

from habitat.controls.policies.guards import Guard, withheld

GUARDS = (
    Guard("notifications_notification", "UPDATE", "no_privilege", "the application rewriting a notice"),
    Guard("notifications_notification", "UPDATE (read_at)", "columns", "a notice that says something else"),
    Guard("notifications_notification", "DELETE", "no_privilege", "the application deleting a notice"),
    Guard("notifications_email", "DELETE", "no_privilege", "the application deleting an e-mail"),
    Guard("notifications_email", "notifications_email_state", "trigger", "an e-mail that is sent without sending"),
    Guard("notifications_email", "email_once_an_event", "constraint", "a second mail for one event"),
    Guard("notifications_notification", "notification_once_an_event", "constraint", "a second notice for one event"),
    Guard("notifications_webhookendpoint", "webhook_endpoint_state", "trigger", "an endpoint led to another address"),
    Guard("notifications_webhookendpoint", "webhook_endpoint_kept", "trigger", "an endpoint deleted"),
    *withheld("notifications_webhookendpoint", "the application deleting endpoints", "DELETE", "TRUNCATE"),
    Guard("notifications_webhookmessage", "webhook_message_kept", "trigger", "a message that says something else"),
    Guard("notifications_webhookmessage", "webhook_message_once", "constraint", "one event told twice"),
    Guard("notifications_webhookmessage", "webhook_message_young", "trigger", "a young message deleted"),
    *withheld("notifications_webhookmessage", "the application rewriting messages", "UPDATE", "TRUNCATE"),
    Guard("notifications_webhookdelivery", "webhook_delivery_state", "trigger", "a delivery that was never sent"),
    Guard("notifications_webhookdelivery", "webhook_delivery_kept", "trigger", "a delivery deleted that is needed"),
    Guard("notifications_webhookdelivery", "webhook_delivery_not_emptied", "trigger", "all deliveries deleted"),
    Guard("notifications_webhookdelivery", "webhook_delivery_once", "constraint", "two deliveries of one message"),
    *withheld("notifications_webhookdelivery", "the application deleting deliveries", "TRUNCATE"),
    Guard("notifications_webhookattempt", "webhook_attempt_kept", "trigger", "an attempt rewritten"),
    Guard("notifications_webhookattempt", "webhook_attempt_with_delivery", "trigger", "an attempt taken away"),
    *withheld("notifications_webhookattempt", "the application rewriting attempts", "UPDATE", "TRUNCATE"),
)
