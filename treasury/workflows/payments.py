"""Stripe's webhooks into the books: each names an object, which is asked for anew; the body itself is never believed.

So order does not matter, nor how often something is told: every handler brings the books to what Stripe says now.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM
from treasury.actions import (
    checkouts,
    disputes,
    payments,
    payouts,
    refunds,
    stripe_events,
    stripe_mirror,
    stripe_movements,
    stripe_readings,
)
from treasury.errors import MovementAwaited, PaymentUnknown
from treasury.gateways.stripe import StripeGateway, stripe_gateway
from treasury.models import Payment
from treasury.policies.payments import Problem, Provider, judge, worth
from treasury.policies.stripe import (
    INVOICE_KEY,
    MEMBER_KEY,
    PURCHASE_KEY,
    REFUND_KEY,
    USD_CODE,
    Document,
    StripeCharge,
    StripeDispute,
    StripeInvoice,
    StripePayment,
    StripePayout,
    StripeRefund,
    StripeTransaction,
)
from treasury.reports.payments import has_fee, member_of, payment_of, payment_of_charge

logger = logging.getLogger(__name__)

# However many webhooks come at once, what they told of is delivered, and minted, in between.
TURN_SECONDS: Final = 10
SUCCEEDED: Final = "succeeded"
BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


# --- the queue


def drain() -> int:
    """Process stored webhooks until none is due or this turn is over, then ask for another; how many were processed."""
    end = time.monotonic() + TURN_SECONDS
    done = 0
    while time.monotonic() < end:
        claimed = stripe_events.claim(acting=SYSTEM)
        if claimed is None:
            return done
        done += process(claimed)
    queue.wake(stripe_events.QUEUE)
    return done


def process(claimed: stripe_events.Claimed) -> bool:
    """Handle one stored webhook; False when it failed and was put back."""
    handler = HANDLERS.get(claimed.type)
    try:
        if handler is not None:
            handler(stripe_gateway(), claimed.object_id)
    except Exception as error:
        logger.warning("%s %s failed: %s", claimed.type, claimed.event_id, type(error).__name__)
        stripe_events.put_back(claimed=claimed, error=error, acting=SYSTEM)
        return False
    stripe_events.finish(claimed=claimed, known=handler is not None, acting=SYSTEM)
    return True


# --- payments


def take_payment(gateway: StripeGateway, payment_id: str) -> Payment | None:
    """Book a PaymentIntent that succeeded, and its fee as soon as Stripe has worked it out; None while it has not."""
    told = gateway.retrieve_payment(payment_id)
    if told.status != SUCCEEDED or told.amount_received <= 0:
        stripe_mirror.write(documents=[told.document], acting=SYSTEM)
        return None
    known = payment_of(provider=Provider.STRIPE, reference=told.id)
    invoice = None if known else _invoice_behind(gateway, told)
    with transaction.atomic():
        payment = known or _receive(told, invoice)
        stripe_mirror.write(documents=[told.document, *_shown(invoice)], acting=SYSTEM)
    if told.charge is not None and told.charge.transaction is not None:
        stripe_movements.record(told=told.charge.transaction, acting=SYSTEM)
    return payment


def take_charge(gateway: StripeGateway, charge: StripeCharge) -> Payment | None:
    """The payment behind a charge; a charge made by hand, without a PaymentIntent, is nobody's and goes back."""
    if charge.payment_id:
        return take_payment(gateway, charge.payment_id)
    if charge.status != SUCCEEDED:
        return None
    with transaction.atomic():
        payment = payment_of(provider=Provider.STRIPE, reference=charge.id) or payments.receive(
            provider=Provider.STRIPE,
            reference=charge.id,
            member=None,
            amount=_usd(charge.amount, charge.currency, charge.transaction, charge.id),
            method=charge.method,
            charge_id=charge.id,
            customer_id=charge.customer_id,
            problem=Problem.UNKNOWN_MEMBER,
            occurred_at=charge.created,
            acting=SYSTEM,
        )
        stripe_mirror.write(documents=[charge.document], acting=SYSTEM)
    if charge.transaction is not None:
        stripe_movements.record(told=charge.transaction, acting=SYSTEM)
    return payment


