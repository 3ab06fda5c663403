"""What one member sees of the credit ledger: their transactions by filter, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Final

from django.db.models import Q, QuerySet

from cloud_credits.models import ChainBlock, CloudTransaction
from cloud_credits.policies.movements import TransactionType

PAGE_SIZE: Final = 25


class Direction(StrEnum):
    """Seen from one member. A stake stays within."""

    IN = "in"
    OUT = "out"
    WITHIN = "within"


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """What a person asked to see. Days are UTC days, both included; `text` looks into the description and names."""

    type: TransactionType | None = None
    direction: Direction | None = None
    first_day: date | None = None
    last_day: date | None = None
    text: str = ""

    @property
    def is_empty(self) -> bool:
        return self == ActivityFilter()


@dataclass(frozen=True, slots=True)
class Activity:
    """One transaction as `member_id` sees it: their own balances after it, never the other side's."""

    transaction: CloudTransaction
    member_id: int

    @property
    def direction(self) -> Direction:
        row = self.transaction
        if row.from_member_id == row.to_member_id:
            return Direction.WITHIN
        return Direction.IN if row.to_member_id == self.member_id else Direction.OUT

    @property
    def change(self) -> Decimal:
        """Change of what the member may spend, CLOUD: a stake takes it away, an unstake brings it back."""
        row = self.transaction
        if row.type == TransactionType.STAKE.value:
            return -row.amount
        return -row.amount if self.direction is Direction.OUT else row.amount

    @property
    def counterparty(self) -> str:
        """The other member's name; empty where there is none."""
        row = self.transaction
        if self.direction is Direction.WITHIN:
            return ""
        other = row.from_member if self.direction is Direction.IN else row.to_member
        return other.display_name if other else ""

    @property
    def liquid_after(self) -> Decimal | None:
        row = self.transaction
        return row.to_liquid_after if self.direction is Direction.IN else row.from_liquid_after

    @property
    def staked_after(self) -> Decimal | None:
        row = self.transaction
        return row.to_staked_after if self.direction is Direction.IN else row.from_staked_after

    @property
    def sequence(self) -> int | None:
        row = self.transaction
        return row.to_sequence if self.direction is Direction.IN else row.from_sequence


@dataclass(frozen=True, slots=True)
class Slice:
    """One page: `older` and `newer` are the cursors of its neighbours, None at the ends."""

    rows: list[Activity]
    older: datetime | None
    newer: datetime | None


def page(
    member_id: int,
    chosen: ActivityFilter,
    *,
    before: datetime | None = None,
    after: datetime | None = None,
    size: int = PAGE_SIZE,
) -> Slice:
    """Booked transactions of a member, newest first. `booked_at` never repeats within a balance: it is the cursor.

    `before` goes on towards older rows, `after` back towards newer ones.
    """
    backwards = after is not None
    ids = _ids(member_id, chosen, before=before, after=after, limit=size + 1)
    more = len(ids) > size
    # Walking back, the row too many is the newest one.
    rows = _rows(member_id, ids[-size:] if backwards else ids[:size])
    if not rows:
        return Slice([], None, None)
    first, last = rows[0].transaction.booked_at, rows[-1].transaction.booked_at
    has_older = True if backwards else more
    has_newer = more if backwards else before is not None
    return Slice(rows, older=last if has_older else None, newer=first if has_newer else None)


def every(member_id: int, chosen: ActivityFilter) -> Iterator[Activity]:
    """The same list without pages, for exports: read in pieces, the newest first."""
    before: datetime | None = None
    while True:
        rows = _rows(member_id, _ids(member_id, chosen, before=before, after=None, limit=1_000))
        yield from rows
        if len(rows) < 1_000:
            return
        before = rows[-1].transaction.booked_at


def block_height(row: CloudTransaction) -> int | None:
    """The sealed block of the hash chain that holds this transaction; None while it waits for the sealer."""
    if row.booked_xid is None:
        return None
    sealed = ChainBlock.objects.filter(from_xid__lte=row.booked_xid, to_xid__gt=row.booked_xid)
    return sealed.values_list("height", flat=True).first()


def day_start(day: date) -> datetime:
    """00:00:00 UTC of `day`."""
    return datetime.combine(day, time(), tzinfo=UTC)


def _ids(
    member_id: int, chosen: ActivityFilter, *, before: datetime | None, after: datetime | None, limit: int
) -> list[int]:
    """Newest first. Each side has an index on (member, booked_at): two short walks instead of one long sort."""
    window = Q(booked_at__isnull=False)
    if before is not None:
        window &= Q(booked_at__lt=before)
    if after is not None:
        window &= Q(booked_at__gt=after)
    order = "booked_at" if after is not None else "-booked_at"
    condition = window & _condition(member_id, chosen)
    sent = CloudTransaction.objects.filter(condition, from_member_id=member_id)
    got = CloudTransaction.objects.filter(condition, to_member_id=member_id).exclude(from_member_id=member_id)
    both = [_walk(side, order, limit) for side in (sent, got)]
    ids = [row[0] for row in both[0].union(both[1], all=True).order_by(order)[:limit]]
    return ids if after is None else ids[::-1]


def _walk(
    side: "QuerySet[CloudTransaction]", order: str, limit: int
) -> "QuerySet[CloudTransaction, tuple[int, datetime]]":
    return side.order_by(order).values_list("id", "booked_at")[:limit]


def _condition(member_id: int, chosen: ActivityFilter) -> Q:
    condition = Q()
    if chosen.type:
        condition &= Q(type=chosen.type.value)
    if chosen.first_day:
        condition &= Q(booked_at__gte=day_start(chosen.first_day))
    if chosen.last_day:
        condition &= Q(booked_at__lte=datetime.combine(chosen.last_day, time.max, tzinfo=UTC))
    if chosen.text:
        condition &= (
            Q(description__icontains=chosen.text)
            | Q(reference__icontains=chosen.text)
            | (Q(from_member__display_name__icontains=chosen.text) & ~Q(from_member_id=member_id))
            | (Q(to_member__display_name__icontains=chosen.text) & ~Q(to_member_id=member_id))
        )
    return condition & _direction(member_id, chosen.direction)


def _direction(member_id: int, direction: Direction | None) -> Q:
    sends, gets = Q(from_member_id=member_id), Q(to_member_id=member_id)
    # `NOT (x = m)` is unknown where x is null, so absence is spelled out.
    no_send = Q(from_member_id__isnull=True) | ~sends
    no_get = Q(to_member_id__isnull=True) | ~gets
    return {None: Q(), Direction.IN: gets & no_send, Direction.OUT: sends & no_get, Direction.WITHIN: sends & gets}[
        direction
    ]


def _rows(member_id: int, ids: list[int]) -> list[Activity]:
    found = CloudTransaction.objects.select_related("from_member", "to_member").in_bulk(ids)
    return [Activity(found[number], member_id) for number in ids]
