"""What members used: row by row with its arithmetic, and summed by member, period and primitive."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from cloud_credits.models import ResourceUsage
from cloud_credits.models.usage import ResourceUsageQuerySet
from cloud_credits.policies.primitives import MEASURES, Primitive
from cloud_credits.policies.rate_cards import utc_day
from habitat.money import cents, cloud_to_usd, plain


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """One primitive at one rate in an interval. `quantity` in units, `cost` in CLOUD, `usd` exact."""

    member_id: int | None
    primitive: Primitive
    rate: Decimal
    rate_card_version: int
    events: int
    quantity: Decimal
    cost: Decimal

    @property
    def unit(self) -> str:
        return MEASURES[self.primitive].unit

    @property
    def usd(self) -> Decimal:
        return cloud_to_usd(self.cost)

    @property
    def arithmetic(self) -> str:
        """`2.5 compute-hours × 1 CLOUD = 2.5 CLOUD (25.00 USD)`; each event is rounded, so a sum may differ."""
        return arithmetic(quantity=self.quantity, unit=self.unit, rate=self.rate, cost=self.cost)


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """Usage of an interval `[start, end)`: the lines, and their sum in CLOUD."""

    start: datetime
    end: datetime
    lines: tuple[UsageTotal, ...]

    @property
    def cost(self) -> Decimal:
        return sum((line.cost for line in self.lines), Decimal(0))

    @property
    def usd(self) -> Decimal:
        return cloud_to_usd(self.cost)


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One usage with its arithmetic written out."""

    usage: ResourceUsage

    @property
    def arithmetic(self) -> str:
        row = self.usage
        return arithmetic(quantity=row.quantity, unit=row.unit, rate=row.rate, cost=row.cost)

    @property
    def booked_at(self) -> datetime:
        """When its redemption was booked: by this moment a month's spending counts it. Read `with_booking`."""
        return self.usage.transaction.booked_at

    @property
    def booked_in(self) -> str:
        """The accounting period it counts in."""
        return self.usage.journal_entry.period.name

    @property
    def days_late(self) -> int:
        """Whole days between the end of the usage and its report. It keeps the price of its own day, and is booked in
        the period that is open when it comes."""
        return max(0, (self.usage.received_at - self.usage.metered_at).days)

    @property
    def is_of_an_earlier_period(self) -> bool:
        """It ended before the period it is booked in began: late for the books, were it by an hour."""
        return utc_day(self.usage.metered_at) < self.usage.journal_entry.period.start

    @property
    def came_late(self) -> bool:
        return self.days_late > 0 or self.is_of_an_earlier_period

    @property
    def reported(self) -> str:
        """In the words of the member's page and of the desk."""
        if not self.came_late:
            return "in time"
        days = self.days_late
        said = [f"{days} day{'s' if days > 1 else ''} late" if days else "late"]
        if self.usage.is_late:
            said.append("let in by two persons")
        if self.is_of_an_earlier_period:
            said.append(f"booked in {self.booked_in}")
        return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a page ends: the keys of its last row."""

    metered_at: datetime
    id: int


def arithmetic(*, quantity: Decimal, unit: str, rate: Decimal, cost: Decimal) -> str:
    """How a cost came about, for a person: every factor exact, dollars in cents."""
    dollars = cents(cloud_to_usd(cost))
    return f"{plain(quantity)} {unit} × {plain(rate)} CLOUD = {plain(cost)} CLOUD ({dollars} USD)"


def of_member(
    member_id: int,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    primitive: Primitive | None = None,
) -> ResourceUsageQuerySet:
    """A member's usage that ended in `[start, end)`, newest first; served by one index whatever the page."""
    rows = ResourceUsage.objects.filter(member_id=member_id).select_related("rate_card")
    if start is not None:
        rows = rows.filter(metered_at__gte=start)
    if end is not None:
        rows = rows.filter(metered_at__lt=end)
    if primitive is not None:
        rows = rows.filter(primitive=primitive.value)
    return rows.order_by("-metered_at", "-id")


def page(
    rows: QuerySet[ResourceUsage], *, size: int, after: Mark | None = None
) -> tuple[Sequence[UsageRow], Mark | None]:
    """`size` rows after the mark, and the mark of the next page; None at the end.

    Costs the same on every page, but that it reads past the earlier rows of its own moment.
    """
    if after is not None:
        # The first bound lets the index seek; the second settles ties within one moment.
        rows = rows.filter(metered_at__lte=after.metered_at).exclude(metered_at=after.metered_at, id__gte=after.id)
    found = list(rows[: size + 1])
    more = len(found) > size
    shown = [UsageRow(usage) for usage in found[:size]]
    last = shown[-1].usage if shown else None
    return shown, Mark(last.metered_at, last.pk) if more and last else None


def summary(*, start: datetime, end: datetime, member_id: int | None = None) -> UsageSummary:
    """Totals by primitive and rate in `[start, end)`: of one member, or of all together."""
    return UsageSummary(start=start, end=end, lines=tuple(_totals(start, end, member_id, by_member=())))


def by_member(*, start: datetime, end: datetime) -> UsageSummary:
    """Totals by member, primitive and rate in `[start, end)`, for operations."""
    return UsageSummary(start=start, end=end, lines=tuple(_totals(start, end, None, by_member=("member_id",))))


def _totals(start: datetime, end: datetime, member_id: int | None, *, by_member: tuple[str, ...]) -> list[UsageTotal]:
    mine = Q(member_id=member_id) if member_id is not None else Q()
    order = list(Primitive)
    rows = (
        ResourceUsage.objects.filter(mine, metered_at__gte=start, metered_at__lt=end)
        .values(*by_member, "primitive", "rate", "rate_card__version")
        .annotate(events=Count("id"), total_quantity=Sum("quantity"), total_cost=Sum("cost"))
        .order_by()
    )
    totals = [
        UsageTotal(
            member_id=row.get("member_id", member_id),
            primitive=Primitive(row["primitive"]),
            rate=row["rate"],
            rate_card_version=row["rate_card__version"],
            events=row["events"],
            quantity=row["total_quantity"],
            cost=row["total_cost"],
        )
        for row in rows
    ]
    return sorted(totals, key=lambda line: (line.member_id or 0, order.index(line.primitive), line.rate_card_version))
