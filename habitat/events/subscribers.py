"""What this floor does when it hears a fact: it counts all of them."""

from habitat.events.actions import counts
from habitat.events.policies.registry import ANY, DeliveredEvent, Subscriber, subscribe
from habitat.members.policies.actors import SYSTEM


def count_event(event: DeliveredEvent) -> None:
    """Analytics: one more of this name today."""
    counts.count(event=event, acting=SYSTEM)


def register() -> None:
    """Called once by the app when it is ready."""
    subscribe(Subscriber.ANALYTICS, ANY, count_event)
