"""Row locks of this floor."""

from habitat.events.models import Delivery
from habitat.events.policies.states import DeliveryState


def delivery(delivery_id: int) -> Delivery:
    """The delivery with its event, its row locked. Raises Delivery.DoesNotExist."""
    return Delivery.objects.select_for_update(of=("self",), no_key=True).select_related("event").get(pk=delivery_id)


def held_delivery(delivery_id: int, fence: int) -> Delivery | None:
    """The delivery if whoever took it under `fence` still holds it, locked; None when it moved on."""
    return (
        Delivery.objects.select_for_update(of=("self",), no_key=True)
        .select_related("event")
        .filter(pk=delivery_id, fence=fence, state=DeliveryState.DELIVERING.value)
        .first()
    )


def dead_deliveries(subscriber: str) -> list[Delivery]:
    """Every dead delivery of `subscriber`, locked in the order of their ids."""
    dead = Delivery.objects.filter(subscriber=subscriber).dead().order_by("id")
    return list(dead.select_for_update(of=("self",), no_key=True).select_related("event"))
