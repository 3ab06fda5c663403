"""What exists on this floor."""

from habitat.notifications.models.notices import (
    Email,
    EmailQuerySet,
    Notification,
    NotificationQuerySet,
    Preference,
    PreferenceQuerySet,
)
from habitat.notifications.models.webhooks import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryQuerySet,
    WebhookEndpoint,
    WebhookEndpointQuerySet,
    WebhookMessage,
)

__all__ = [
    "Email",
    "EmailQuerySet",
    "Notification",
    "NotificationQuerySet",
    "Preference",
    "PreferenceQuerySet",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookDeliveryQuerySet",
    "WebhookEndpoint",
    "WebhookEndpointQuerySet",
    "WebhookMessage",
]
