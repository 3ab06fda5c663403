"""Facts of this floor on their way to services: balances that moved, rate cards and invoices as they go."""

from typing import Any

from cloud_credits.models import CloudBalance
from cloud_credits.policies.webhooks import BALANCE_UPDATED, TOLD, put
from habitat.events.policies.registry import DeliveredEvent
from habitat.money import plain
from habitat.notifications.actions.webhook_deliveries import Told, publish
from habitat.notifications.policies.webhooks import stamp
from habitat.notifications.reports.webhooks import is_heard


def tell_fact(event: DeliveredEvent) -> None:
    """An invoice or a rate card, in the fact's own words."""
    told = Told(type=TOLD[event.name], subject="", data=put(event.payload))
    publish([told], event_id=event.id, occurred_at=event.occurred_at)


def tell_balances(event: DeliveredEvent, member_ids: list[int]) -> None:
    """Each balance as it stands now: `sequence` tells a receiver which of two messages is the newer, and the queue
    which of two that wait need not go out any more.

    No order between messages is promised (domain §9), so what a later fact changed already may be told here first.
    """
    if not is_heard(BALANCE_UPDATED):
        return
    rows = CloudBalance.objects.filter(member_id__in=member_ids).order_by("member_id")
    messages = [
        Told(type=BALANCE_UPDATED, subject=f"member:{row.member_id}", data=_told(row, event), sequence=row.version)
        for row in rows
    ]
    publish(messages, event_id=event.id, occurred_at=event.occurred_at)


def _told(row: CloudBalance, event: DeliveredEvent) -> dict[str, Any]:
    return {
        "memberId": str(row.member_id),
        "liquid": plain(row.liquid),
        "staked": plain(row.staked),
        "sequence": row.version,
        "bookedAt": stamp(row.booked_at) if row.booked_at else None,
        "because": {"event": event.name, "eventId": str(event.id)},
    }
