"""What one member used in a month, line by line with its arithmetic, and in total by primitive and by day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from cloud_credits.models import ResourceUsage, ResourceUsageQuerySet, SelfMeterCharge
from cloud_credits.policies.primitives import MEASURES, Measure, Primitive, measure_of
from cloud_credits.reports.activity import day_start
from habitat.money import QUANTITY_PLACES, plain, rounded

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in UTC."""

    year: int
    month: int

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def next(self) -> "Month":
        return Month(self.year + 1, 1) if self.month == 12 else Month(self.year, self.month + 1)

    @property
    def name(self) -> str:
        return f"{self.year:04}-{self.month:02}"

    @property
    def window(self) -> Q:
        """`[start, end)` over the end of the usage."""
        return Q(metered_at__gte=day_start(self.first_day), metered_at__lt=day_start(self.next.first_day))


@dataclass(frozen=True, slots=True)
class PrimitiveTotal:
    """Quantity in the measure's unit, cost in CLOUD."""

    measure: Measure
    events: int
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class DayCost:
    day: date
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last line of a page: lines are ordered by end time, then id, newest first."""

    metered_at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Slice:
    rows: list[ResourceUsage]
    older: Cursor | None


def month_of(text: str | None, *, today: date) -> Month:
    """`2026-04`; the running month where nothing or nonsense is given."""
    try:
        year, month = (int(part) for part in (text or "").split("-"))
        date(year, month, 1)
        date(year + 1, 1, 1)
    except ValueError:
        return Month(today.year, today.month)
    return Month(year, month)


def totals(member_id: int, month: Month) -> list[PrimitiveTotal]:
    """One row a primitive that was used, in the order cards are printed."""
    found = {
        row["primitive"]: row
        for row in _of(member_id, month)
        .order_by()
        .values("primitive")
        .annotate(events=Count("id"), used=Sum("quantity"), paid=Sum("cost"))
    }
    return [
        PrimitiveTotal(measure, found[primitive]["events"], found[primitive]["used"], found[primitive]["paid"])
        for primitive, measure in MEASURES.items()
        if primitive.value in found
    ]


def daily_costs(member_id: int, month: Month) -> list[DayCost]:
    """Every day of the month, CLOUD; a day without usage is 0."""
    spent = dict(
        _of(member_id, month)
        .order_by()
        .annotate(day=TruncDate("metered_at", tzinfo=UTC))
        .values("day")
        .annotate(paid=Sum("cost"))
        .values_list("day", "paid")
    )
    days = (month.next.first_day - month.first_day).days
    each = [month.first_day.replace(day=number + 1) for number in range(days)]
    return [DayCost(day, spent.get(day, Decimal(0))) for day in each]


def page(
    member_id: int,
    month: Month,
    *,
    primitive: Primitive | None = None,
    before: Cursor | None = None,
    size: int = PAGE_SIZE,
) -> Slice:
    """The month's lines, newest first."""
    rows = list(_lines(member_id, month, primitive, before)[: size + 1])
    older = Cursor(rows[size - 1].metered_at, rows[size - 1].pk) if len(rows) > size else None
    return Slice(rows[:size], older)


def every(member_id: int, month: Month, primitive: Primitive | None = None) -> Iterator[ResourceUsage]:
    """The same list without pages, for exports."""
    before: Cursor | None = None
    while True:
        part = page(member_id, month, primitive=primitive, before=before, size=1_000)
        yield from part.rows
        if part.older is None:
            return
        before = part.older


def pending(member_id: int) -> Sequence[SelfMeterCharge]:
    """Windows the house counted and could not charge yet, the oldest first."""
    return list(SelfMeterCharge.objects.pending().filter(member_id=member_id).order_by("window_start", "id")[:50])


def arithmetic(line: ResourceUsage) -> str:
    """`0.250000 compute-hours × 1.0 = 0.25 CLOUD (card v1)`: every factor as it was taken."""
    quantity = rounded(line.quantity, QUANTITY_PLACES)
    rate = plain(line.rate)
    rate = rate if "." in rate else f"{rate}.0"
    unit = measure_of(line.primitive).unit
    return f"{quantity:f} {unit} × {rate} = {plain(line.cost)} CLOUD (card v{line.rate_card.version})"


def _of(member_id: int, month: Month) -> ResourceUsageQuerySet:
    return ResourceUsage.objects.filter(month.window, member_id=member_id)


def _lines(
    member_id: int, month: Month, primitive: Primitive | None, before: Cursor | None
) -> ResourceUsageQuerySet:
    lines = _of(member_id, month).select_related("rate_card").order_by("-metered_at", "-id")
    if primitive:
        lines = lines.filter(primitive=primitive.value)
    if before:
        lines = lines.filter(
            Q(metered_at__lt=before.metered_at) | Q(metered_at=before.metered_at, id__lt=before.id)
        )
    return lines
