"""Stripe's balance transactions: each kept once, and booked as far as it alone tells something."""

from typing import Final

from django.db import transaction
from django.utils import timezone

from habitat.controls.actions.alerts import raise_alert
from habitat.members.policies.actors import Actor
from habitat.money import plain
from treasury import locks
from treasury.actions import journal
from treasury.models import Payout, StripeMovement
from treasury.policies import stripe_movements as policy
from treasury.policies.journal import Source
from treasury.policies.stripe import USD_CODE, StripeTransaction

MOVEMENT: Final = "stripe_movement"
UNKNOWN: Final = "stripe_movement_unknown"


@transaction.atomic
def record(*, told: StripeTransaction, payout_id: str = "", acting: Actor) -> StripeMovement | None:
    """Keep a balance transaction; book its fee, or the whole of it when it is Stripe's price: Dr 5910 / Cr 1115. USD.

    Once an id. A kind the house does not know, or one in another currency, raises the alert
    `stripe_movement_unknown` and books nothing: the books must not guess. Another currency keeps no row (None).
    """
    period = locks.open_period(on=timezone.now().date())
    if told.currency != USD_CODE:
        _alert(told, acting)
        return None
    fresh = StripeMovement(
        bt_id=told.id,
        type=told.type,
        amount=told.amount,
        fee=told.fee,
        net=told.net,
        source_id=told.source_id,
        description=told.description,
        available_on=told.available_on,
        occurred_at=told.created,
    )
    StripeMovement.objects.bulk_create([fresh], ignore_conflicts=True)
    row = locks.stripe_movement(told.id)
    if row is None:
        return None
    if payout_id and row.payout_id is None:
        row.payout = Payout.objects.filter(payout_id=payout_id).first()
    lines = policy.lines(told)
    if row.journal_entry_id is None and lines:
        row.journal_entry = journal.post(
            lines=lines,
            occurred_at=told.created,
            source=Source(MOVEMENT, told.id),
            description=f"Stripe {told.type}: {told.description or told.source_id or told.id}"[:200],
            idempotency_key=f"{MOVEMENT}:{told.id}",
            acting=acting,
            period=period,
        )
    row.save(update_fields=["payout", "journal_entry"])
    if policy.treatment(told) is policy.Treatment.UNKNOWN:
        _alert(told, acting)
    return row


def _alert(told: StripeTransaction, acting: Actor) -> None:
    raise_alert(
        code=UNKNOWN,
        cause=f"movement:{told.id}",
        message=(
            f"Stripe moved {plain(told.net)} {told.currency.upper()} by {told.id} ({told.type}), which the books do "
            "not know. Book it by an adjusting entry on 1115."
        ),
        details={"movement": told.id, "type": told.type, "source": told.source_id},
        acting=acting,
    )
