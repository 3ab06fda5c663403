"""Drains the outbox: in this process, or through RabbitMQ when EVENT_BUS_URL names one."""

import time
from typing import Final

from django.conf import settings

from habitat.events.actions import deliveries
from habitat.events.policies.registry import Subscriber
from habitat.events.workflows import queue, relay
from habitat.members.policies.actors import SYSTEM

BATCH: Final = 20
# A drain ends well before the worker's time is up, so that other queues get their turn, and a slow subscriber's turn
# before the others grow old.
BUDGET_SECONDS: Final = 20
TURN_SECONDS: Final = 8


def drain() -> int:
    """Delivers what is due, subscriber by subscriber in turns; how many were delivered (or published)."""
    done, left = relay.publish_due() if settings.EVENT_BUS_URL else _deliver_due()
    if left:
        queue.wake(queue.DELIVERIES)
    return done


def _deliver_due() -> tuple[int, bool]:
    """How many were delivered, and whether time ran out before the work did."""
    end = time.monotonic() + BUDGET_SECONDS
    busy = [subscriber.value for subscriber in Subscriber]
    done = 0
    while busy and time.monotonic() < end:
        for subscriber in tuple(busy):
            taken, delivered = _turn(subscriber)
            done += delivered
            if not taken:
                busy.remove(subscriber)
    return done, bool(busy)


def _turn(subscriber: str) -> tuple[int, int]:
    """One batch of `subscriber`: how many were taken, how many delivered. What time does not allow is given back."""
    end = time.monotonic() + TURN_SECONDS
    claims = deliveries.claim(subscriber=subscriber, limit=BATCH, acting=SYSTEM)
    delivered = 0
    for place, claim in enumerate(claims):
        if place and time.monotonic() > end:
            deliveries.hand_back(claims=claims[place:], acting=SYSTEM)
            break
        delivered += deliveries.deliver(claim=claim, acting=SYSTEM)
    return len(claims), delivered
