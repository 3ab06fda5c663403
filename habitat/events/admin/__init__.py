"""The back office of this floor."""

from habitat.events.admin.outbox import DeliveryAdmin, EventAdmin, EventCountAdmin

__all__ = ["DeliveryAdmin", "EventAdmin", "EventCountAdmin"]
