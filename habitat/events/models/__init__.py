"""What exists on this floor."""

from habitat.events.models.counts import EventCount
from habitat.events.models.outbox import Delivery, DeliveryQuerySet, Event, EventQuerySet

__all__ = ["Delivery", "DeliveryQuerySet", "Event", "EventCount", "EventQuerySet"]
