"""What usage brought in and what it cost: by primitive, service, member, month or accounting period, against the
bills in the books."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django.db import connection

from cloud_credits.policies.primitives import MEASURES, Measure, Primitive
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud_to_usd, rounded
from treasury.models import Period
from treasury.policies.chart import Ledger
from treasury.reports.sums import check_range, moments

# 55xx: where the bills of each primitive are booked (domain §6).
ACCOUNTS: Final = {
    Primitive.COMPUTE: "5510",
    Primitive.TRANSFER: "5520",
    Primitive.LTM: "5530",
    Primitive.STM: "5540",
}
# Where redemptions are revenue.
REVENUE: Final = "4420"
PERCENT_PLACES: Final = 2
NO_PERIOD: Final = "in no period"
# Two years of quarters.
_PERIODS_OFFERED: Final = 8


class Grouping(StrEnum):
    PRIMITIVE = "primitive"
    SERVICE = "service"
    MEMBER = "member"
    MONTH = "month"
    PERIOD = "period"


# Bills are booked to a primitive on a day: they stand beside lines by primitive and by time, not by who used it.
BESIDE_BILLS: Final = (Grouping.PRIMITIVE, Grouping.MONTH, Grouping.PERIOD)


# (what rows are ordered by, what a reader sees), both text; columns of `part`, its member and the accounting period its
# day is in.
_KEYS: Final = {
    Grouping.PRIMITIVE: ("''", "''"),
    Grouping.SERVICE: ("part.service_name", "part.service_name"),
    Grouping.MEMBER: ("lpad(m.id::text, 19, '0')", "m.display_name || ' (' || m.id || ')'"),
    Grouping.MONTH: ("to_char(part.since, 'YYYY-MM')", "to_char(part.since, 'YYYY-MM')"),
    Grouping.PERIOD: ("coalesce(p.start::text, '')", f"coalesce(p.name, '{NO_PERIOD}')"),
}
# Members come first and each one's usage is summed apart, so that a short range reads its own stretch of the one index
# of usage (member, metered_at, id), a member. Quantity is summed a card, then priced by that card's own cost basis:
# exact. A period may begin on any day: only for periods are days kept apart.
USED: Final = """
WITH used AS (
    SELECT {sort} AS sort, {title} AS title, part.primitive, part.rate_card_id, sum(part.events) AS events,
           sum(part.quantity) AS quantity, sum(part.credits) AS credits,
           sum(part.credits) FILTER (WHERE m.system_code = %(techne)s) AS own
      FROM members_member m
     CROSS JOIN LATERAL (
         SELECT u.primitive, u.service_name, u.rate_card_id,
                date_trunc('{kept}', u.metered_at AT TIME ZONE 'UTC')::date AS since,
                count(*) AS events, sum(u.quantity) AS quantity, sum(u.cost) AS credits
           FROM cloud_credits_resourceusage u
          WHERE u.member_id = m.id AND u.metered_at >= %(start)s AND u.metered_at < %(end)s
          GROUP BY 1, 2, 3, 4
     ) AS part
      LEFT JOIN treasury_period p ON part.since >= p.start AND part.since < p.end
     GROUP BY 1, 2, 3, 4
), priced AS (
    SELECT used.*, used.quantity * CASE used.primitive WHEN 'compute' THEN c.compute_cost
               WHEN 'transfer' THEN c.transfer_cost WHEN 'ltm' THEN c.ltm_cost ELSE c.stm_cost END AS infrastructure
      FROM used
      JOIN cloud_credits_ratecard c ON c.id = used.rate_card_id
)
SELECT sort, title, primitive, coalesce(sum(events), 0)::bigint, coalesce(sum(quantity), 0),
       coalesce(sum(credits), 0), coalesce(sum(infrastructure), 0), coalesce(sum(own), 0)
  FROM priced
 GROUP BY GROUPING SETS ((sort, title, primitive), ())
 ORDER BY grouping(primitive), sort, array_position(ARRAY['compute', 'transfer', 'ltm', 'stm'], primitive::text)
"""
_BOOKED_TITLES: Final = {Grouping.MONTH: "to_char(e.effective_on, 'YYYY-MM')", Grouping.PERIOD: "p.name"}
# Closing entries turn expenses and revenue back to nothing; what was booked must not see that.
_BOOKED: Final = """
SELECT {title}, split_part(a.code, '-', 1),
       sum(CASE l.side WHEN 'D' THEN l.amount ELSE -l.amount END)
  FROM treasury_account a
  JOIN treasury_journalline l ON l.account_id = a.id
  JOIN treasury_journalentry e ON e.id = l.entry_id
  JOIN treasury_period p ON p.id = e.period_id
 WHERE a.ledger = %(ledger)s AND split_part(a.code, '-', 1) = ANY(%(codes)s)
   AND e.effective_on >= %(first)s AND e.effective_on < %(last)s AND e.source_kind <> 'close'
 GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Margin:
    """Credits redeemed in CLOUD; everything else in USD, exact.

    `infrastructure` is quantity × the cost basis of the card that priced the usage; `booked` the 55xx bills of the
    same days, None where bills are not kept apart (services and members).
    """

    events: int
    credits: Decimal
    infrastructure: Decimal
    booked: Decimal | None

    @property
    def usd(self) -> Decimal:
        return cloud_to_usd(self.credits)

    @property
    def margin(self) -> Decimal:
        return self.usd - self.infrastructure

    @property
    def percent(self) -> Decimal | None:
        """The margin in per cent of the USD redeemed, half-up to two decimals; None where nothing was redeemed."""
        return rounded(self.margin / self.usd * 100, PERCENT_PLACES) if self.usd else None

    @property
    def difference(self) -> Decimal | None:
        """Booked less reckoned: above zero, the bills were higher than the cards said."""
        return None if self.booked is None else self.booked - self.infrastructure


