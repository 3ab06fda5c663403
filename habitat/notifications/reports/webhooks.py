"""Who listens to webhooks, and how much waits for whom."""

from django.db.models import Count

from habitat.notifications.models import WebhookDelivery, WebhookEndpoint
from habitat.notifications.policies.webhooks import DeliveryState, EndpointState


def is_heard(type_name: str) -> bool:
    """Whether any endpoint that is on subscribed to this type: where none did, nothing need be put together."""
    family = f"{type_name.partition('.')[0]}.*"
    listening = WebhookEndpoint.objects.filter(state=EndpointState.ACTIVE.value)
    return listening.filter(types__overlap=[type_name, family]).exists()


def waiting() -> dict[int, int]:
    """How many messages wait for each endpoint; those for which none waits are left out."""
    rows = WebhookDelivery.objects.filter(state=DeliveryState.PENDING.value).order_by().values_list("endpoint_id")
    return dict(rows.annotate(Count("pk")))