def _invoice_behind(gateway: StripeGateway, told: StripePayment) -> StripeInvoice | None:
    """A renewal's PaymentIntent carries no marks: they stand on its subscription."""
    own = PURCHASE_KEY in told.metadata or INVOICE_KEY in told.metadata
    return None if own else gateway.invoice_of(payment_id=told.id)


def _shown(invoice: StripeInvoice | None) -> list[Document]:
    return [invoice.document] if invoice else []


def _receive(told: StripePayment, invoice: StripeInvoice | None) -> Payment:
    judged = judge(told, invoice)
    member = member_of(judged.member)
    return payments.receive(
        provider=Provider.STRIPE,
        reference=told.id,
        member=member,
        amount=_usd(told.amount_received, told.currency, told.charge.transaction if told.charge else None, told.id),
        method=told.method,
        charge_id=told.charge.id if told.charge else "",
        customer_id=told.customer_id,
        purchase_ref=_purchase_ref(told, invoice),
        invoice_ref=told.metadata.get(INVOICE_KEY, ""),
        problem=judged.problem or ("" if member else Problem.UNKNOWN_MEMBER),
        occurred_at=told.charge.created if told.charge else told.created,
        acting=SYSTEM,
    )


def _purchase_ref(told: StripePayment, invoice: StripeInvoice | None) -> str:
    """The purchase's id or, for what a subscription collected, the subscription's."""
    return told.metadata.get(PURCHASE_KEY, "") or (invoice.subscription_id if invoice else "")


def _usd(amount: Decimal, currency: str, transaction: StripeTransaction | None, what: str) -> Decimal:
    """USD that came in. Another currency's worth stands in the balance transaction alone: it is waited for."""
    if currency == USD_CODE:
        return amount
    if transaction is None or transaction.currency != USD_CODE:
        raise MovementAwaited(what=what)
    return transaction.amount


def payment_succeeded(gateway: StripeGateway, payment_id: str) -> None:
    """Three events tell that a payment succeeded: once it and its fee are booked, the others have nothing to add."""
    if not has_fee(payment_of(provider=Provider.STRIPE, reference=payment_id)):
        take_payment(gateway, payment_id)


def payment_failed(gateway: StripeGateway, payment_id: str) -> None:
    """Tells it only while it still is so: a later try may have succeeded."""
    told = gateway.retrieve_payment(payment_id)
    if told.status == SUCCEEDED or not told.failure_code:
        return
    invoice = None if PURCHASE_KEY in told.metadata else gateway.invoice_of(payment_id=told.id)
    with transaction.atomic():
        payments.announce_failure(
            reference=told.id,
            member_id=judge(told, invoice).member,
            amount=told.amount,
            purchase_ref=_purchase_ref(told, invoice),
            invoice_ref=told.metadata.get(INVOICE_KEY, ""),
            code=told.failure_code,
            message=told.failure_message,
            acting=SYSTEM,
        )
        stripe_mirror.write(documents=[told.document, *_shown(invoice)], acting=SYSTEM)


def charge_succeeded(gateway: StripeGateway, charge_id: str) -> None:
    if not has_fee(payment_of_charge(charge_id)):
        charge_changed(gateway, charge_id)


def charge_changed(gateway: StripeGateway, charge_id: str) -> None:
    take_charge(gateway, gateway.retrieve_charge(charge_id))


def charge_refunded(gateway: StripeGateway, charge_id: str) -> None:
    charge = gateway.retrieve_charge(charge_id)
    for refund in gateway.refunds_of(charge_id=charge_id):
        take_refund(gateway, refund, charge)


# --- refunds, disputes, pay-outs


def refund_changed(gateway: StripeGateway, refund_id: str) -> None:
    refund = gateway.retrieve_refund(refund_id)
    take_refund(gateway, refund, gateway.retrieve_charge(refund.charge_id))


