"""Between the outbox and RabbitMQ: publishes committed deliveries, and does what a message asks for."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import close_old_connections

from habitat.events.actions import deliveries
from habitat.events.errors import BusUnreachable
from habitat.events.gateways.rabbitmq import Bus, Notice, RabbitMQ
from habitat.events.policies.registry import Subscriber
from habitat.members.policies.actors import SYSTEM

logger = logging.getLogger(__name__)

BATCH: Final = 100
BUDGET_SECONDS: Final = 40
BUS_DOWN_WAIT: Final = timedelta(seconds=15)
RECONNECT_SECONDS: Final = 2


def bus() -> Bus:
    """The broker EVENT_BUS_URL names."""
    return RabbitMQ(settings.EVENT_BUS_URL)


def publish_due() -> tuple[int, bool]:
    """Publishes what is due; how many, and whether more was left when time ran out.

    What the broker did not confirm goes back and is due again in a quarter of a minute: an outage of the broker
    costs no delivery any of its attempts.
    """
    end = time.monotonic() + BUDGET_SECONDS
    published = 0
    for subscriber in Subscriber:
        while claims := deliveries.claim_for_bus(subscriber=subscriber.value, limit=BATCH, acting=SYSTEM):
            confirmed = _publish(claims)
            published += confirmed
            if confirmed < len(claims):
                return published, False
            if time.monotonic() > end:
                return published, True
    return published, False


def _publish(claims: list[deliveries.Claim]) -> int:
    notices = [Notice(claim.delivery_id, claim.event_id, claim.event_name, claim.subscriber) for claim in claims]
    confirmed: set[int] = set()
    try:
        confirmed = {notice.delivery_id for notice in bus().publish(notices)}
    except BusUnreachable as error:
        logger.warning("%s", error.sentence)
    unsent = [claim for claim in claims if claim.delivery_id not in confirmed]
    if unsent:
        deliveries.return_unsent(claims=unsent, wait=BUS_DOWN_WAIT, acting=SYSTEM)
    return len(confirmed)


def handle(delivery_id: int) -> None:
    """What one message asks for: the handler's effect and the mark in one transaction. A repeat does nothing."""
    close_old_connections()
    claim = deliveries.take(delivery_id=delivery_id, acting=SYSTEM)
    if claim is not None:
        deliveries.deliver(claim=claim, acting=SYSTEM)


def consume(going_on: Callable[[], bool]) -> None:
    """Does what messages ask for while `going_on()`; comes back by itself when the broker does."""
    while going_on():
        try:
            bus().consume(handle, going_on=going_on)
        except BusUnreachable as error:
            logger.warning("%s", error.sentence)
            time.sleep(RECONNECT_SECONDS)
