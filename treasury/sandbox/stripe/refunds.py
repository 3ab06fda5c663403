"""Refunds and disputes: money that goes back, by our wish or by the payer's bank."""

import stripe as package

from treasury.sandbox.store import Document
from treasury.sandbox.stripe import forms, ledger, shapes
from treasury.sandbox.stripe.calls import Call, route
from treasury.sandbox.stripe.errors import StripeError, invalid, required
from treasury.sandbox.stripe.forms import dollars

OUTCOMES = ("succeeded", "pending", "failed")


@route("POST", "/v1/refunds", package.params.RefundCreateParams)
def create_refund(call: Call) -> Document:
    charge = _charge_of(call)
    left = charge["amount"] - charge["amount_refunded"]
    _check(charge, left)
    amount = forms.integer(call.params, "amount", left)
    if amount < 1:
        raise StripeError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise StripeError(
            f"Refund amount (${dollars(amount)}) is greater than unrefunded amount on charge (${dollars(left)})",
            param="amount",
        )
    return make_refund(call, charge, amount, _next_outcome(call))


def _charge_of(call: Call) -> Document:
    if call.params.get("charge"):
        return call.need("charge", call.params["charge"], "charge")
    if not call.params.get("payment_intent"):
        raise required("payment_intent")
    intent = call.need("payment_intent", call.params["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        raise StripeError(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return call.need("charge", intent["latest_charge"], "payment_intent")


def _check(charge: Document, left: int) -> None:
    if charge["status"] != "succeeded":
        raise StripeError(f"Charge {charge['id']} has not succeeded and cannot be refunded.", param="charge")
    if left == 0:
        raise StripeError(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", param="charge"
        )
    if charge["disputed"] and not charge.get("_dispute_won"):
        raise StripeError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            param="charge",
        )


def _next_outcome(call: Call) -> str:
    waiting = call.store.setting("next_refunds", [])
    if waiting:
        call.store.set("next_refunds", waiting[1:])
    return waiting[0] if waiting else "succeeded"


def make_refund(call: Call, charge: Document, amount: int, outcome: str) -> Document:
    """Takes the amount from the balance at once, whatever becomes of the refund."""
    bank = charge["payment_method_details"]["type"] == "us_bank_account"
    draft = shapes.refund(charge, amount)
    draft["metadata"] = forms.metadata(call.params)
    draft["reason"] = forms.text(call.params, "reason")
    refund = call.store.insert("pyr" if bank else "re", draft)
    entry = ledger.post(
        call,
        "payment_refund" if bank else "refund",
        amount=-ledger.in_dollars(call, amount, charge["currency"]),
        source=refund["id"],
        category="refund",
        description=f"REFUND FOR {charge['payment_method_details']['type'].upper()}",
    )
    refund["balance_transaction"] = entry["id"]
    refund["status"] = "pending" if outcome != "succeeded" else "succeeded"
    if refund["status"] == "pending":
        refund["pending_reason"] = "processing"
    call.store.put(refund)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    call.store.put(charge)
    call.emit("refund.created", refund)
    call.emit("charge.refunded", charge)
    if outcome == "failed":
        return settle_refund(call, refund, "failed")
    return refund


def settle_refund(call: Call, refund: Document, outcome: str, reason: str = "unknown") -> Document:
    """The outcome of a pending refund, or the late failure of one that had succeeded."""
    if outcome not in ("succeeded", "failed", "canceled") or refund["status"] in ("failed", "canceled"):
        raise invalid("outcome", f"A refund that is {refund['status']} cannot become {outcome}.")
    previous = {"status": refund["status"]}
    refund.update(status=outcome, pending_reason=None)
    if outcome != "succeeded":
        if outcome == "failed":
            refund["failure_reason"] = reason
        _give_back(call, refund)
    call.store.put(refund)
    call.emit("refund.updated", refund, previous)
    call.emit("charge.refund.updated", refund, previous)
    if outcome == "failed":
        call.emit("refund.failed", refund, previous)
    return refund


def _give_back(call: Call, refund: Document) -> None:
    charge = call.need("charge", refund["charge"])
    bank = refund["id"].startswith("pyr_")
    entry = ledger.post(
        call,
        "payment_failure_refund" if bank else "refund_failure",
        amount=ledger.in_dollars(call, refund["amount"], refund["currency"]),
        source=refund["id"],
        category="refund_failure",
        description="REFUND FAILURE",
    )
    refund["failure_balance_transaction"] = entry["id"]
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    call.store.put(charge)


@route("POST", "/v1/refunds/<identity>", package.params.RefundModifyParams)
def update_refund(call: Call, identity: str) -> Document:
    refund = call.need("refund", identity)
    refund["metadata"] = forms.metadata(call.params, refund["metadata"])
    call.store.put(refund)
    call.emit("refund.updated", refund)
    return refund


@route("POST", "/v1/refunds/<identity>/cancel")
def cancel_refund(call: Call, identity: str) -> Document:
    refund = call.need("refund", identity)
    if refund["status"] != "pending":
        raise StripeError(f"A refund that is {refund['status']} cannot be canceled.")
    return settle_refund(call, refund, "canceled")


# --- disputes


def open_dispute(call: Call, charge: Document, amount: int | None = None, reason: str = "fraudulent") -> Document:
    """The payer's bank takes the amount and Stripe its fee of 15.00 USD."""
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise invalid("charge", f"Charge {charge['id']} cannot be disputed: {charge['status']}, or disputed already.")
    taken = charge["amount"] if amount is None else amount
    if not 0 < taken <= charge["amount"]:
        raise invalid("amount", "The disputed amount lies between 1 cent and the charge.")
    dispute = call.store.insert("dp", shapes.dispute(charge, taken, reason))
    entry = ledger.post(
        call,
        "adjustment",
        amount=-taken,
        fee=ledger.DISPUTE_FEE,
        source=dispute["id"],
        category="dispute",
        description=f"Chargeback withdrawal for {charge['id']}",
    )
    dispute["balance_transactions"].append(shapes.public(entry))
    call.store.put(dispute)
    charge["disputed"] = True
    call.store.put(charge)
    call.emit("charge.dispute.created", dispute)
    call.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close_dispute(call: Call, dispute: Document, outcome: str, *, fee_returned: bool = False) -> Document:
    """Won: the amount comes back (the fee only on request); lost: nothing moves any more."""
    if outcome not in ("won", "lost") or dispute["status"] in ("won", "lost"):
        raise invalid("outcome", f"A dispute that is {dispute['status']} cannot become {outcome}.")
    previous = {"status": dispute["status"]}
    dispute["status"] = outcome
    if outcome == "won":
        entry = ledger.post(
            call,
            "adjustment",
            amount=dispute["amount"],
            fee=-ledger.DISPUTE_FEE if fee_returned else 0,
            source=dispute["id"],
            category="dispute_reversal",
            description=f"Chargeback reversal for {dispute['charge']}",
        )
        dispute["balance_transactions"].append(shapes.public(entry))
        dispute["is_charge_refundable"] = True
        charge = call.need("charge", dispute["charge"])
        charge["_dispute_won"] = True
        call.store.put(charge)
    call.store.put(dispute)
    call.emit("charge.dispute.closed", dispute, previous)
    if outcome == "won":
        call.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


@route("POST", "/v1/disputes/<identity>", package.params.DisputeModifyParams)
def update_dispute(call: Call, identity: str) -> Document:
    dispute = call.need("dispute", identity)
    dispute["metadata"] = forms.metadata(call.params, dispute["metadata"])
    if isinstance(call.params.get("evidence"), dict):
        dispute["evidence"].update(call.params["evidence"])
        dispute["evidence_details"].update(has_evidence=True, submission_count=1)
        dispute["status"] = "under_review"
    call.store.put(dispute)
    call.emit("charge.dispute.updated", dispute)
    return dispute


@route("POST", "/v1/disputes/<identity>/close", package.params.DisputeCloseParams)
def accept_dispute(call: Call, identity: str) -> Document:
    return close_dispute(call, call.need("dispute", identity), "lost")
