"""A calendar month of one member's usage: its bounds, and what each day cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

from django.db.models import Sum
from django.db.models.functions import TruncDate

from cloud_credits.policies.primitives import Primitive
from cloud_credits.reports import usage
from cloud_credits.reports.usage import Mark, UsageRow

EXPORT_PIECE = 1_000


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in UTC: `[start, end)`."""

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
    def start(self) -> datetime:
        return datetime.combine(self.first_day, time(), tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.next.start


@dataclass(frozen=True, slots=True)
class DayCost:
    """What a UTC day's usage cost, CLOUD."""

    day: date
    cost: Decimal


def month_of(text: str) -> Month:
    """The month written as `2026-04`. Raises ValueError for anything else."""
    year, month = (int(part) for part in text.split("-"))
    date(year + 1, month, 1)
    return Month(date(year, month, 1).year, month)


def daily_costs(member_id: int, month: Month) -> list[DayCost]:
    """Every day of the month; a day without usage is 0."""
    spent = dict(
        usage.of_member(member_id, start=month.start, end=month.end)
        .order_by()
        .annotate(day=TruncDate("metered_at", tzinfo=UTC))
        .values("day")
        .annotate(paid=Sum("cost"))
        .values_list("day", "paid")
    )
    days = (month.next.first_day - month.first_day).days
    each = [month.first_day.replace(day=number + 1) for number in range(days)]
    return [DayCost(day, spent.get(day, Decimal(0))) for day in each]


def every(member_id: int, month: Month, primitive: Primitive | None = None) -> Iterator[UsageRow]:
    """The month's lines without pages, for exports: read in pieces, the newest first."""
    rows = usage.of_member(member_id, start=month.start, end=month.end, primitive=primitive).with_booking()
    mark: Mark | None = None
    while True:
        part, mark = usage.page(rows, size=EXPORT_PIECE, after=mark)
        yield from part
        if mark is None:
            return