@dataclass(frozen=True, slots=True)
class MarginRow(Margin):
    """One primitive of one service, member, month or period; `quantity` in its unit."""

    title: str
    primitive: Primitive
    quantity: Decimal

    @property
    def measure(self) -> Measure:
        return MEASURES[self.primitive]


@dataclass(frozen=True, slots=True)
class MarginReport:
    """`own` is what the cooperative itself redeemed, CLOUD: it counts as used, and is no revenue (domain §6). `revenue`
    is what was booked to 4420 in these days, USD: usage counts here by when it ended, there by when it was booked.
    """

    grouping: Grouping
    rows: tuple[MarginRow, ...]
    total: Margin
    own: Decimal = field(default=Decimal(0))
    revenue: Decimal = field(default=Decimal(0))

    @property
    def own_usd(self) -> Decimal:
        return cloud_to_usd(self.own)

    @property
    def of_other_days(self) -> Decimal:
        """Redeemed here, less the cooperative's own, less revenue, USD: what ended in these days and was booked on
        others is above zero, what was booked in them and ended on others, or is no usage, below."""
        return self.total.usd - self.own_usd - self.revenue


def usage_margin(first: date, end: date, *, by: Grouping) -> MarginReport:
    """Usage that ended in the UTC days `[first, end)`. Raises RangeBackwards."""
    check_range(first, end)
    booked, revenue = _booked(first, end, by)
    found = _used(first, end, by)
    (*_, events, _quantity, credits, infrastructure, own) = found.pop()
    rows = [
        MarginRow(
            title=title,
            primitive=Primitive(primitive),
            events=events_here,
            quantity=quantity,
            credits=credits_here,
            infrastructure=cost,
            booked=_booked_for(by, title, Primitive(primitive), booked),
        )
        for _sort, title, primitive, events_here, quantity, credits_here, cost, _own in found
    ]
    rows += _bills_without_usage(by, rows, booked)
    if by in (Grouping.MONTH, Grouping.PERIOD):
        # Months go by their names, periods by their first day; what is in none stands first.
        begins = dict(Period.objects.values_list("name", "start")) if by is Grouping.PERIOD else {}
        rows.sort(key=lambda row: (begins.get(row.title, date.min), row.title, list(Primitive).index(row.primitive)))
    total = Margin(
        events=events, credits=credits, infrastructure=infrastructure, booked=sum(booked.values(), Decimal(0))
    )
    return MarginReport(grouping=by, rows=tuple(rows), total=total, own=own, revenue=revenue)


def periods(on: date) -> list[Period]:
    """The accounting periods begun by `on`, newest first: the ranges that people hold this report against."""
    return list(Period.objects.filter(start__lte=on).order_by("-start")[:_PERIODS_OFFERED])


def _used(first: date, end: date, by: Grouping) -> list[tuple[Any, ...]]:
    """Rows in order; the last one is the sum of all."""
    sort, title = _KEYS[by]
    since, until = moments(first, end)
    given = {"start": since, "end": until, "techne": SystemAccount.TECHNE.value}
    with connection.cursor() as cursor:
        cursor.execute(USED.format(sort=sort, title=title, kept=_kept(by)), given)
        return list(cursor.fetchall())


def _kept(by: Grouping) -> str:
    return "day" if by is Grouping.PERIOD else "month"


def _booked(first: date, end: date, by: Grouping) -> tuple[dict[tuple[str, Primitive], Decimal], Decimal]:
    """Debits less credits of 5510 to 5540, by primitive and the month or period where lines are by those; and the
    credits less debits of 4420."""
    given = {"first": first, "last": end, "codes": [*ACCOUNTS.values(), REVENUE], "ledger": Ledger.BOOK.value}
    named = {code: primitive for primitive, code in ACCOUNTS.items()}
    with connection.cursor() as cursor:
        cursor.execute(_BOOKED.format(title=_BOOKED_TITLES.get(by, "''")), given)
        found = cursor.fetchall()
    bills = {(title, named[code]): amount for title, code, amount in found if code != REVENUE}
    return bills, -sum((amount for _title, code, amount in found if code == REVENUE), Decimal(0))


def _booked_for(
    by: Grouping, title: str, primitive: Primitive, booked: dict[tuple[str, Primitive], Decimal]
) -> Decimal | None:
    return booked.get((title, primitive), Decimal(0)) if by in BESIDE_BILLS else None


def _bills_without_usage(
    by: Grouping, rows: list[MarginRow], booked: dict[tuple[str, Primitive], Decimal]
) -> list[MarginRow]:
    """A bill for what nobody used is a row too, else the column would not add up to its total."""
    if by not in BESIDE_BILLS:
        return []
    shown = {(row.title, row.primitive) for row in rows}
    nothing = {"events": 0, "credits": Decimal(0), "infrastructure": Decimal(0), "quantity": Decimal(0)}
    return [
        MarginRow(title=title, primitive=primitive, booked=_booked_for(by, title, primitive, booked), **nothing)
        for title, primitive in sorted(booked.keys() - shown)
    ]
