"""Pay-outs as Stripe reports them. They are booked when their bank line is matched; until then they are in transit."""

from datetime import date, datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from habitat.errors import IdempotencyConflict
from habitat.members.policies.actors import Actor
from treasury import locks
from treasury.models import Payout
from treasury.policies.payments import PAYOUT_EDGES, PayoutState

# Stripe's words; one that was cancelled never reaches the bank.
_STATES: Final = {
    "pending": PayoutState.PENDING,
    "in_transit": PayoutState.IN_TRANSIT,
    "paid": PayoutState.PAID,
    "failed": PayoutState.FAILED,
    "canceled": PayoutState.FAILED,
}


@transaction.atomic
def observe(
    *, payout_id: str, amount: Decimal, status: str, arrival_on: date, created_at: datetime, acting: Actor
) -> Payout:
    """Bring a pay-out to what Stripe reports; USD, negative when Stripe takes from the bank (a top-up too).

    Books nothing: 1110 / 1115 is posted at its bank line. A report older than what is known changes nothing. Raises
    IdempotencyConflict for another amount.
    """
    fresh = Payout(payout_id=payout_id, amount=amount, arrival_on=arrival_on, created_at=created_at)
    Payout.objects.bulk_create([fresh], ignore_conflicts=True)
    row = locks.payout(payout_id)
    if row is None or row.amount != amount:
        raise IdempotencyConflict(key=payout_id)
    wanted = _STATES[status]
    if wanted in PAYOUT_EDGES[PayoutState(row.state)]:
        _move(row, wanted)
    row.arrival_on = arrival_on
    row.save(update_fields=["state", "arrival_on"])
    return row


def _move(row: Payout, wanted: PayoutState) -> None:
    if wanted is PayoutState.IN_TRANSIT:
        row.send()
    elif wanted is PayoutState.PAID:
        row.arrive()
    else:
        row.fail()
