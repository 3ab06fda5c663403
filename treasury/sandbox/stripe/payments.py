"""Customers, payment methods, payment intents and their charges."""

import json
from typing import Any

import stripe as package

from treasury.sandbox.store import Document, now
from treasury.sandbox.stripe import forms, ledger, shapes
from treasury.sandbox.stripe.calls import Call, route
from treasury.sandbox.stripe.cards import BY_NUMBER, BY_TOKEN, Instrument
from treasury.sandbox.stripe.errors import StripeError, missing, required

DELETED_CUSTOMER = "deleted_customer"
OPEN_STATES = ("requires_payment_method", "requires_confirmation", "requires_action")


class Declined(StripeError):
    """The bank's refusal: what was tried stays recorded, unlike with other refusals."""


# --- customers

CUSTOMER_TEXTS = ("name", "email", "phone", "description")


def _fill_customer(call: Call, customer: Document) -> None:
    for name in CUSTOMER_TEXTS:
        if name in call.params:
            customer[name] = forms.text(call.params, name)
    for name in ("address", "shipping"):
        if name in call.params:
            customer[name] = call.params[name] or None
    if isinstance(call.params.get("invoice_settings"), dict):
        customer["invoice_settings"] = {**customer["invoice_settings"], **call.params["invoice_settings"]}
    customer["metadata"] = forms.metadata(call.params, customer["metadata"])


@route("POST", "/v1/customers", package.params.CustomerCreateParams)
def create_customer(call: Call) -> Document:
    customer = shapes.customer()
    _fill_customer(call, customer)
    call.store.insert("cus", customer)
    customer["invoice_prefix"] = customer["id"][-8:].upper()
    call.store.put(customer)
    call.emit("customer.created", customer)
    return customer


@route("POST", "/v1/customers/<identity>", package.params.CustomerModifyParams)
def update_customer(call: Call, identity: str) -> Document:
    customer = call.need("customer", identity)
    before = shapes.public(customer)
    _fill_customer(call, customer)
    call.store.put(customer)
    call.emit("customer.updated", customer, changes(before, customer))
    return customer


@route("DELETE", "/v1/customers/<identity>")
def delete_customer(call: Call, identity: str) -> Document:
    """Nothing can be done with it any more; asked for by its id, Stripe still says that it was deleted."""
    customer = call.need("customer", identity)
    left = {"id": identity, "object": "customer", "deleted": True}
    call.store.connection.execute(
        "UPDATE documents SET kind = ?, body = ? WHERE id = ?", (DELETED_CUSTOMER, json.dumps(left), identity)
    )
    call.emit("customer.deleted", customer)
    return left


@route("GET", "/v1/customers/<identity>")
def retrieve_customer(call: Call, identity: str) -> Document:
    return call.store.get(identity, DELETED_CUSTOMER) or call.need("customer", identity)


def changes(before: Document, after: Document) -> Document:
    """What stood there before, of the fields that changed."""
    return {name: value for name, value in before.items() if after.get(name) != value}


# --- payment methods


@route("GET", "/v1/customers/<identity>/payment_methods")
def list_customer_methods(call: Call, identity: str) -> Document:
    call.need("customer", identity)
    rows = call.store.find("payment_method", customer=identity)
    if call.params.get("type"):
        rows = [row for row in rows if row["type"] == call.params["type"]]
    return shapes.listing(f"/v1/customers/{identity}/payment_methods", rows)


@route("GET", "/v1/customers/<identity>/payment_methods/<method>")
def retrieve_customer_method(call: Call, identity: str, method: str) -> Document:
    found = call.need("payment_method", method)
    if found["customer"] != identity:
        raise missing("payment method", method)
    return found


@route("POST", "/v1/payment_methods", package.params.PaymentMethodCreateParams)
def create_method(call: Call) -> Document:
    number = str((call.params.get("card") or {}).get("number") or "")
    if (call.params.get("card") or {}).get("token"):
        number = "4242424242424242"
    if call.params.get("type") == "us_bank_account":
        number = str((call.params.get("us_bank_account") or {}).get("account_number") or "")
    if number not in BY_NUMBER:
        raise StripeError("Your card number is incorrect.", status=402, kind="card_error", code="incorrect_number")
    return new_method(call, BY_NUMBER[number], metadata=forms.metadata(call.params))


