"""What a rate card would have cost on usage that was really metered: for one member, and for the whole cooperative.

Nothing is written. Each event is rounded as its price would be (`policies/pricing.cost`) and only then summed, in the
database: a sum of rounded costs, never a rounded sum.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, localcontext
from typing import Any, Final

from django.db import connection

from cloud_credits.models import RateCard, ResourceUsage
from cloud_credits.policies.pricing import cost
from cloud_credits.policies.primitives import MEASURES, Measure, Primitive
from cloud_credits.reports import usage
from cloud_credits.reports.usage import Mark, UsageRow, arithmetic
from habitat.members.models import Member
from habitat.members.policies.statuses import SystemAccount
from habitat.money import CLOUD_PLACES, EXACT_DIGITS, SMALLEST_CLOUD, cloud_to_usd, product, rounded
from treasury.models import Period

LARGEST_CHANGES: Final = 10
EXPORT_PIECE: Final = 1_000
_PERCENT_PLACES: Final = 2

# Per member by the index on (member, metered_at): as dear as the span is long, however much usage lies before it.
# The cooperative's own usage is no revenue (domain §6: it owes itself).
_OF_ALL: Final = """
WITH used AS MATERIALIZED (
    SELECT m.id AS member_id, part.*
      FROM members_member m
     CROSS JOIN LATERAL (
        SELECT u.primitive, u.rate_card_id, count(*) AS events, sum(u.quantity) AS quantity, sum(u.cost) AS was,
               sum(greatest(round(u.quantity * CASE u.primitive
                       WHEN 'compute' THEN %(compute_rate)s::numeric
                       WHEN 'transfer' THEN %(transfer_rate)s::numeric
                       WHEN 'ltm' THEN %(ltm_rate)s::numeric
                       WHEN 'stm' THEN %(stm_rate)s::numeric END, %(places)s), %(least)s)) AS would_be
          FROM cloud_credits_resourceusage u
         WHERE u.member_id = m.id AND u.metered_at >= %(start)s AND u.metered_at < %(end)s
         GROUP BY u.primitive, u.rate_card_id) part
     WHERE m.system_code IS DISTINCT FROM %(techne)s
)
SELECT used.primitive, used.member_id, sum(used.events)::bigint, sum(used.quantity), sum(used.was), sum(used.would_be),
       sum(used.quantity * CASE used.primitive
               WHEN 'compute' THEN c.compute_cost
               WHEN 'transfer' THEN c.transfer_cost
               WHEN 'ltm' THEN c.ltm_cost
               WHEN 'stm' THEN c.stm_cost END)
  FROM used
  JOIN cloud_credits_ratecard c ON c.id = used.rate_card_id
 GROUP BY GROUPING SETS ((used.primitive), (used.member_id))
"""
_OF_ONE: Final = """
SELECT u.primitive, count(*), sum(u.quantity), sum(u.cost),
       sum(greatest(round(u.quantity * CASE u.primitive
               WHEN 'compute' THEN %(compute_rate)s::numeric
               WHEN 'transfer' THEN %(transfer_rate)s::numeric
               WHEN 'ltm' THEN %(ltm_rate)s::numeric
               WHEN 'stm' THEN %(stm_rate)s::numeric END, %(places)s), %(least)s))
  FROM cloud_credits_resourceusage u
 WHERE u.member_id = %(member)s AND u.metered_at >= %(start)s AND u.metered_at < %(end)s
 GROUP BY u.primitive
"""


@dataclass(frozen=True, slots=True)
class Span:
    """The time whose usage is priced again, `[start, end)`. `key` names it in an address."""

    key: str
    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One primitive: what its usage cost, and would have cost, in CLOUD."""

    primitive: Primitive
    events: int
    quantity: Decimal
    was: Decimal
    would_be: Decimal

    @property
    def measure(self) -> Measure:
        return MEASURES[self.primitive]

    @property
    def change(self) -> Decimal:
        return self.would_be - self.was


