"""What the house has counted for a member and not charged yet, and which charges are due."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, OuterRef, Q, Subquery

from cloud_credits.models import CloudBalance, SelfMeterCharge, SelfMeterCount
from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.self_metering import settle


@dataclass(frozen=True, slots=True)
class PendingUse:
    """A settled window that is not charged yet, with the last refusal's sentence; empty before the first attempt."""

    primitive: Primitive
    window_start: datetime
    window_end: datetime
    quantity: Decimal
    refusal_code: str
    refusal: str


def pending_of(member_id: int) -> list[PendingUse]:
    """A member's windows waiting to be charged, oldest first."""
    return [
        PendingUse(
            primitive=Primitive(charge.primitive),
            window_start=charge.window_start,
            window_end=charge.window_end,
            quantity=charge.quantity,
            refusal_code=charge.refusal_code,
            refusal=charge.refusal,
        )
        for charge in SelfMeterCharge.objects.pending().filter(member_id=member_id).order_by("window_start", "id")
    ]


def counting_now(member_id: int) -> dict[Primitive, Decimal]:
    """What open windows hold for a member, in units, cut to 10^-6."""
    totals: dict[Primitive, int] = {}
    for primitive, amount in SelfMeterCount.objects.filter(member_id=member_id).values_list("primitive", "amount"):
        totals[Primitive(primitive)] = totals.get(Primitive(primitive), 0) + amount
    return {primitive: settle(primitive, counted=total, carried=0).quantity for primitive, total in totals.items()}


def due(now: datetime, *, limit: int) -> list[SelfMeterCharge]:
    """Pending charges to send now, oldest first: those whose time has come, and those whose member's balance moved
    since the last refusal (a top-up)."""
    moved_at = CloudBalance.objects.filter(member_id=OuterRef("member_id")).values("booked_at")[:1]
    return list(
        SelfMeterCharge.objects.pending()
        .annotate(moved_at=Subquery(moved_at))
        .filter(Q(due_at__lte=now) | Q(moved_at__gt=F("attempted_at")))
        .order_by("window_start", "id")[:limit]
    )
