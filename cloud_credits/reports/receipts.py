"""The receipt of a usage row."""

from cloud_credits.models import ResourceUsage
from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.receipts import Receipt


def receipt_of(row: ResourceUsage) -> Receipt:
    """Reads one row and its card; `row.rate_card` should be fetched with it."""
    return Receipt(
        meter_id=row.pk,
        member_id=row.member_id,
        event_id=row.event_id,
        service_name=row.service_name,
        primitive=Primitive(row.primitive),
        quantity=row.quantity,
        started_at=row.started_at,
        metered_at=row.metered_at,
        received_at=row.received_at,
        rate_card_version=row.rate_card.version or 0,
        rate_card_hash=row.rate_card.content_hash or None,
        rate=row.rate,
        cost=row.cost,
        transaction_id=row.transaction_id,
    )