def new_method(call: Call, instrument: Instrument, **more: Any) -> Document:
    return call.store.insert("pm", {**instrument.method(), **more})


def find_method(call: Call, identity: str, param: str = "payment_method") -> Document:
    """A stored method, or a fresh one for a test token."""
    if identity in BY_TOKEN:
        return new_method(call, BY_TOKEN[identity])
    return call.need("payment_method", identity, param)


def attach(call: Call, method: Document, customer_id: str) -> None:
    if method["customer"] not in (None, customer_id):
        raise StripeError("The payment method you provided has already been attached to a customer.")
    if method["customer"] is None:
        method["customer"] = customer_id
        call.store.put(method)
        call.emit("payment_method.attached", method)


@route("POST", "/v1/payment_methods/<identity>/attach", package.params.PaymentMethodAttachParams)
def attach_method(call: Call, identity: str) -> Document:
    customer = call.need("customer", call.params.get("customer"), "customer")
    method = find_method(call, identity, "id")
    if BY_NUMBER[method["_number"]].decline and not _saves(method):
        raise refusal(BY_NUMBER[method["_number"]])
    attach(call, method, customer["id"])
    return method


def _saves(method: Document) -> bool:
    return method["type"] != "card" or method["_number"] == "4000000000000341"


@route("POST", "/v1/payment_methods/<identity>/detach")
def detach_method(call: Call, identity: str) -> Document:
    method = call.need("payment_method", identity)
    before = {"customer": method["customer"]}
    method["customer"] = None
    call.store.put(method)
    call.emit("payment_method.detached", method, before)
    return method


# --- payment intents


def new_intent(call: Call, amount: int, **more: Any) -> Document:
    intent = call.store.insert("pi", {**shapes.payment_intent(amount), **more})
    intent["client_secret"] = f"{intent['id']}_secret_{intent['id'][-12:]}"
    call.store.put(intent)
    call.emit("payment_intent.created", intent)
    return intent


def _fill_intent(call: Call, intent: Document) -> None:
    for name in ("description", "receipt_email", "setup_future_usage", "statement_descriptor_suffix"):
        if name in call.params:
            intent[name] = forms.text(call.params, name)
    if call.params.get("customer"):
        intent["customer"] = call.need("customer", call.params["customer"], "customer")["id"]
    if isinstance(call.params.get("payment_method_types"), list):
        intent["payment_method_types"] = call.params["payment_method_types"]
    intent["metadata"] = forms.metadata(call.params, intent["metadata"])


@route("POST", "/v1/payment_intents", package.params.PaymentIntentCreateParams)
def create_intent(call: Call) -> Document:
    amount = forms.amount(call.params)
    forms.currency(call.params)
    draft = shapes.payment_intent(amount)
    _fill_intent(call, draft)
    if forms.boolean(call.params.get("automatic_payment_methods") or {}, "enabled"):
        draft["automatic_payment_methods"] = {"allow_redirects": "always", "enabled": True}
    intent = new_intent(call, **draft)
    if call.params.get("payment_method"):
        _choose(call, intent, call.params["payment_method"])
    if forms.boolean(call.params, "confirm"):
        return _confirm(call, intent)
    return intent


def _choose(call: Call, intent: Document, identity: str) -> None:
    method = find_method(call, identity)
    if method["customer"] and method["customer"] != intent["customer"]:
        raise StripeError(
            f"The customer does not have a payment method with the ID {identity}."
            " The payment method must be attached to the customer of the payment intent.",
            code="resource_missing",
            param="payment_method",
        )
    intent["payment_method"] = method["id"]
    intent["status"] = "requires_confirmation"
    call.store.put(intent)


@route("POST", "/v1/payment_intents/<identity>", package.params.PaymentIntentModifyParams)
def update_intent(call: Call, identity: str) -> Document:
    intent = call.need("payment_intent", identity)
    if "amount" in call.params:
        _need_open(intent)
        intent["amount"] = forms.amount(call.params)
    _fill_intent(call, intent)
    call.store.put(intent)
    return intent


