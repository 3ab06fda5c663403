"""The sagas of this floor: a checkout, a refund of credits, the way back of a payment, a change of a recurring one."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import wraps
from hashlib import sha256
from typing import Any, Final

from django.conf import settings

from cloud_credits.actions import payment_refunds, purchases, recurring, refunds, topups
from cloud_credits.errors import (
    ChargeWithdrawn,
    InsufficientBalance,
    MemberNotActive,
    PaymentNotRefundable,
    TopUpAmountChanged,
    TopUpCardChanged,
    TopUpDecided,
    TopUpMoneyWentBack,
    TopUpNotDue,
    TopUpNotOn,
)
from cloud_credits.policies.purchases import ENDED_SUBSCRIPTIONS, PayBy, PurchaseKind, RecurringChange
from cloud_credits.reports.purchases import customer_of, payer_of
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.errors import StepRefused
from habitat.workflows.policies.sagas import SagaDefinition, SagaStep, StepContext
from habitat.workflows.reports.sagas import refusal_of
from treasury.errors import PaymentContested, RefundTooLarge, StripeRefused
from treasury.gateways.stripe import stripe_gateway
from treasury.policies.stripe import (
    INVOICE_KEY,
    MEMBER_KEY,
    PURCHASE_KEY,
    REFUND_KEY,
    StripeRefund,
    StripeSession,
    StripeSubscription,
)

# Stripe's word for what it does not know.
MISSING: Final = "resource_missing"

Answer = dict[str, Any]
Step = Callable[[StepContext], Answer]


def _final(step: Step) -> Step:
    """What Stripe refuses for good ends the step for good; everything else is an unknown outcome and asked again."""

    @wraps(step)
    def asked(context: StepContext) -> Answer:
        try:
            return step(context)
        except StripeRefused as refusal:
            raise StepRefused(refusal.sentence) from refusal

    return asked


def _nothing(context: StepContext, answer: Answer) -> Answer | None:
    del context, answer
    return None


# --- checkout


def _give_up(context: StepContext, answer: Answer) -> Answer | None:
    del answer
    purchases.fail(purchase_id=context.input["purchase_id"], problem="Stripe refused the checkout.", acting=SYSTEM)
    return None


@_final
def _make_customer(context: StepContext) -> Answer:
    member_id = context.input["member_id"]
    known = customer_of(member_id)
    if known and _is_at_stripe(known):
        return {"customer_id": known}
    payer = payer_of(member_id)
    # One key a member, not a checkout: two first purchases at once are one customer. Stripe refuses a key that
    # comes with other fields, so what may change in between is part of it.
    told = sha256(f"{payer.email}\x1f{payer.name}\x1f{known}".encode()).hexdigest()[:16]
    made = stripe_gateway().create_customer(
        member_id=str(member_id),
        email=payer.email,
        name=payer.name,
        idempotency_key=f"customer:{member_id}:{told}",
    )
    return {"customer_id": made.id}


def _is_at_stripe(customer_id: str) -> bool:
    """Somebody may have deleted it in Stripe's dashboard, or the house has another account there by now: the member
    gets another customer, and is not locked out."""
    try:
        return not stripe_gateway().retrieve_customer(customer_id).is_deleted
    except StripeRefused as refusal:
        if refusal.details["stripe_code"] != MISSING:
            raise
        return False


def _find_customer(context: StepContext) -> Answer | None:
    found = stripe_gateway().find_customer(member_id=str(context.input["member_id"]))
    return {"customer_id": found.id} if found and not found.is_deleted else None


def _keep_customer(context: StepContext, answer: Answer) -> Answer | None:
    kept = purchases.record_customer(
        member_id=context.input["member_id"], customer_id=answer["customer_id"], acting=SYSTEM
    )
    return {"customer_id": kept}


def _marks(context: StepContext) -> dict[str, str]:
    marks = {PURCHASE_KEY: str(context.input["purchase_id"]), MEMBER_KEY: str(context.input["member_id"])}
    if context.input.get("invoice_id"):
        marks[INVOICE_KEY] = str(context.input["invoice_id"])
    return marks


@_final
def _open_session(context: StepContext) -> Answer:
    given = context.input
    page = f"{settings.SITE_URL}/cloud/purchases/{given['purchase_id']}/"
    is_recurring = given["kind"] == PurchaseKind.RECURRING
    pay_by = PayBy(given["pay_by"])
    session = stripe_gateway().create_checkout(
        customer_id=context.outputs["customer"]["customer_id"],
        amount=Decimal(given["usd"]),
        description=f"{given['amount']} CLOUD credits",
        # Both ways back lead to the purchase: it says what is true, whichever way somebody came.
        success_url=page,
        cancel_url=page,
        metadata=_marks(context),
        idempotency_key=context.step_key,
        interval="month" if is_recurring else "",
        save_method=bool(given["save"]) and not is_recurring,
        methods=(pay_by.value,),
    )
    return _session(session)


def _find_session(context: StepContext) -> Answer | None:
    customer_id = context.outputs["customer"]["customer_id"]
    found = stripe_gateway().find_checkout(customer_id=customer_id, metadata=_marks(context))
    return _session(found) if found else None


def _session(session: StripeSession) -> Answer:
    return {"session_id": session.id, "url": session.url, "expires_at": session.expires_at.isoformat()}


def _keep_session(context: StepContext, answer: Answer) -> Answer | None:
    purchases.open_checkout(
        purchase_id=context.input["purchase_id"],
        session_id=answer["session_id"],
        url=answer["url"],
        expires_at=datetime.fromisoformat(answer["expires_at"]),
        acting=SYSTEM,
    )
    return None


CHECKOUT: Final = SagaDefinition(
    name=purchases.CHECKOUT,
    version=1,
    title="Checkout",
    help="Opens Stripe's page for a purchase: the customer once, then the page. Refused: the purchase failed.",
    steps=(
        SagaStep("wish", record=_nothing, undo_record=_give_up),
        SagaStep("customer", call=_make_customer, find=_find_customer, record=_keep_customer),
        SagaStep("session", call=_open_session, find=_find_session, record=_keep_session),
    ),
)


# --- a refund of credits


def _close_request(context: StepContext, answer: Answer) -> Answer | None:
    del answer
    refunds.fail(request_id=context.input["request_id"], why="The refund could not be made.", acting=SYSTEM)
    return None


def _burn(context: StepContext, answer: Answer) -> Answer | None:
    del answer
    try:
        row = refunds.burn(request_id=context.input["request_id"], acting=SYSTEM)
    except InsufficientBalance as refusal:
        raise StepRefused(refusal.sentence) from refusal
    return {"transaction_id": row.burn_id}


def _ask_refund(mark: str) -> tuple[Step, Callable[[StepContext], Answer | None]]:
    """Sending money back, and finding what was sent: by the mark of whom it belongs to."""

    def marks(context: StepContext) -> dict[str, str]:
        return {REFUND_KEY: f"{mark}:{context.key}"}

    @_final
    def send(context: StepContext) -> Answer:
        given = context.input
        made = stripe_gateway().create_refund(
            payment_id=given["reference"],
            amount=None if given.get("whole") else Decimal(given.get("usd") or given["amount"]),
            metadata=marks(context),
            idempotency_key=context.step_key,
        )
        return _refund(made)

    def find(context: StepContext) -> Answer | None:
        found = stripe_gateway().find_refund(payment_id=context.input["reference"], metadata=marks(context))
        return _refund(found) if found else None

    return send, find


def _refund(refund: StripeRefund) -> Answer:
    return {"refund_id": refund.id, "status": refund.status}


_send_credits, _find_credits = _ask_refund(refunds.SAGA)
_send_payment, _find_payment = _ask_refund(payment_refunds.SAGA)


def _keep_refund(context: StepContext, answer: Answer) -> Answer | None:
    refunds.record_sent(request_id=context.input["request_id"], refund_id=answer["refund_id"], acting=SYSTEM)
    return None


CREDIT_REFUND: Final = SagaDefinition(
    name=refunds.SAGA,
    version=1,
    title="Refund of credits",
    help="Takes the credits, sends the money, waits for its outcome. What fails gives the credits back.",
    steps=(
        SagaStep("ask", record=_nothing, undo_record=_close_request),
        SagaStep("burn", record=_burn, undo_record=_close_request),
        SagaStep("refund", call=_send_credits, find=_find_credits, record=_keep_refund, pivot=True),
        # Its outcome is written by whoever heard it; this step only ends the wait.
        SagaStep("outcome", record=_nothing, waits_for=refunds.OUTCOME),
    ),
)


# --- a payment that cannot become credits


def _hold(context: StepContext, answer: Answer) -> Answer | None:
    del answer
    try:
        amount = Decimal(context.input["amount"])
        payment_refunds.hold(payment_id=context.input["payment_id"], amount=amount, acting=SYSTEM)
    except (PaymentNotRefundable, PaymentContested, RefundTooLarge) as refusal:
        raise StepRefused(refusal.sentence) from refusal
    return None


def _let_go(context: StepContext, answer: Answer) -> Answer | None:
    del answer
    payment_refunds.let_go(payment_id=context.input["payment_id"], acting=SYSTEM)
    return None


def _keep_sent(context: StepContext, answer: Answer) -> Answer | None:
    payment_refunds.record_sent(
        payment_id=context.input["payment_id"],
        refund_id=answer["refund_id"],
        amount=Decimal(context.input["amount"]),
        acting=SYSTEM,
    )
    return None


PAYMENT_REFUND: Final = SagaDefinition(
    name=payment_refunds.SAGA,
    version=1,
    title="Payment sent back",
    help="A payment that cannot become credits goes back the way it came.",
    steps=(
        SagaStep("hold", record=_hold, undo_record=_let_go),
        SagaStep("refund", call=_send_payment, find=_find_payment, record=_keep_sent, pivot=True),
        SagaStep("outcome", record=_nothing, waits_for=payment_refunds.OUTCOME),
    ),
)


# --- a recurring purchase


@_final
def _change(context: StepContext) -> Answer:
    gateway, subscription_id = stripe_gateway(), context.input["subscription_id"]
    asked: Callable[..., StripeSubscription] = {
        RecurringChange.PAUSE: gateway.pause_subscription,
        RecurringChange.RESUME: gateway.resume_subscription,
        RecurringChange.CANCEL: gateway.cancel_subscription,
    }[RecurringChange(context.input["change"])]
    try:
        told = asked(subscription_id, idempotency_key=context.step_key)
    except StripeRefused:
        # It ended there, and its webhook never came: else nobody could end it here, nor begin another one.
        told = gateway.retrieve_subscription(subscription_id)
        if told.status not in ENDED_SUBSCRIPTIONS:
            raise
    return {"status": told.status, "paused": told.paused}


def _keep_change(context: StepContext, answer: Answer) -> Answer | None:
    wanted, because = RecurringChange(context.input["change"]), context.input["because"]
    if wanted is not RecurringChange.CANCEL and answer["status"] in ENDED_SUBSCRIPTIONS:
        wanted, because = RecurringChange.CANCEL, recurring.BY_STRIPE
    recurring.changed(recurring_id=context.input["recurring_id"], to=wanted, because=because, acting=SYSTEM)
    return None


RECURRING_CHANGE: Final = SagaDefinition(
    name=recurring.SAGA,
    version=1,
    title="Change of a recurring purchase",
    help="Pauses, resumes or cancels a subscription at Stripe, then here. Asking twice does no harm.",
    steps=(SagaStep("change", call=_change, record=_keep_change),),
)

# --- an automatic top-up

# Why the house does not ask the card any more.
_WITHDRAWN: Final = (
    MemberNotActive,
    TopUpAmountChanged,
    TopUpCardChanged,
    TopUpDecided,
    TopUpMoneyWentBack,
    TopUpNotDue,
    TopUpNotOn,
)
# The money is there, or on its way: Stripe tells the books itself.
_TAKEN: Final = frozenset({"succeeded", "processing"})


def _stop_top_up(context: StepContext, answer: Answer) -> Answer | None:
    del answer
    purchase_id = context.input["purchase_id"]
    at_first = refusal_of(context.execution_id, step="consent")
    withdrawn = at_first or refusal_of(context.execution_id, step="charge", kind=ChargeWithdrawn)
    if withdrawn:
        # No card was asked: whatever the member chose meanwhile stands as it is.
        purchases.fail(purchase_id=purchase_id, problem=withdrawn, acting=SYSTEM)
        return None
    why = refusal_of(context.execution_id, step="charge") or "The card could not be charged."
    topups.declined(purchase_id=purchase_id, why=why, acting=SYSTEM)
    return None


def _why_not(context: StepContext) -> str:
    """Why the card must not be charged any more; empty while its member wishes it."""
    given = context.input
    try:
        topups.require_wished(
            purchase_id=given["purchase_id"], member_id=given["member_id"], method_id=given["method_id"]
        )
    except _WITHDRAWN as refusal:
        return refusal.sentence
    return ""


def _consent(context: StepContext, answer: Answer) -> Answer | None:
    """Between the wish and this a worker may have been down for days."""
    del answer
    why_not = _why_not(context)
    if why_not:
        raise StepRefused(why_not)
    return None


def _charge(context: StepContext) -> Answer:
    """Between two attempts lie hours too, and a person may begin the next: each asks for the consent again."""
    given, why_not = context.input, _why_not(context)
    if why_not:
        # The attempt before may have charged it, and only its answer was lost.
        charged = _find_charge(context)
        if charged is None:
            raise ChargeWithdrawn(why_not)
        return charged
    try:
        payment = stripe_gateway().charge_saved(
            customer_id=given["customer_id"],
            method_id=given["method_id"],
            amount=Decimal(given["usd"]),
            description=f"{given['amount']} CLOUD credits, automatic top-up",
            metadata=_marks(context),
            idempotency_key=context.step_key,
        )
    except StripeRefused as refusal:
        # The bank's own words, as Stripe's webhook tells them too: whichever comes first, they are the same.
        raise StepRefused(str(refusal.details["said"])) from refusal
    if payment.status not in _TAKEN:
        raise StepRefused("The bank asks for its owner's confirmation, which nobody can give now.")
    return {"payment_id": payment.id, "status": payment.status}


def _find_charge(context: StepContext) -> Answer | None:
    """One that was declined is no outcome: what is still wished and unpaid is asked again, under its key."""
    marks = _marks(context)
    found = stripe_gateway().find_payment(customer_id=context.input["customer_id"], metadata=marks)
    if found is None or found.status not in _TAKEN:
        return None
    return {"payment_id": found.id, "status": found.status}


TOP_UP: Final = SagaDefinition(
    name=topups.SAGA,
    version=1,
    title="Automatic top-up",
    help="Charges the saved card of a member whose balance is low and who still wishes it. Declined: nothing is tried"
    " until they say so.",
    steps=(
        SagaStep("wish", record=_nothing, undo_record=_stop_top_up),
        # A step of its own: what refuses in it goes back through the wish, which closes the purchase.
        SagaStep("consent", record=_consent),
        SagaStep("charge", call=_charge, find=_find_charge, record=_nothing),
    ),
)

SAGAS: Final = (CHECKOUT, CREDIT_REFUND, PAYMENT_REFUND, RECURRING_CHANGE, TOP_UP)
