"""What a member holds, held at a moment, and how it went: read from the ledger's own balances-after."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from cloud_credits.models import CloudBalance, CloudTransaction
from cloud_credits.policies.movements import TransactionState
from habitat.money import cloud_to_usd


@dataclass(frozen=True, slots=True)
class BalanceFigures:
    """CLOUD liquid and staked at `at`; `sequence` is the number of the last transaction that counts."""

    liquid: Decimal
    staked: Decimal
    sequence: int
    at: datetime | None

    @property
    def total(self) -> Decimal:
        return self.liquid + self.staked

    @property
    def total_usd(self) -> Decimal:
        return cloud_to_usd(self.total)

    @property
    def liquid_usd(self) -> Decimal:
        return cloud_to_usd(self.liquid)

    @property
    def staked_usd(self) -> Decimal:
        return cloud_to_usd(self.staked)


EMPTY = BalanceFigures(liquid=Decimal(0), staked=Decimal(0), sequence=0, at=None)


def balance_of(member_id: int) -> BalanceFigures:
    """The member's balance now; zero for one without a cloud identity."""
    row = CloudBalance.objects.filter(member_id=member_id).first()
    if row is None:
        return EMPTY
    return BalanceFigures(liquid=row.liquid, staked=row.staked, sequence=row.version, at=row.booked_at)


# Each side has an index on (member, booked_at): two reads of one row each, and the later one tells.
_AT = """
SELECT liquid, staked, sequence, booked_at FROM (
    (SELECT from_liquid_after AS liquid, from_staked_after AS staked, from_sequence AS sequence, booked_at
       FROM cloud_credits_cloudtransaction
      WHERE from_member_id = %(member)s AND booked_at <= %(at)s ORDER BY booked_at DESC LIMIT 1)
    UNION ALL
    (SELECT to_liquid_after, to_staked_after, to_sequence, booked_at
       FROM cloud_credits_cloudtransaction
      WHERE to_member_id = %(member)s AND booked_at <= %(at)s ORDER BY booked_at DESC LIMIT 1)
) sides ORDER BY sequence DESC LIMIT 1
"""


def balance_at(member_id: int, at: datetime) -> BalanceFigures:
    """The member's balance as it stood at a moment, that moment's own transactions included."""
    with connection.cursor() as cursor:
        cursor.execute(_AT, {"member": member_id, "at": at})
        row = cursor.fetchone()
    return BalanceFigures(*row) if row else EMPTY


@dataclass(frozen=True, slots=True)
class DayEnd:
    """The balance at the end of one UTC day."""

    day: datetime
    liquid: Decimal
    staked: Decimal

    @property
    def total(self) -> Decimal:
        return self.liquid + self.staked


_HISTORY = """
SELECT day, coalesce(s.liquid, 0), coalesce(s.staked, 0)
  FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz, interval '1 day') AS day
  LEFT JOIN LATERAL (
    SELECT liquid, staked FROM (
        (SELECT from_liquid_after AS liquid, from_staked_after AS staked, from_sequence AS sequence
           FROM cloud_credits_cloudtransaction
          WHERE from_member_id = %(member)s AND booked_at < day + interval '1 day' ORDER BY booked_at DESC LIMIT 1)
        UNION ALL
        (SELECT to_liquid_after, to_staked_after, to_sequence
           FROM cloud_credits_cloudtransaction
          WHERE to_member_id = %(member)s AND booked_at < day + interval '1 day' ORDER BY booked_at DESC LIMIT 1)
    ) sides ORDER BY sequence DESC LIMIT 1
  ) s ON true
 ORDER BY day
"""


def history(member_id: int, *, end: datetime, days: int) -> list[DayEnd]:
    """The balance at the end of each of the last `days` UTC days up to and including that of `end`."""
    last = end.replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, {"member": member_id, "start": last - timedelta(days=days - 1), "end": last})
        return [DayEnd(*row) for row in cursor.fetchall()]


def outstanding() -> Decimal:
    """CLOUD the cooperative owes: liquid and staked, of everybody."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(liquid + staked), 0) FROM cloud_credits_cloudbalance")
        return Decimal(cursor.fetchone()[0])


def pending_of(member_id: int) -> list[CloudTransaction]:
    """What is asked for and not booked yet."""
    waiting = [TransactionState.PENDING.value, TransactionState.PROCESSING.value]
    return list(CloudTransaction.objects.touching(member_id).filter(state__in=waiting).order_by("id"))