def _need_open(intent: Document) -> None:
    if intent["status"] not in OPEN_STATES:
        raise StripeError(
            f"This PaymentIntent's status is {intent['status']}, so this cannot be done any more.",
            code="payment_intent_unexpected_state",
            payment_intent=shapes.public(intent),
        )


@route("POST", "/v1/payment_intents/<identity>/confirm", package.params.PaymentIntentConfirmParams)
def confirm_intent(call: Call, identity: str) -> Document:
    intent = call.need("payment_intent", identity)
    _need_open(intent)
    if call.params.get("payment_method"):
        _choose(call, intent, call.params["payment_method"])
    return _confirm(call, intent)


def _confirm(call: Call, intent: Document) -> Document:
    if not intent["payment_method"]:
        raise required("payment_method")
    method = call.need("payment_method", intent["payment_method"])
    absent = call.params.get("off_session") not in (None, "", "false")
    return attempt(call, intent, method, payer_present=not absent)


@route("POST", "/v1/payment_intents/<identity>/cancel", package.params.PaymentIntentCancelParams)
def cancel_intent(call: Call, identity: str) -> Document:
    intent = call.need("payment_intent", identity)
    _need_open(intent)
    intent.update(
        status="canceled",
        canceled_at=now(),
        cancellation_reason=forms.text(call.params, "cancellation_reason"),
        next_action=None,
    )
    call.store.put(intent)
    call.emit("payment_intent.canceled", intent)
    return intent


# --- charging


def attempt(
    call: Call, intent: Document, method: Document, *, payer_present: bool, authenticated: bool = False
) -> Document:
    """Tries to charge: succeeded, processing or requires_action; Declined when the bank refuses."""
    instrument = BY_NUMBER[method["_number"]]
    if instrument.authenticate and not authenticated and not method.get("_authenticated"):
        if payer_present:
            intent.update(payment_method=method["id"], status="requires_action", next_action={"type": "use_stripe_sdk"})
            call.store.put(intent)
            call.emit("payment_intent.requires_action", intent)
            return intent
        raise _decline(call, intent, method, AUTHENTICATION)
    if instrument.decline and not instrument.bank:
        raise _decline(call, intent, method, instrument)
    if authenticated:
        method["_authenticated"] = True
        call.store.put(method)
    charge = _new_charge(call, intent, method, at_once=instrument.at_once)
    if instrument.bank:
        intent["status"] = "processing"
        _point(call, intent, charge)
        call.emit("charge.pending", charge)
        call.emit("payment_intent.processing", intent)
        return intent
    return succeed(call, intent, charge)


AUTHENTICATION = Instrument(
    "",
    "",
    "",
    decline="authentication_required",
    decline_code="authentication_required",
    message="Your card was declined. This transaction requires authentication.",
)


def _new_charge(call: Call, intent: Document, method: Document, *, at_once: bool = False) -> Document:
    if intent["setup_future_usage"] and intent["customer"]:
        attach(call, method, intent["customer"])
    intent["payment_method"] = method["id"]
    prefix = "py" if method["type"] == "us_bank_account" else "ch"
    return call.store.insert(prefix, {**shapes.charge(intent, method), "_at_once": at_once})


def _point(call: Call, intent: Document, charge: Document) -> None:
    intent.update(latest_charge=charge["id"], next_action=None)
    call.store.put(intent)


def succeed(call: Call, intent: Document, charge: Document) -> Document:
    """The money came: charge and intent succeed, the balance transaction follows (or later, on request)."""
    charge.update(
        status="succeeded",
        paid=True,
        captured=True,
        amount_captured=charge["amount"],
        outcome=shapes.outcome(),
        receipt_url=f"{call.base}/receipts/{charge['id']}",
        currency=call.store.setting("currency", {"code": "usd"})["code"],
    )
    intent["currency"] = charge["currency"]
    call.store.put(charge)
    if call.store.setting("delay_balance_transactions", False):
        charge["_delayed"] = True
        call.store.put(charge)
    else:
        ledger.post_charge(call, charge)
    intent.update(status="succeeded", amount_received=intent["amount"], last_payment_error=None)
    _point(call, intent, charge)
    call.emit("charge.succeeded", charge)
    call.emit("payment_intent.succeeded", intent)
    return intent


