"""Payments that cannot become credits go back whole (domain §6: 2240 / 1115), by the saga `payment_refund`."""

from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import invoices
from cloud_credits.errors import PaymentNotRefundable, RefundAtTheBank
from cloud_credits.events import PurchaseSentBack
from cloud_credits.models import Purchase
from cloud_credits.policies.purchases import ENDED_MEMBERSHIPS, PurchaseState
from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import plain
from habitat.workflows.actions import sagas
from habitat.workflows.models import Execution
from habitat.workflows.policies.states import ENDED
from treasury import locks as treasury_locks
from treasury.actions import refunds
from treasury.models import Payment
from treasury.policies.payments import PaymentState, Problem, Provider, RefundOrigin, RefundState
from treasury.policies.stripe import SENT_BACK

SAGA: Final = "payment_refund"
OUTCOME: Final = "refund_outcome"
SEND_BACK: Final = "cloud_credits.mint_payment"
ALERT: Final = "refund_failed"


@transaction.atomic
def begin(*, payment: Payment, why: str, acting: Actor) -> Execution | None:
    """Starts the way back of a payment the caller has locked: by itself once. A wire waits for the bank: None.

    What came back after the mint goes by itself once for each refund that failed.
    """
    key = str(payment.pk)
    if payment.late > 0:
        came_back = payment.refunds.filter(state=RefundState.FAILED.value).exclude(origin=RefundOrigin.HELD.value)
        key = f"{key}:late:{came_back.count()}"
        if _is_under_way(payment):
            return None
    if payment.provider != Provider.STRIPE or Execution.objects.filter(saga=SAGA, key=key).exists():
        return None
    return _start(payment, why, key, acting)


@transaction.atomic
def send_back(*, payment: Payment, reason: str, idempotency_key: str, acting: Actor) -> Execution:
    """Operations sends a payment back that waits, or whose refund failed before.

    Raises NotAllowed, ReasonRequired, PaymentNotRefundable, RefundAtTheBank.
    """
    require(acting, SEND_BACK)
    why = require_reason(reason)[:300]
    held = treasury_locks.payment(payment.pk)
    if held.provider != Provider.STRIPE:
        raise RefundAtTheBank(payment=held.reference)
    key = f"{held.pk}:{idempotency_key}"[:120]
    again = Execution.objects.filter(saga=SAGA, key=key).first()
    if again is not None:
        return again
    # One begun already that has not taken its first step yet looks like one that waits.
    if not _may_go_back(held) or _is_under_way(held):
        raise PaymentNotRefundable(payment=held.reference, state=held.state)
    return _start(held, why, key, acting)


def _may_go_back(payment: Payment) -> bool:
    """What came back after the mint goes back only where it can never become credits."""
    if payment.late > 0:
        return payment.member is not None and payment.member.status in ENDED_MEMBERSHIPS
    return bool(payment.state == PaymentState.RECEIVED)


def _is_under_way(payment: Payment) -> bool:
    """No state of its own says so of a minted payment, nor before the saga's first step."""
    rows = Execution.objects.filter(saga=SAGA, input__payment_id=payment.pk)
    return rows.exclude(state__in=[state.value for state in ENDED]).exists()


def _start(payment: Payment, why: str, key: str, acting: Actor) -> Execution:
    given: dict[str, Any] = {
        "payment_id": payment.pk,
        "reference": payment.reference,
        "amount": plain(payment.waits),
        # Its dollars say nothing of how much of another currency is to go back: all of it is.
        "whole": payment.problem == Problem.WRONG_CURRENCY,
        "why": why,
    }
    emit(
        PurchaseSentBack(payment_id=payment.pk, member_id=payment.member_id, usd=given["amount"], why=why),
        acting=acting,
    )
    return sagas.start(saga=SAGA, key=key, input=given, acting=acting)


