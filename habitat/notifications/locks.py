"""Row locks of this floor. A service's key comes before its endpoints, a delivery before its endpoint."""

from habitat.controls.models import ServiceKey
from habitat.notifications.models import Email, WebhookDelivery, WebhookEndpoint
from habitat.notifications.policies import webhooks
from habitat.notifications.policies.channels import EmailState


def email(email_id: int) -> Email:
    """The e-mail, its row locked. Raises Email.DoesNotExist."""
    return Email.objects.select_for_update(no_key=True).get(pk=email_id)


def held_email(email_id: int, fence: int) -> Email | None:
    """The e-mail if whoever took it under `fence` still holds it, locked; None when it moved on."""
    held = Email.objects.select_for_update(no_key=True)
    return held.filter(pk=email_id, fence=fence, state=EmailState.SENDING.value).first()


def service_key(key_id: int) -> ServiceKey:
    """The key whose endpoints are about to change: two endpoints at once are judged one after the other."""
    return ServiceKey.objects.select_for_update(no_key=True).get(pk=key_id)


def webhook_endpoint(endpoint_id: int) -> WebhookEndpoint:
    """The endpoint with its key, its own row locked."""
    held = WebhookEndpoint.objects.select_related("key").select_for_update(of=("self",), no_key=True)
    return held.get(pk=endpoint_id)


def webhook_delivery(delivery_id: int) -> WebhookDelivery:
    """The delivery, its row locked."""
    return WebhookDelivery.objects.select_for_update(no_key=True).get(pk=delivery_id)


def held_webhook(delivery_id: int, fence: int) -> WebhookDelivery | None:
    """The delivery if whoever took it under `fence` still holds it, locked; None when it moved on."""
    held = WebhookDelivery.objects.select_for_update(no_key=True)
    return held.filter(pk=delivery_id, fence=fence, state=webhooks.DeliveryState.SENDING.value).first()
