"""What follows a wish to buy and a payment: the checkout now, the credits as soon as minting is on."""

import logging
import time
from datetime import datetime
from decimal import Decimal

from cloud_credits.actions import payment_mints, purchases
from cloud_credits.errors import PurchaseNotOpen
from cloud_credits.models import Purchase, RecurringPurchase
from cloud_credits.policies.purchases import Fate, PurchaseState
from habitat.events.workflows import queue
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.permissions import require
from habitat.workflows.models import Execution
from habitat.workflows.workflows import sagas
from treasury.errors import StripeRefused
from treasury.gateways.stripe import stripe_gateway
from treasury.models import Payment
from treasury.reports.backing import mint_allowed

logger = logging.getLogger(__name__)

MINTS = "mints"
BATCH = 200
# A drain of the queue may run for sixty.
TURN_SECONDS = 40
# How Stripe calls a session that can no longer be paid.
EXPIRED = "expired"


def open_now(purchase: Purchase) -> Purchase:
    """Runs a purchase's checkout in this request, after its commit; it goes on by itself where Stripe is slow."""
    execution = Execution.objects.filter(saga=purchases.CHECKOUT, key=str(purchase.pk)).first()
    if execution is not None:
        sagas.advance(execution.pk)
    return Purchase.objects.get(pk=purchase.pk)


def expire_now(*, purchase: Purchase, reason: str, acting: Actor) -> Purchase:
    """Closes a checkout that nobody paid: at Stripe first, so that nobody can pay it afterwards, then here.

    Raises NotAllowed, ReasonRequired, PurchaseNotOpen, StripeUnavailable, and StripeRefused when it was just paid.
    """
    require(acting, purchases.EXPIRE)
    why = require_reason(reason)
    now = Purchase.objects.get(pk=purchase.pk)
    if now.state != PurchaseState.OPEN or now.session_id is None:
        raise PurchaseNotOpen(purchase=now.pk, state=now.state)
    try:
        stripe_gateway().expire_session(now.session_id, idempotency_key=f"expire:{now.pk}")
    except StripeRefused:
        # Stripe closed it before us; what was paid stays refused.
        if stripe_gateway().retrieve_session(now.session_id).status != EXPIRED:
            raise
    return purchases.expire(purchase_id=now.pk, problem=why, acting=acting)


def close_now(*, purchase: Purchase, reason: str, acting: Actor) -> Purchase:
    """Closes what nobody paid: an open checkout at Stripe and here, one that never opened with its saga.

    Raises what `expire_now` and `purchases.close_unopened` raise.
    """
    if Purchase.objects.get(pk=purchase.pk).state == PurchaseState.CREATED:
        return purchases.close_unopened(purchase_id=purchase.pk, reason=reason, acting=acting)
    return expire_now(purchase=purchase, reason=reason, acting=acting)


def change_now(execution: Execution, recurring: RecurringPurchase) -> RecurringPurchase:
    """Asks Stripe for a change in this request, after its commit; it goes on by itself where Stripe is slow."""
    sagas.advance(execution.pk)
    return RecurringPurchase.objects.get(pk=recurring.pk)


def mint_waiting(due_at: datetime | None = None) -> int:
    """Mints what waits, oldest first, until a batch or more is minted; how many.

    One that fails is logged, and one that goes on waiting (a dispute, a wire in the low band, a member without an
    identity) is passed over: neither stops the others, however many they are. What cannot be minted now is asked
    again a minute later, not in this round.
    """
    del due_at  # whatever waits now, however late this runs
    minted, last = 0, None
    end = time.monotonic() + TURN_SECONDS
    while minted < BATCH and time.monotonic() < end:
        rows = list(Payment.objects.waiting(after=last).values_list("received_at", "pk")[:BATCH])
        minted += sum(_was_minted(payment_id) for _, payment_id in rows)
        if len(rows) < BATCH or mint_allowed(new_cash=True, amount=Decimal(0)) is not None:
            break
        last = rows[-1]
    return minted


def _was_minted(payment_id: int) -> bool:
    try:
        minting = payment_mints.mint_for_payment(payment_id=payment_id, acting=SYSTEM)
    except Exception:
        logger.exception("payment %s could not be minted", payment_id)
        return False
    return minting.fate is Fate.MINT


def drain() -> int:
    """What the queue runs when minting was resumed."""
    done = mint_waiting()
    if done >= BATCH:
        queue.wake(MINTS)
    return done
