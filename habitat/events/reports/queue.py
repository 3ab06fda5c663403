"""How the outbox is doing: what waits, since when, and what is dead. For the home page, health and alerts."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q

from habitat.events.models import Delivery
from habitat.events.models.outbox import OPEN
from habitat.events.policies.registry import Subscriber


@dataclass(frozen=True, slots=True)
class SubscriberQueue:
    """One subscriber's deliveries that are not done. `oldest` is when the longest waiting one's event happened."""

    subscriber: str
    waiting: int
    dead: int
    oldest: datetime | None


def queues() -> list[SubscriberQueue]:
    """One row a subscriber; reads only the partial indexes of open and dead deliveries."""
    rows = (
        Delivery.objects.filter(Q(state__in=OPEN) | Q(state="dead"))
        .order_by()
        .values("subscriber")
        .annotate(
            waiting=Count("id", filter=Q(state__in=OPEN)),
            dead=Count("id", filter=Q(state="dead")),
            oldest=Min("event__occurred_at", filter=Q(state__in=OPEN)),
        )
    )
    found = {row["subscriber"]: row for row in rows}
    empty = {"waiting": 0, "dead": 0, "oldest": None}
    return [
        SubscriberQueue(name, **{key: found.get(name, empty)[key] for key in empty})
        for name in (subscriber.value for subscriber in Subscriber)
    ]