@dataclass(frozen=True, slots=True)
class MemberEffect:
    """One member's usage of a span under two prices."""

    span: Span
    lines: Sequence[Line]

    @property
    def was(self) -> Decimal:
        return sum((line.was for line in self.lines), Decimal(0))

    @property
    def would_be(self) -> Decimal:
        return sum((line.would_be for line in self.lines), Decimal(0))

    @property
    def change(self) -> Decimal:
        return self.would_be - self.was

    @property
    def percent(self) -> Decimal | None:
        """The change in percent of what was paid; None where nothing was."""
        return _percent(self.change, self.was)


@dataclass(frozen=True, slots=True)
class EventEffect:
    """One event with both arithmetics."""

    usage: ResourceUsage
    rate: Decimal

    @property
    def was_arithmetic(self) -> str:
        return UsageRow(self.usage).arithmetic

    @property
    def would_be(self) -> Decimal:
        return cost(self.usage.quantity, self.rate)

    @property
    def arithmetic(self) -> str:
        row = self.usage
        return arithmetic(quantity=row.quantity, unit=row.unit, rate=self.rate, cost=self.would_be)

    @property
    def change(self) -> Decimal:
        return self.would_be - self.usage.cost


@dataclass(frozen=True, slots=True)
class HouseLine:
    """One primitive of everybody: `was`, `would_be` in CLOUD; what serving it costs the cooperative in USD."""

    primitive: Primitive
    events: int
    quantity: Decimal
    was: Decimal
    would_be: Decimal
    cost_was: Decimal
    # None while a draft says no cost.
    cost_would_be: Decimal | None

    @property
    def measure(self) -> Measure:
        return MEASURES[self.primitive]

    @property
    def revenue_was(self) -> Decimal:
        return cloud_to_usd(self.was)

    @property
    def revenue_would_be(self) -> Decimal:
        return cloud_to_usd(self.would_be)

    @property
    def margin_was(self) -> Decimal | None:
        return _margin(self.revenue_was, self.cost_was)

    @property
    def margin_would_be(self) -> Decimal | None:
        return _margin(self.revenue_would_be, self.cost_would_be)


@dataclass(frozen=True, slots=True)
class MemberChange:
    """What one member would have paid, CLOUD."""

    member_id: int
    name: str
    was: Decimal
    would_be: Decimal

    @property
    def change(self) -> Decimal:
        return self.would_be - self.was

    @property
    def percent(self) -> Decimal | None:
        return _percent(self.change, self.was)


@dataclass(frozen=True, slots=True)
class HouseEffect:
    """Everybody's usage of a span under two prices: a dry run. Margins in percent of revenue."""

    span: Span
    lines: Sequence[HouseLine]
    paying_more: int
    paying_less: int
    paying_same: int
    largest: Sequence[MemberChange]

    @property
    def was(self) -> Decimal:
        return sum((line.was for line in self.lines), Decimal(0))

    @property
    def would_be(self) -> Decimal:
        return sum((line.would_be for line in self.lines), Decimal(0))

    @property
    def revenue_was(self) -> Decimal:
        return cloud_to_usd(self.was)

    @property
    def revenue_would_be(self) -> Decimal:
        return cloud_to_usd(self.would_be)

    @property
    def cost_was(self) -> Decimal:
        return sum((line.cost_was for line in self.lines), Decimal(0))

    @property
    def cost_would_be(self) -> Decimal | None:
        costs = [line.cost_would_be for line in self.lines]
        return None if None in costs else sum((each for each in costs if each is not None), Decimal(0))

    @property
    def margin_was(self) -> Decimal | None:
        return _margin(self.revenue_was, self.cost_was)

    @property
    def margin_would_be(self) -> Decimal | None:
        return _margin(self.revenue_would_be, self.cost_would_be)


def spans(on: date) -> list[Span]:
    """The accounting period that ended last before `on`, then the running one so far; either may be missing."""
    periods = list(Period.objects.filter(start__lte=on).order_by("-start")[:2])
    if periods and periods[0].end <= on:
        # None is running: the one before has no name of its own here.
        periods = periods[:1]
    found = []
    for period in reversed(periods):
        ended = period.end <= on
        name = period.name if ended else f"{period.name} so far"
        found.append(Span("last" if ended else "this", name, _midnight(period.start), _midnight(period.end)))
    return found


def span_called(key: str, of: Sequence[Span]) -> Span | None:
    """The span an address names; None for any other word."""
    return next((span for span in of if span.key == key), None)