def take_refund(gateway: StripeGateway, refund: StripeRefund, charge: StripeCharge) -> None:
    """Bring a refund, its payment first, to what Stripe says."""
    payment = _paid_by(gateway, charge)
    with transaction.atomic():
        refunds.observe(
            payment=payment,
            refund_id=refund.id,
            amount=worth(refund.amount, of=charge.amount, paid=payment.amount, currency=refund.currency),
            status=refund.status,
            is_ours=REFUND_KEY in refund.metadata,
            mark=refund.metadata.get(REFUND_KEY, ""),
            taken=-refund.taken.amount if refund.taken else None,
            acting=SYSTEM,
        )
        stripe_mirror.write(documents=[charge.document, refund.document], acting=SYSTEM)
    for movement in (refund.taken, refund.returned):
        if movement is not None:
            stripe_movements.record(told=movement, acting=SYSTEM)


def dispute_changed(gateway: StripeGateway, dispute_id: str) -> None:
    take_dispute(gateway, gateway.retrieve_dispute(dispute_id))


def take_dispute(gateway: StripeGateway, dispute: StripeDispute) -> None:
    """Bring a dispute, its payment first, to what Stripe says."""
    charge = gateway.retrieve_charge(dispute.charge_id)
    payment = _paid_by(gateway, charge)
    told = disputes.Told(
        dispute_id=dispute.id,
        amount=worth(dispute.amount, of=charge.amount, paid=payment.amount, currency=dispute.currency),
        status=dispute.status,
        reason=dispute.reason,
        opened_at=dispute.created,
        transactions=dispute.transactions,
    )
    with transaction.atomic():
        disputes.observe(payment=payment, told=told, acting=SYSTEM)
        stripe_mirror.write(documents=[charge.document, dispute.document], acting=SYSTEM)
    for movement in dispute.transactions:
        stripe_movements.record(told=movement, acting=SYSTEM)


def _paid_by(gateway: StripeGateway, charge: StripeCharge) -> Payment:
    payment = take_charge(gateway, charge)
    if payment is None:
        raise PaymentUnknown(reference=charge.payment_id or charge.id)
    return payment


def payout_changed(gateway: StripeGateway, payout_id: str) -> None:
    take_payout(gateway, gateway.retrieve_payout(payout_id))


def take_payout(gateway: StripeGateway, payout: StripePayout) -> None:
    """Keep a pay-out, with the movements it is made of once Stripe names them."""
    with transaction.atomic():
        payouts.observe(
            payout_id=payout.id,
            amount=payout.amount,
            status=payout.status,
            arrival_on=payout.arrival_on,
            created_at=payout.created,
            acting=SYSTEM,
        )
        stripe_mirror.write(documents=[payout.document], acting=SYSTEM)
    for movement in gateway.balance_transactions(since=BEGINNING, payout_id=payout.id):
        with transaction.atomic():
            stripe_movements.record(told=movement, payout_id=payout.id, acting=SYSTEM)
            stripe_mirror.write(documents=[movement.document], acting=SYSTEM)


# --- Checkout pages, subscriptions, the balance


def checkout_completed(gateway: StripeGateway, session_id: str) -> None:
    session = gateway.retrieve_session(session_id)
    if session.payment_id:
        payment_succeeded(gateway, session.payment_id)
    checkouts.announce_completed(
        session_id=session.id,
        payment_status=session.payment_status,
        reference=session.payment_id,
        subscription_id=session.subscription_id,
        member_id=session.metadata.get(MEMBER_KEY, ""),
        purchase_ref=session.metadata.get(PURCHASE_KEY, ""),
        invoice_ref=session.metadata.get(INVOICE_KEY, ""),
        acting=SYSTEM,
    )


def checkout_expired(gateway: StripeGateway, session_id: str) -> None:
    _checkout_ended(gateway, session_id, failed=False)


def checkout_failed(gateway: StripeGateway, session_id: str) -> None:
    _checkout_ended(gateway, session_id, failed=True)


def _checkout_ended(gateway: StripeGateway, session_id: str, *, failed: bool) -> None:
    session = gateway.retrieve_session(session_id)
    if session.payment_id and take_payment(gateway, session.payment_id) is not None:
        return
    checkouts.announce_expired(
        session_id=session.id,
        failed=failed,
        member_id=session.metadata.get(MEMBER_KEY, ""),
        purchase_ref=session.metadata.get(PURCHASE_KEY, ""),
        invoice_ref=session.metadata.get(INVOICE_KEY, ""),
        acting=SYSTEM,
    )


