"""A dollar followed from payment to bank line: treasury's links with the credits of the floor above put in."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cloud_credits.reports.payment_mints import (
    Minted,
    held_up,
    late_for,
    minted_for,
    payment_of_purchase,
    payment_of_transaction,
)
from habitat.money import cloud_to_usd
from treasury.models import Payment
from treasury.policies.trace import Arrow, Gap, Link, Trail, gaps
from treasury.reports.trace import By, payments_by, trail_of, trail_of_unknown

# What the floor above numbers itself: each leads to the number of a payment.
ABOVE: Final = {By.TRANSACTION: payment_of_transaction, By.PURCHASE: payment_of_purchase}


@dataclass(frozen=True, slots=True)
class Trace:
    """One payment's way. `payment` is None where the books know of none; `steps` are links and gaps in their order."""

    payment: Payment | None
    trail: Trail
    gaps: tuple[Gap, ...]

    @property
    def is_whole(self) -> bool:
        return not self.gaps


def search(by: By, wanted: str) -> list[Payment]:
    """The payments meant, newest first."""
    if by in ABOVE:
        number = ABOVE[by](int(wanted)) if wanted.isdecimal() and len(wanted) <= 18 else None
        return payments_by(By.PAYMENT, str(number)) if number is not None else []
    return payments_by(by, wanted)


def trace(payment: Payment, *, now: datetime) -> Trace:
    """Every link and every gap of one payment, in a fixed number of queries."""
    trail = trail_of(payment)
    minted = minted_for(payment.pk)
    if minted is not None:
        trail = replace(trail, links=(*trail.links, *map(_link, (minted, *late_for(payment)))))
    else:
        trail = replace(trail, held_up=held_up(payment.pk))
    return _told(payment, trail, now)


def _link(minted: Minted) -> Link:
    return Link(
        Arrow.MINT,
        f"Transaction {minted.transaction_id}",
        minted.booked_at,
        cloud_to_usd(minted.amount),
        minted.state,
        "cloud_credits.cloudtransaction",
        minted.transaction_id,
        minted.entry_id,
        minted.amount,
    )


def trace_of_unknown(by: By, wanted: str, *, now: datetime) -> Trace | None:
    """What is known of a reference of Stripe's, or a line of the bank's, without a payment."""
    trail = trail_of_unknown(by, wanted)
    return None if trail is None else _told(None, trail, now)


def _told(payment: Payment | None, trail: Trail, now: datetime) -> Trace:
    order = {arrow: place for place, arrow in enumerate((*trail.order, Arrow.REFUND, Arrow.DISPUTE))}
    links = sorted(trail.links, key=lambda link: order[link.arrow])
    return Trace(payment, replace(trail, links=tuple(links)), tuple(gaps(trail, now=now)))