def of_member(member_id: int, card: RateCard, span: Span) -> MemberEffect:
    """What `card` would have cost the member in `span`, by primitive in the order cards are printed."""
    rows = {Primitive(row[0]): row[1:] for row in _rows(_OF_ONE, _terms(card, span) | {"member": member_id})}
    return MemberEffect(span, [Line(each, *rows[each]) for each in MEASURES if each in rows])


def fitting(member_id: int, card: RateCard, of: Sequence[Span]) -> MemberEffect | None:
    """The first of the spans in which the member used anything, or else the last; None where there is no span."""
    found = None
    for span in of:
        found = of_member(member_id, card, span)
        if found.lines:
            break
    return found


def events(
    member_id: int, card: RateCard, span: Span, *, size: int, after: Mark | None = None
) -> tuple[list[EventEffect], Mark | None]:
    """The member's single events of `span`, newest first, each under both prices; and the mark of the next page."""
    rows, mark = usage.page(usage.of_member(member_id, start=span.start, end=span.end), size=size, after=after)
    return priced(rows, card), mark


def every_event(member_id: int, card: RateCard, span: Span) -> Iterator[EventEffect]:
    """The same without pages, for exports: read in pieces, however many there are."""
    mark: Mark | None = None
    while True:
        part, mark = events(member_id, card, span, size=EXPORT_PIECE, after=mark)
        yield from part
        if mark is None:
            return


def priced(rows: Iterable[UsageRow], card: RateCard) -> list[EventEffect]:
    rates = _rates(card)
    return [EventEffect(row.usage, rates[Primitive(row.usage.primitive)]) for row in rows]


def of_all(card: RateCard, span: Span) -> HouseEffect:
    """A dry run of `card` over everybody's usage in `span`, techne's own left out."""
    terms = _terms(card, span) | {"techne": SystemAccount.TECHNE.value}
    lines: dict[Primitive, HouseLine] = {}
    members: list[tuple[int, Decimal, Decimal]] = []
    for word, member_id, count, quantity, was, would_be, cost_was in _rows(_OF_ALL, terms):
        if word is None:
            members.append((member_id, was, would_be))
            continue
        primitive = Primitive(word)
        unit_cost = getattr(card, f"{primitive.value}_cost")
        cost_would_be = None if unit_cost is None else product(quantity, unit_cost)
        lines[primitive] = HouseLine(primitive, count, quantity, was, would_be, cost_was, cost_would_be)
    return HouseEffect(
        span=span,
        lines=[lines[each] for each in MEASURES if each in lines],
        paying_more=sum(1 for _, was, would_be in members if would_be > was),
        paying_less=sum(1 for _, was, would_be in members if would_be < was),
        paying_same=sum(1 for _, was, would_be in members if would_be == was),
        largest=_largest(members),
    )


def _largest(members: Sequence[tuple[int, Decimal, Decimal]]) -> list[MemberChange]:
    """The members whose cost changes most, either way; ties by member number."""
    changed = [row for row in members if row[1] != row[2]]
    most = heapq.nsmallest(LARGEST_CHANGES, changed, key=lambda row: (-abs(row[2] - row[1]), row[0]))
    names = dict(Member.objects.filter(pk__in=[row[0] for row in most]).values_list("pk", "display_name"))
    return [MemberChange(member_id, names[member_id], was, would_be) for member_id, was, would_be in most]


def _rates(card: RateCard) -> Mapping[Primitive, Decimal]:
    return {primitive: getattr(card, f"{primitive.value}_rate") for primitive in MEASURES}


def _terms(card: RateCard, span: Span) -> dict[str, Any]:
    rates = {f"{primitive.value}_rate": rate for primitive, rate in _rates(card).items()}
    return rates | {"places": CLOUD_PLACES, "least": SMALLEST_CLOUD, "start": span.start, "end": span.end}


def _rows(sql: str, terms: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, terms)
        return list(cursor.fetchall())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _margin(revenue: Decimal, spent: Decimal | None) -> Decimal | None:
    return None if spent is None else _percent(revenue - spent, revenue)


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    if not whole:
        return None
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return rounded(part / whole * 100, _PERCENT_PLACES)