def subscription_changed(gateway: StripeGateway, subscription_id: str) -> None:
    told = gateway.retrieve_subscription(subscription_id)
    with transaction.atomic():
        checkouts.announce_subscription(
            subscription_id=told.id,
            customer_id=told.customer_id,
            member_id=told.metadata.get(MEMBER_KEY, ""),
            purchase_ref=told.metadata.get(PURCHASE_KEY, ""),
            status=told.status,
            paused=told.paused,
            cancel_at_period_end=told.cancel_at_period_end,
            amount=told.amount,
            interval=told.interval,
            acting=SYSTEM,
        )
        stripe_mirror.write(documents=[told.document], acting=SYSTEM)


def invoice_paid(gateway: StripeGateway, invoice_id: str) -> None:
    """What a subscription collected mints like any other payment."""
    for payment_id in _take_invoice(gateway, invoice_id):
        take_payment(gateway, payment_id)


def invoice_failed(gateway: StripeGateway, invoice_id: str) -> None:
    for payment_id in _take_invoice(gateway, invoice_id):
        payment_failed(gateway, payment_id)


def _take_invoice(gateway: StripeGateway, invoice_id: str) -> tuple[str, ...]:
    invoice = gateway.retrieve_invoice(invoice_id)
    stripe_mirror.write(documents=[invoice.document], acting=SYSTEM)
    return invoice.payment_ids


# --- customers and their saved ways to pay: of interest to the mirror alone


def customer_changed(gateway: StripeGateway, customer_id: str) -> None:
    stripe_mirror.write(documents=[gateway.retrieve_customer(customer_id).document], acting=SYSTEM)


def method_changed(gateway: StripeGateway, method_id: str) -> None:
    stripe_mirror.write(documents=[gateway.retrieve_method(method_id).document], acting=SYSTEM)


def balance_changed(gateway: StripeGateway, _: str) -> None:
    read_balance(gateway)


def read_balance(gateway: StripeGateway | None = None) -> None:
    """Ask Stripe what it holds, and keep the answer."""
    held = (gateway or stripe_gateway()).balance()
    stripe_readings.record(available=held.available, pending=held.pending, acting=SYSTEM)


Handler = Callable[[StripeGateway, str], None]
_DISPUTES: Final = ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
_PAYOUTS: Final = ("created", "updated", "paid", "failed", "canceled", "reconciliation_completed")
_CUSTOMERS: Final = ("created", "updated", "deleted")
_METHODS: Final = ("attached", "automatically_updated", "updated", "detached")
_SUBSCRIPTIONS: Final = ("created", "updated", "deleted", "paused", "resumed")
# What is not here is stored and ignored.
HANDLERS: Final[dict[str, Handler]] = {
    "payment_intent.succeeded": payment_succeeded,
    "payment_intent.payment_failed": payment_failed,
    "charge.succeeded": charge_succeeded,
    "charge.captured": charge_changed,
    "charge.updated": charge_changed,
    "charge.refunded": charge_refunded,
    "charge.refund.updated": refund_changed,
    "refund.created": refund_changed,
    "refund.updated": refund_changed,
    "refund.failed": refund_changed,
    **{f"charge.dispute.{what}": dispute_changed for what in _DISPUTES},
    **{f"payout.{what}": payout_changed for what in _PAYOUTS},
    "checkout.session.completed": checkout_completed,
    "checkout.session.async_payment_succeeded": checkout_completed,
    "checkout.session.async_payment_failed": checkout_failed,
    "checkout.session.expired": checkout_expired,
    **{f"customer.subscription.{what}": subscription_changed for what in _SUBSCRIPTIONS},
    **{f"customer.{what}": customer_changed for what in _CUSTOMERS},
    **{f"payment_method.{what}": method_changed for what in _METHODS},
    "invoice.paid": invoice_paid,
    "invoice.payment_failed": invoice_failed,
    "balance.available": balance_changed,
}
