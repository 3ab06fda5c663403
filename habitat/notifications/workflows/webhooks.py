"""Sends what waits in the webhook queue: at least once, always the same message under the same id."""

import logging
import time
from datetime import UTC, datetime
from typing import Final

from django.conf import settings

from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM
from habitat.notifications.actions import webhook_deliveries as verbs
from habitat.notifications.actions import webhooks
from habitat.notifications.gateways.webhooks import HttpReceiver, Receiver
from habitat.notifications.models import WebhookDelivery
from habitat.notifications.policies.webhooks import signature

logger = logging.getLogger(__name__)

BUDGET_SECONDS: Final = 35
AGENT: Final = "Habitat-Webhooks/1"


def drain(receiver: Receiver | None = None) -> int:
    """Sends what is due; how many were taken. An address that fails or is slow holds up no other for long."""
    door = receiver or HttpReceiver(allow_loopback=settings.WEBHOOK_ALLOW_LOOPBACK)
    end = time.monotonic() + BUDGET_SECONDS
    taken = 0
    while claim := verbs.claim(acting=SYSTEM):
        taken += verbs.settle(claim=claim, answer=_send(claim, door), acting=SYSTEM)
        if time.monotonic() > end:
            queue.wake(webhooks.QUEUE)
            break
    return taken


def _send(claim: verbs.WebhookClaim, door: Receiver) -> verbs.Answer:
    """Outside any transaction; a crash after the receiver took it sends it once more."""
    started = time.monotonic_ns()
    try:
        delivery = WebhookDelivery.objects.select_related("endpoint", "message").get(pk=claim.delivery_id)
        status = door.post(delivery.endpoint.url, headers=_headers(delivery), body=delivery.message.body.encode())
    except Exception as error:
        # Neither body nor secret reaches the log.
        logger.warning("Webhook delivery %s failed: %s", claim.delivery_id, type(error).__name__)
        return verbs.Answer(status=None, milliseconds=_since(started), error=error)
    return verbs.Answer(status=status, milliseconds=_since(started))


def _headers(delivery: WebhookDelivery) -> dict[str, str]:
    """Standard Webhooks: the message's id, the time of this sending, and a signature by each secret that holds."""
    now = datetime.now(tz=UTC)
    message, timestamp = delivery.message, int(now.timestamp())
    signatures = [
        signature(secret, message_id=message.public_id, timestamp=timestamp, body=message.body)
        for secret in webhooks.signing_secrets(delivery.endpoint, at=now)
    ]
    return {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "webhook-id": message.public_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _since(started: int) -> int:
    return (time.monotonic_ns() - started) // 1_000_000