@transaction.atomic
def hold(*, payment_id: int, amount: Decimal | None = None, acting: Actor) -> Payment:
    """The saga's first step: from here on it can no longer be minted. `amount` of what came back after the mint.

    Raises PaymentNotRefundable, PaymentContested, RefundTooLarge.
    """
    held = treasury_locks.payment(payment_id)
    if held.late > 0:
        return refunds.begin_late(payment=held, amount=amount or held.late, acting=acting)
    if held.state == PaymentState.REFUNDING:
        return held
    if held.state != PaymentState.RECEIVED:
        raise PaymentNotRefundable(payment=held.reference, state=held.state)
    return refunds.begin(payment=held, amount=held.left, acting=acting)


@transaction.atomic
def let_go(*, payment_id: int, acting: Actor) -> Payment:
    """Stripe refused the refund for good: the payment waits again, and people are told.

    Not where nothing waits: somebody refunded it in Stripe's dashboard, or its payer was given right.
    """
    held = refunds.call_off(payment=treasury_locks.payment(payment_id), acting=acting)
    if held.waits <= 0:
        return held
    raise_alert(
        code=ALERT,
        cause=f"payment:{held.pk}",
        message=f"Stripe refused to refund payment {held.reference}. Its money waits in 2240.",
        details={"payment": held.pk},
        acting=acting,
    )
    return held


@transaction.atomic
def note_gone(*, payment_id: int, acting: Actor) -> None:
    """Stripe has told that money which waited went back without us: its purchase says so, and nobody need send it."""
    held = treasury_locks.payment(payment_id)
    _mark_purchase(held, acting)
    if held.waits <= 0:
        settle_alert(payment=held, acting=acting)


def settle_alert(*, payment: Payment, acting: Actor) -> None:
    """Nothing waits to be sent back any more: it arrived, went another way, or became credits after all."""
    resolve_cause(ALERT, f"payment:{payment.pk}", acting=acting)


def _mark_purchase(payment: Payment, acting: Actor) -> None:
    own = Purchase.objects.filter(payment=payment).values_list("pk", flat=True).first()
    if own is None or payment.state != PaymentState.REFUNDED:
        return
    purchase = locks.purchase(own)
    if purchase.state == PurchaseState.PAID:
        purchase.refund()
        purchase.save(update_fields=["state"])
        _open_invoice(purchase, acting)


def _open_invoice(purchase: Purchase, acting: Actor) -> None:
    """The invoice that the purchase was to pay waits for a payment again, unless another one of it is here."""
    others = Purchase.objects.filter(invoice=purchase.invoice_id, state=PurchaseState.PAID.value)
    if purchase.invoice_id is not None and not others.exists():
        invoices.note_payment_returned(invoice_id=purchase.invoice_id, acting=acting)


@transaction.atomic
def record_sent(*, payment_id: int, refund_id: str, amount: Decimal, acting: Actor) -> None:
    """Stripe has the order. `amount` in USD, as held."""
    held = treasury_locks.payment(payment_id)
    refunds.record_sent(payment=held, refund_id=refund_id, amount=amount, mark=SENT_BACK, acting=acting)


@transaction.atomic
def note_outcome(*, payment_id: int, refund_id: str, succeeded: bool, acting: Actor) -> None:
    """Stripe has told how it ended; treasury booked it. The purchase says so, and the saga goes on."""
    held = treasury_locks.payment(payment_id)
    _mark_purchase(held, acting)
    if succeeded:
        settle_alert(payment=held, acting=acting)
    else:
        raise_alert(
            code=ALERT,
            cause=f"payment:{held.pk}",
            message=f"The refund {refund_id} of payment {held.reference} did not arrive. Its money waits in 2240.",
            details={"payment": held.pk, "refund": refund_id},
            acting=acting,
        )
    for key in Execution.objects.filter(saga=SAGA, input__payment_id=held.pk).values_list("key", flat=True):
        sagas.signal(
            saga=SAGA, key=key, name=OUTCOME, payload={"refund_id": refund_id, "succeeded": succeeded}, acting=acting
        )
