"""Payouts: what Stripe sends to the bank, or takes from it when the balance is negative."""

import stripe as package

from treasury.sandbox.store import Document, now
from treasury.sandbox.stripe import forms, ledger, shapes
from treasury.sandbox.stripe.calls import Call, route
from treasury.sandbox.stripe.errors import StripeError, invalid

DAY = 86_400
OUTCOMES = ("paid", "failed", "in_transit", "canceled")


def make_payout(call: Call, amount: int | None = None) -> Document:
    """Without an amount the whole available balance goes, as Stripe does by itself; negative: Stripe debits."""
    automatic = amount is None
    available, _ = ledger.balance(call)
    moved = available if amount is None else amount
    if moved == 0:
        raise invalid("amount", "There is nothing to pay out.")
    settled = list(call.store.find("balance_transaction", status="available", _payout=None))
    payout = call.store.insert("po", shapes.payout(moved, automatic=automatic))
    entry = ledger.post(
        call, "payout", amount=-moved, source=payout["id"], category="payout", description="STRIPE PAYOUT"
    )
    for row in [*settled, entry] if automatic else [entry]:
        row["_payout"] = payout["id"]
        call.store.put(row)
    payout["balance_transaction"] = entry["id"]
    call.store.put(payout)
    call.emit("payout.created", payout)
    return payout


def settle_payout(call: Call, payout: Document, outcome: str) -> Document:
    """On its way, arrived, or sent back: a failed payout's money returns to the balance."""
    if outcome not in OUTCOMES or payout["status"] in ("failed", "canceled", outcome):
        raise invalid("outcome", f"A payout that is {payout['status']} cannot become {outcome}.")
    previous = {"status": payout["status"]}
    payout["status"] = outcome
    if outcome in ("failed", "canceled"):
        entry = ledger.post(
            call,
            "payout_failure" if outcome == "failed" else "payout_cancel",
            amount=payout["amount"],
            source=payout["id"],
            category="payout_reversal",
            description="PAYOUT FAILURE" if outcome == "failed" else "PAYOUT CANCELED",
        )
        payout["failure_balance_transaction"] = entry["id"]
    if outcome == "failed":
        payout.update(failure_code="account_closed", failure_message="The bank account has been closed.")
    if outcome == "paid":
        # A day that lies ahead was an estimate: it arrived now.
        payout["arrival_date"] = min(payout["arrival_date"], now() - now() % DAY)
        payout["trace_id"] = {"status": "supported", "value": f"TRACE{payout['id'][-10:].upper()}"}
    call.store.put(payout)
    call.emit("payout.updated" if outcome == "in_transit" else f"payout.{outcome}", payout, previous)
    return payout


@route("POST", "/v1/payouts", package.params.PayoutCreateParams)
def create_payout(call: Call) -> Document:
    amount = forms.integer(call.params, "amount")
    forms.currency(call.params)
    available, _ = ledger.balance(call)
    if amount < 1:
        raise StripeError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > available:
        raise StripeError("You have insufficient funds in your Stripe account.", code="balance_insufficient")
    payout = make_payout(call, amount)
    payout["metadata"] = forms.metadata(call.params)
    call.store.put(payout)
    return payout
