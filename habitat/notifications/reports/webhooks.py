"""Who listens to webhooks."""

from habitat.notifications.models import WebhookEndpoint
from habitat.notifications.policies.webhooks import EndpointState


def is_heard(type_name: str) -> bool:
    """Whether any endpoint that is on subscribed to this type: where none did, nothing need be put together."""
    family = f"{type_name.partition('.')[0]}.*"
    listening = WebhookEndpoint.objects.filter(state=EndpointState.ACTIVE.value)
    return listening.filter(types__overlap=[type_name, family]).exists()
