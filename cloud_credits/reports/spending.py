"""Where a member's month stands: what metered usage cost so far, the cap on it, and the low-balance warning."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

from django.db import connection

from cloud_credits.models import LowBalanceWarning, SpendCap
from cloud_credits.policies.spending import Allowance, month_of, next_month
from cloud_credits.reports.balances import balance_of

# By the moment each redemption was booked, which the ledger's own index on (member, booked_at) bounds. Late usage, let
# in by two persons, counts in no month.
_SPENT = """
SELECT coalesce(sum(u.cost), 0)
  FROM cloud_credits_cloudtransaction t
  JOIN cloud_credits_resourceusage u ON u.transaction_id = t.id
 WHERE t.from_member_id = %(member)s AND t.booked_at >= %(start)s AND t.booked_at < %(end)s AND NOT u.is_late
"""


@dataclass(frozen=True, slots=True)
class Spending:
    """Amounts in CLOUD; `low_balance` is the threshold, None without a warning."""

    member_id: int
    allowance: Allowance
    low_balance: Decimal | None
    liquid: Decimal

    @property
    def is_low(self) -> bool:
        return self.low_balance is not None and self.liquid < self.low_balance

    @property
    def ends_on(self) -> date:
        """The UTC day the next month begins, and the cap counts from nothing."""
        return next_month(self.allowance.month)


def spending_of(member_id: int, *, at: datetime) -> Spending:
    """The member's month of `at`; without a cap it is summed from usage."""
    month = month_of(at)
    cap = SpendCap.objects.filter(pk=member_id).first()
    spent = spent_in(member_id, month) if cap is None else cap.spent if cap.month == month else Decimal(0)
    warning = LowBalanceWarning.objects.filter(pk=member_id).first()
    return Spending(
        member_id=member_id,
        allowance=Allowance(cap=cap.monthly_cap if cap else None, spent=spent, month=month),
        low_balance=warning.threshold if warning else None,
        liquid=balance_of(member_id).liquid,
    )


def spent_in(member_id: int, month: date) -> Decimal:
    """What metered usage booked in the UTC month that begins on `month` cost the member, CLOUD, from the rows."""
    start, end = (datetime.combine(day, time(), UTC) for day in (month, next_month(month)))
    with connection.cursor() as cursor:
        cursor.execute(_SPENT, {"member": member_id, "start": start, "end": end})
        return Decimal(cursor.fetchone()[0])
