"""The staking curve: share % = days ÷ 365 × 10, half-up to two decimals, for 30 to 365 days (domain §5)."""

from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import Final

from cloud_credits.errors import LockOutOfRange
from habitat.money import DOWN, EXACT_DIGITS, rounded

SHORTEST_DAYS: Final = 30
LONGEST_DAYS: Final = 365


class PositionState(StrEnum):
    ACTIVE = "active"
    UNSTAKED = "unstaked"
    SLASHED = "slashed"


def share_percent(days: int) -> Decimal:
    """Percent of the period's revenue: 30 → 0.82, 90 → 2.47, 180 → 4.93, 365 → 10.00. Raises LockOutOfRange."""
    if isinstance(days, bool) or not SHORTEST_DAYS <= days <= LONGEST_DAYS:
        raise LockOutOfRange(given=days, field="days")
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return rounded(Decimal(days) * 10 / 365, 2)


def unlocks_at(staked_at: datetime, days: int) -> datetime:
    """The first moment the stake may be released: `days` whole days later."""
    return staked_at + timedelta(days=days)


def stakeable(*, liquid: Decimal, staked: Decimal, cap_percent: Decimal) -> Decimal:
    """CLOUD a member may still stake when at most `cap_percent` of what they hold may be staked; never below zero."""
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        ceiling = rounded((liquid + staked) * cap_percent / 100, 8, DOWN)
    return max(min(liquid, ceiling - staked), Decimal(0))
