"""How much a member may buy today, and what is held back while backing is low."""

from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal

from django.db.models import Sum
from django.utils import timezone

from habitat.controls.reports.settings import value as setting
from treasury.models import Payment
from treasury.policies.backing import RESTRAINED, Band, daily_limit, load_cap
from treasury.policies.payments import PaymentState
from treasury.policies.settings import LOAD_CAP, LOAD_CAP_SIGNOFF, PURCHASE_LIMIT
from treasury.reports.backing import latest_band


@dataclass(frozen=True, slots=True)
class Limits:
    """What is left today, in USD; `daily_left` is None where the band sets no limit. Never below zero.

    What was paid today is taken off; what is open at a checkout is the asker's to count.
    """

    band: Band
    daily_left: Decimal | None
    load_cap_left: Decimal
    recurring_allowed: bool
    wires_mint: bool

    @property
    def most(self) -> Decimal:
        """The most a member may pay now."""
        return self.load_cap_left if self.daily_left is None else min(self.daily_left, self.load_cap_left)


def limits(member_id: int) -> Limits:
    """Rules: domain §6 (the low band) and §10 (the load cap). A day is a UTC day."""
    band = latest_band()
    paid = _paid_today(member_id)
    limit = daily_limit(band, lambda: Decimal(setting(PURCHASE_LIMIT)))
    cap = load_cap(chosen=Decimal(setting(LOAD_CAP)), signoff=str(setting(LOAD_CAP_SIGNOFF)))
    return Limits(
        band=band,
        daily_left=None if limit is None else _left(limit, paid),
        load_cap_left=_left(cap, paid),
        recurring_allowed=band not in RESTRAINED,
        wires_mint=band not in RESTRAINED,
    )


def _left(limit: Decimal, paid: Decimal) -> Decimal:
    return max(limit - paid, Decimal(0))


def _paid_today(member_id: int) -> Decimal:
    midnight = datetime.combine(timezone.now().date(), time(), timezone.now().tzinfo)
    kept = Payment.objects.filter(member_id=member_id, occurred_at__gte=midnight)
    kept = kept.filter(state__in=[PaymentState.RECEIVED.value, PaymentState.MINTED.value])
    return Decimal(kept.aggregate(paid=Sum("amount"))["paid"] or 0)
