"""What a member sets for their own spending: a monthly cap on metered usage, and when a low balance is told."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from cloud_credits.errors import SpendCapReached
from habitat.money import plain


def month_of(at: datetime) -> date:
    """The first day of the UTC month that holds `at`; ValueError for a moment without a zone."""
    if at.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return at.astimezone(UTC).date().replace(day=1)


def next_month(month: date) -> date:
    """The first day of the month after the one that begins on `month`: when a cap counts from nothing again."""
    return date(month.year + 1, 1, 1) if month.month == 12 else date(month.year, month.month + 1, 1)


def month_refused(refusal: SpendCapReached) -> date:
    """The month whose cap refused a charge, as `Allowance.refusal` told it: the one before the next."""
    return month_of(datetime.fromisoformat(f"{refusal.details['ends']}T00:00:00+00:00") - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a member may still spend on metered usage in the month of `month`, CLOUD. A cap of None stops nothing."""

    cap: Decimal | None
    spent: Decimal
    month: date

    @property
    def left(self) -> Decimal | None:
        """Never below zero: a cap may be set under what is spent already. None without a cap."""
        return None if self.cap is None else max(self.cap - self.spent, Decimal(0))

    def after(self, cost: Decimal) -> "Allowance":
        """What stands once `cost` is charged."""
        return replace(self, spent=self.spent + cost)

    def refusal(self, cost: Decimal) -> SpendCapReached:
        """Of a cost that is not covered: with what is spent, what this needs and the day the next month begins."""
        return SpendCapReached(
            cap=plain(self.cap or Decimal(0)),
            spent=plain(self.spent),
            needed=plain(cost),
            ends=next_month(self.month).isoformat(),
        )
