"""What happens when somebody pays: the session, its intent, its invoice and subscription, in one go."""

from typing import Any

from treasury.sandbox.store import Document
from treasury.sandbox.stripe import payments, refunds, shapes, subscriptions
from treasury.sandbox.stripe.calls import Call
from treasury.sandbox.stripe.cards import BY_NUMBER, Instrument
from treasury.sandbox.stripe.errors import invalid


def pay_session(call: Call, session: Document, method: Document, *, authenticated: bool = False) -> Document:
    """Pays an open session. Declined when the bank refuses; requires_action shows in the intent of the answer."""
    if session["status"] != "open":
        raise invalid("session", f"This session is {session['status']}.")
    instrument = BY_NUMBER[method["_number"]]
    if session["mode"] != "payment" and _hindered(instrument, authenticated=authenticated):
        return _hinder(instrument)
    customer = _customer(call, session)
    session["customer"] = customer["id"] if customer else None
    if session["mode"] == "setup":
        return _save_method(call, session, method)
    intent = _first_invoice(call, session, method) if session["mode"] == "subscription" else _intent(call, session)
    try:
        intent = payments.attempt(call, intent, method, payer_present=True, authenticated=authenticated)
    finally:
        session["payment_intent"] = intent["id"] if session["mode"] == "payment" else None
        call.store.put(session)
    if intent["status"] != "requires_action":
        _complete(call, session, intent, instrument)
    return intent


def _hindered(instrument: Instrument, *, authenticated: bool) -> bool:
    refused = bool(instrument.decline and not instrument.bank)
    return refused or (instrument.authenticate and not authenticated)


def _hinder(instrument: Instrument) -> Document:
    """A subscription is only begun with a card that works: nothing is stored for one that does not."""
    if instrument.decline:
        raise payments.refusal(instrument)
    return {"status": "requires_action"}


def _customer(call: Call, session: Document) -> Document | None:
    if session["customer"]:
        return call.need("customer", session["customer"])
    if session["mode"] != "subscription" and session["customer_creation"] != "always":
        return None
    customer = call.store.insert("cus", {**shapes.customer(), "email": session["customer_email"]})
    call.emit("customer.created", customer)
    return customer


def _intent(call: Call, session: Document) -> Document:
    if session["payment_intent"]:
        return call.need("payment_intent", session["payment_intent"])
    data = session["_intent"]
    return payments.new_intent(
        call,
        session["amount_total"],
        customer=session["customer"],
        description=data.get("description"),
        metadata=dict(data.get("metadata") or {}),
        receipt_email=data.get("receipt_email"),
        setup_future_usage=data.get("setup_future_usage"),
        payment_method_types=session["payment_method_types"],
        _session=session["id"],
    )


def _first_invoice(call: Call, session: Document, method: Document) -> Document:
    customer = call.need("customer", session["customer"])
    payments.attach(call, method, customer["id"])
    data = session["_subscription"]
    subscription = subscriptions.create_subscription(call, customer, session["_line_items"], data)
    subscription["default_payment_method"] = method["id"]
    invoice = subscriptions.bill(call, subscription, "subscription_create")
    subscriptions.finalize(call, invoice)
    session.update(subscription=subscription["id"], invoice=invoice["id"])
    return subscriptions.intent_for(call, invoice, _session=session["id"], setup_future_usage="off_session")


def _save_method(call: Call, session: Document, method: Document) -> Document:
    if session["customer"]:
        payments.attach(call, method, session["customer"])
    intent = call.store.insert("seti", shapes.setup_intent(session["customer"]))
    intent.update(status="succeeded", payment_method=method["id"])
    intent["client_secret"] = f"{intent['id']}_secret_{intent['id'][-12:]}"
    call.store.put(intent)
    method["_authenticated"] = True
    call.store.put(method)
    session.update(status="complete", setup_intent=intent["id"], url=None)
    call.store.put(session)
    call.emit("setup_intent.succeeded", intent)
    call.emit("checkout.session.completed", session)
    return intent


def _complete(call: Call, session: Document, intent: Document, instrument: Instrument) -> None:
    paid = intent["status"] == "succeeded"
    if paid:
        _pay_invoice(call, session, intent)
    elif session["mode"] == "subscription":
        # A bank debit under way: Stripe treats the subscription as active while it waits.
        subscriptions.change_status(call, call.need("subscription", session["subscription"]), "active")
    session.update(status="complete", payment_status="paid" if paid else "unpaid", url=None)
    call.store.put(session)
    call.emit("checkout.session.completed", session)
    if instrument.dispute:
        refunds.open_dispute(call, call.need("charge", intent["latest_charge"]))


def _pay_invoice(call: Call, session: Document | None, intent: Document) -> None:
    if intent.get("_invoice"):
        subscriptions.paid(call, call.need("invoice", intent["_invoice"]))
    elif session and session["customer"] and (session["invoice_creation"] or {}).get("enabled"):
        session["invoice"] = _invoice_afterwards(call, session, intent)["id"]


def _invoice_afterwards(call: Call, session: Document, intent: Document) -> Document:
    customer = call.need("customer", session["customer"])
    invoice = call.store.insert("in", {**shapes.invoice(customer, "manual"), "metadata": dict(session["metadata"])})
    lines = []
    for item in session["_line_items"]:
        line = shapes.invoice_line(
            item["amount_total"], item["description"], item["price"], start=session["created"], end=session["created"]
        )
        lines.append({**line, "quantity": item["quantity"]})
    subscriptions.add_lines(call, invoice, lines)
    subscriptions.finalize(call, invoice)
    subscriptions.join(call, invoice, intent)
    intent["_invoice"] = invoice["id"]
    call.store.put(intent)
    subscriptions.paid(call, invoice)
    return invoice


# --- bank debits, days later


def settle_debit(call: Call, intent: Document) -> Document:
    """The bank paid."""
    charge = _debit(call, intent)
    payments.succeed(call, intent, charge)
    session = _session(call, intent)
    _pay_invoice(call, session, intent)
    if session:
        session["payment_status"] = "paid"
        call.store.put(session)
        call.emit("checkout.session.async_payment_succeeded", session)
    return intent


def fail_debit(call: Call, intent: Document, code: str = "insufficient_funds") -> Document:
    """The bank did not pay."""
    charge = _debit(call, intent)
    refusal = Instrument(
        "",
        "",
        "",
        bank=True,
        decline=f"bank_account_{code}" if code == "insufficient_funds" else "bank_account_declined",
        decline_code=code,
        message="The customer's bank account could not be debited.",
    )
    payments.fail(call, intent, charge, refusal)
    if intent.get("_invoice"):
        subscriptions.unpaid(call, call.need("invoice", intent["_invoice"]))
    session = _session(call, intent)
    if session:
        call.emit("checkout.session.async_payment_failed", session)
    return intent


def _debit(call: Call, intent: Document) -> Document:
    if intent["status"] != "processing":
        raise invalid("payment_intent", f"This payment is {intent['status']}, no bank debit under way.")
    return call.need("charge", intent["latest_charge"])


def _session(call: Call, intent: Document) -> Any:
    return call.store.get(intent["_session"]) if intent.get("_session") else None
