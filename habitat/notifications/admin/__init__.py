"""The back office of this floor."""

from habitat.notifications.admin.emails import EmailAdmin
from habitat.notifications.admin.webhooks import WebhookDeliveryAdmin, WebhookEndpointAdmin

__all__ = ["EmailAdmin", "WebhookDeliveryAdmin", "WebhookEndpointAdmin"]
