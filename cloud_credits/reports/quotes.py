"""What usage would cost at a moment: the rate card's own arithmetic, nothing recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cloud_credits.errors import UnknownPrimitive
from cloud_credits.policies.metering import parse_quantity
from cloud_credits.policies.pricing import cost
from cloud_credits.policies.primitives import Measure, Primitive, measure_of
from cloud_credits.reports.rate_cards import card_at
from habitat.money import cloud_to_usd


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """Cost in CLOUD, USD exact."""

    measure: Measure
    quantity: Decimal
    rate: Decimal
    cost: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    version: int
    lines: Sequence[QuoteLine]

    @property
    def total(self) -> Decimal:
        return sum((line.cost for line in self.lines), Decimal(0))

    @property
    def total_usd(self) -> Decimal:
        return cloud_to_usd(self.total)


def parse_item(primitive: str, quantity: object) -> tuple[Primitive, Decimal]:
    """What somebody asks the price of. Raises UnknownPrimitive and what `parse_quantity` raises."""
    if primitive not in set(Primitive):
        raise UnknownPrimitive(given=primitive[:60], field="primitive")
    return Primitive(primitive), parse_quantity(quantity)


def quote(items: Sequence[tuple[Primitive, Decimal]], *, at: datetime) -> Quote:
    """Each item rounded as its usage would be: on its own. Raises NoCardInForce."""
    card = card_at(at)
    lines = []
    for primitive, quantity in items:
        price = cost(quantity, card.rate(primitive))
        lines.append(QuoteLine(measure_of(primitive), quantity, card.rate(primitive), price, cloud_to_usd(price)))
    return Quote(card.version, lines)
