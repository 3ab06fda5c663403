"""What Stripe tells of Checkout pages and subscriptions: announced to the floor that owns the purchase."""

from decimal import Decimal

from django.db import transaction

from habitat.events.actions.outbox import emit
from habitat.members.policies.actors import Actor
from habitat.money import plain
from treasury.events import CheckoutCompleted, CheckoutExpired, StripeSwept, SubscriptionChanged


@transaction.atomic
def announce_completed(
    *,
    session_id: str,
    payment_status: str,
    reference: str,
    subscription_id: str,
    member_id: str,
    purchase_ref: str,
    invoice_ref: str,
    acting: Actor,
) -> None:
    """The payer went through the page; the money may still be on its way."""
    fact = CheckoutCompleted(
        session_id=session_id,
        payment_status=payment_status,
        reference=reference,
        subscription_id=subscription_id,
        member_id=member_id,
        purchase_ref=purchase_ref,
        invoice_ref=invoice_ref,
    )
    emit(fact, acting=acting)


@transaction.atomic
def announce_expired(
    *, session_id: str, failed: bool, member_id: str, purchase_ref: str, invoice_ref: str, acting: Actor
) -> None:
    """The page closed unpaid, or its bank debit failed."""
    fact = CheckoutExpired(
        session_id=session_id, failed=failed, member_id=member_id, purchase_ref=purchase_ref, invoice_ref=invoice_ref
    )
    emit(fact, acting=acting)


@transaction.atomic
def announce_subscription(
    *,
    subscription_id: str,
    customer_id: str,
    member_id: str,
    purchase_ref: str,
    status: str,
    paused: bool,
    cancel_at_period_end: bool,
    amount: Decimal,
    interval: str,
    acting: Actor,
) -> None:
    """A subscription as Stripe has it now; `amount` in USD a period."""
    fact = SubscriptionChanged(
        subscription_id=subscription_id,
        customer_id=customer_id,
        member_id=member_id,
        purchase_ref=purchase_ref,
        status=status,
        paused=paused,
        cancel_at_period_end=cancel_at_period_end,
        amount=plain(amount),
        interval=interval,
    )
    emit(fact, acting=acting)


@transaction.atomic
def announce_sweep(
    *, since: str, movements: int, mended: list[str], failed: list[str], reason: str, acting: Actor
) -> None:
    """What a sweep of Stripe's balance transactions found that webhooks had missed; who asked for it, and why."""
    fact = StripeSwept(since=since, movements=movements, mended=mended, failed=failed, reason=reason)
    emit(fact, acting=acting)