def refusal(instrument: Instrument) -> Declined:
    return Declined(
        instrument.message,
        status=402,
        kind="card_error",
        code=instrument.decline,
        decline_code=instrument.decline_code,
    )


def _decline(call: Call, intent: Document, method: Document, instrument: Instrument) -> Declined:
    charge = _new_failed(call, intent, method)
    fail(call, intent, charge, instrument)
    declined = refusal(instrument)
    declined.body.update(
        charge=charge["id"], payment_intent=shapes.public(intent), payment_method=shapes.public(method)
    )
    return declined


def _new_failed(call: Call, intent: Document, method: Document) -> Document:
    return call.store.insert("ch", shapes.charge(intent, method))


def fail(call: Call, intent: Document, charge: Document, instrument: Instrument) -> None:
    """The bank refused, at once or days later."""
    charge.update(
        status="failed",
        failure_code=instrument.decline,
        failure_message=instrument.message,
        outcome=shapes.outcome(declined=instrument.decline_code),
    )
    call.store.put(charge)
    method = call.store.get(charge["payment_method"])
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        last_payment_error={
            "type": "card_error",
            "code": instrument.decline,
            "decline_code": instrument.decline_code,
            "message": instrument.message,
            "charge": charge["id"],
            "payment_method": shapes.public(method),
        },
    )
    _point(call, intent, charge)
    call.emit("charge.failed", charge)
    call.emit("payment_intent.payment_failed", intent)


@route("POST", "/v1/charges/<identity>", package.params.ChargeModifyParams)
def update_charge(call: Call, identity: str) -> Document:
    charge = call.need("charge", identity)
    charge["metadata"] = forms.metadata(call.params, charge["metadata"])
    if "description" in call.params:
        charge["description"] = forms.text(call.params, "description")
    call.store.put(charge)
    call.emit("charge.updated", charge)
    return charge


# --- cards saved without a payment


@route("POST", "/v1/setup_intents", package.params.SetupIntentCreateParams)
def create_setup(call: Call) -> Document:
    customer = call.params.get("customer")
    draft = shapes.setup_intent(call.need("customer", customer, "customer")["id"] if customer else None)
    draft["metadata"] = forms.metadata(call.params)
    setup = call.store.insert("seti", draft)
    setup["client_secret"] = f"{setup['id']}_secret_{setup['id'][-12:]}"
    call.store.put(setup)
    call.emit("setup_intent.created", setup)
    if call.params.get("payment_method"):
        setup.update(payment_method=find_method(call, call.params["payment_method"])["id"])
        setup["status"] = "requires_confirmation"
        call.store.put(setup)
    return _save(call, setup) if forms.boolean(call.params, "confirm") else setup


@route("POST", "/v1/setup_intents/<identity>/confirm", package.params.SetupIntentConfirmParams)
def confirm_setup(call: Call, identity: str) -> Document:
    setup = call.need("setup_intent", identity)
    if setup["status"] not in OPEN_STATES:
        raise StripeError(f"This SetupIntent's status is {setup['status']}.", code="setup_intent_unexpected_state")
    if call.params.get("payment_method"):
        setup["payment_method"] = find_method(call, call.params["payment_method"])["id"]
    return _save(call, setup)


def _save(call: Call, setup: Document) -> Document:
    method = call.need("payment_method", setup["payment_method"], "payment_method")
    instrument = BY_NUMBER[method["_number"]]
    if instrument.decline and not _saves(method):
        raise refusal(instrument)
    if setup["customer"]:
        attach(call, method, setup["customer"])
    method["_authenticated"] = True
    call.store.put(method)
    setup.update(status="succeeded")
    call.store.put(setup)
    call.emit("setup_intent.succeeded", setup)
    return setup
