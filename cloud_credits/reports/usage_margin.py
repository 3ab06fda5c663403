"""What usage brought in and what it cost: by primitive, service, member or month, against the bills in the books."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django.db import connection

from cloud_credits.policies.primitives import MEASURES, Measure, Primitive
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud_to_usd, rounded
from treasury.policies.chart import Ledger
from treasury.reports.sums import check_range, moments

# 55xx: where the bills of each primitive are booked (domain §6).
ACCOUNTS: Final = {
    Primitive.COMPUTE: "5510",
    Primitive.TRANSFER: "5520",
    Primitive.LTM: "5530",
    Primitive.STM: "5540",
}
PERCENT_PLACES: Final = 2


class Grouping(StrEnum):
    PRIMITIVE = "primitive"
    SERVICE = "service"
    MEMBER = "member"
    MONTH = "month"


# (what rows are ordered by, what a reader sees), both text; columns of `part` and of its member.
_KEYS: Final = {
    Grouping.PRIMITIVE: ("''", "''"),
    Grouping.SERVICE: ("part.service_name", "part.service_name"),
    Grouping.MEMBER: ("lpad(m.id::text, 19, '0')", "m.display_name || ' (' || m.id || ')'"),
    Grouping.MONTH: ("part.month", "part.month"),
}
# Members come first and each one's usage is summed apart, so that a short range reads its own stretch of the one index
# of usage (member, metered_at, id), a member. Quantity is summed a card, then priced by that card's own cost basis:
# exact.
USED: Final = """
WITH used AS (
    SELECT {sort} AS sort, {title} AS title, part.primitive, part.rate_card_id, sum(part.events) AS events,
           sum(part.quantity) AS quantity, sum(part.credits) AS credits,
           sum(part.credits) FILTER (WHERE m.system_code = %(techne)s) AS own
      FROM members_member m
     CROSS JOIN LATERAL (
         SELECT u.primitive, u.service_name, u.rate_card_id,
                to_char(u.metered_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month,
                count(*) AS events, sum(u.quantity) AS quantity, sum(u.cost) AS credits
           FROM cloud_credits_resourceusage u
          WHERE u.member_id = m.id AND u.metered_at >= %(start)s AND u.metered_at < %(end)s
          GROUP BY 1, 2, 3, 4
     ) AS part
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
# Closing entries turn an expense back to nothing; what was booked must not see that.
_BOOKED: Final = """
SELECT to_char(e.effective_on, 'YYYY-MM'), split_part(a.code, '-', 1),
       sum(CASE l.side WHEN 'D' THEN l.amount ELSE -l.amount END)
  FROM treasury_account a
  JOIN treasury_journalline l ON l.account_id = a.id
  JOIN treasury_journalentry e ON e.id = l.entry_id
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
    """One primitive of one service, member or month; `quantity` in its unit."""

    title: str
    primitive: Primitive
    quantity: Decimal

    @property
    def measure(self) -> Measure:
        return MEASURES[self.primitive]


@dataclass(frozen=True, slots=True)
class MarginReport:
    """`own` is what the cooperative itself redeemed, CLOUD: it counts as used, and is no revenue (domain §6)."""

    grouping: Grouping
    rows: tuple[MarginRow, ...]
    total: Margin
    own: Decimal = field(default=Decimal(0))


def usage_margin(first: date, end: date, *, by: Grouping) -> MarginReport:
    """Usage that ended in the UTC days `[first, end)`. Raises RangeBackwards."""
    check_range(first, end)
    booked = _booked(first, end)
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
    if by is Grouping.MONTH:
        rows.sort(key=lambda row: (row.title, list(Primitive).index(row.primitive)))
    total = Margin(
        events=events, credits=credits, infrastructure=infrastructure, booked=sum(booked.values(), Decimal(0))
    )
    return MarginReport(grouping=by, rows=tuple(rows), total=total, own=own)


def _used(first: date, end: date, by: Grouping) -> list[tuple[Any, ...]]:
    """Rows in order; the last one is the sum of all."""
    sort, title = _KEYS[by]
    since, until = moments(first, end)
    given = {"start": since, "end": until, "techne": SystemAccount.TECHNE.value}
    with connection.cursor() as cursor:
        cursor.execute(USED.format(sort=sort, title=title), given)
        return list(cursor.fetchall())


def _booked(first: date, end: date) -> dict[tuple[str, Primitive], Decimal]:
    """Debits less credits of 5510 to 5540, by month and primitive."""
    given = {"first": first, "last": end, "codes": list(ACCOUNTS.values()), "ledger": Ledger.BOOK.value}
    named = {code: primitive for primitive, code in ACCOUNTS.items()}
    with connection.cursor() as cursor:
        cursor.execute(_BOOKED, given)
        return {(month, named[code]): amount for month, code, amount in cursor.fetchall()}


def _booked_for(
    by: Grouping, title: str, primitive: Primitive, booked: dict[tuple[str, Primitive], Decimal]
) -> Decimal | None:
    if by in (Grouping.SERVICE, Grouping.MEMBER):
        return None
    parts = [amount for (month, of), amount in booked.items() if of is primitive and title in ("", month)]
    return sum(parts, Decimal(0))


def _bills_without_usage(
    by: Grouping, rows: list[MarginRow], booked: dict[tuple[str, Primitive], Decimal]
) -> list[MarginRow]:
    """A bill for what nobody used is a row too, else the column would not add up to its total."""
    if by in (Grouping.SERVICE, Grouping.MEMBER):
        return []
    shown = {(row.title, row.primitive) for row in rows}
    wanted = {("" if by is Grouping.PRIMITIVE else month, primitive) for month, primitive in booked}
    nothing = {"events": 0, "credits": Decimal(0), "infrastructure": Decimal(0), "quantity": Decimal(0)}
    return [
        MarginRow(title=title, primitive=primitive, booked=_booked_for(by, title, primitive, booked), **nothing)
        for title, primitive in sorted(wanted - shown)
    ]
