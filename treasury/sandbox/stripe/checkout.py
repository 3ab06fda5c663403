"""Checkout sessions: the wish to be paid, with the page on which it is."""

from typing import Any

import stripe.params.checkout as package

from treasury.sandbox.store import Document, now
from treasury.sandbox.stripe import forms, shapes
from treasury.sandbox.stripe.calls import Call, route
from treasury.sandbox.stripe.catalog import price_from
from treasury.sandbox.stripe.errors import StripeError, invalid, required

KEPT = ("client_reference_id", "cancel_url", "success_url", "customer_email", "submit_type", "locale")
HALF_HOUR, DAY = 1_800, 86_400


@route("POST", "/v1/checkout/sessions", package.SessionCreateParams)
def create_session(call: Call) -> Document:
    mode = call.params.get("mode")
    if mode not in ("payment", "subscription", "setup"):
        raise invalid("mode", "Invalid mode: must be one of payment, subscription, or setup")
    if call.store.setting("charges_disabled", False):
        raise StripeError("Your account cannot currently make charges.")
    session = shapes.session(mode)
    _fill(call, session)
    if mode == "setup":
        session.update(amount_total=None, amount_subtotal=None, payment_status="no_payment_required", _line_items=[])
    else:
        items = _line_items(call, mode)
        total = sum(item["amount_total"] for item in items)
        forms.check_amount(total, "line_items")
        session.update(amount_total=total, amount_subtotal=total, _line_items=items)
    call.store.insert("cs_test", session)
    session["url"] = f"{call.base}/c/pay/{session['id']}"
    call.store.put(session)
    return session


def _fill(call: Call, session: Document) -> None:
    for name in KEPT:
        if name in call.params:
            session[name] = forms.text(call.params, name)
    if not session["success_url"] and call.params.get("ui_mode", "hosted_page") in ("hosted", "hosted_page"):
        raise required("success_url")
    if call.params.get("customer"):
        customer = call.need("customer", call.params["customer"], "customer")
        session["customer"] = customer["id"]
        session["customer_details"] = _details(customer["email"], customer["name"])
    elif session["mode"] == "payment":
        session["customer_creation"] = call.params.get("customer_creation", "if_required")
    session["metadata"] = forms.metadata(call.params)
    if isinstance(call.params.get("payment_method_types"), list):
        session["payment_method_types"] = call.params["payment_method_types"]
    if "expires_at" in call.params:
        session["expires_at"] = _expiry(call)
    if session["mode"] == "payment":
        enabled = forms.boolean(call.params.get("invoice_creation") or {}, "enabled")
        session["invoice_creation"] = {"enabled": enabled, "invoice_data": {"metadata": {}}}
    session["_intent"] = _data(call, "payment_intent_data", session["mode"] == "payment")
    session["_subscription"] = _data(call, "subscription_data", session["mode"] == "subscription")


def _details(email: str | None, name: str | None) -> Document:
    return {
        **shapes.nothing("address", "business_name", "individual_name", "phone"),
        "email": email,
        "name": name,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def _expiry(call: Call) -> int:
    expires = forms.integer(call.params, "expires_at")
    if not now() + HALF_HOUR - 60 <= expires <= now() + DAY + 60:
        raise invalid("expires_at", "The `expires_at` timestamp must be 30 minutes to 24 hours from now.")
    return expires


def _data(call: Call, name: str, fits: bool) -> Any:
    given = call.params.get(name)
    if given and not fits:
        raise invalid(name, f"You can not pass `{name}` in `{call.params['mode']}` mode.")
    return given or {}


def _line_items(call: Call, mode: str) -> list[Document]:
    given = call.params.get("line_items")
    if not isinstance(given, list) or not given:
        raise required("line_items")
    items = []
    for number, wanted in enumerate(given):
        price, name = price_from(call, wanted, f"line_items[{number}]")
        if price["recurring"] and mode == "payment":
            raise invalid("line_items", "You specified `payment` mode but passed a recurring price.")
        if not price["recurring"] and mode == "subscription":
            raise invalid("line_items", "You must provide at least one recurring price in `subscription` mode.")
        quantity = forms.integer(wanted, "quantity", 1)
        if quantity < 1:
            raise invalid(f"line_items[{number}][quantity]", "The quantity must be at least 1.")
        item = shapes.line_item(price, quantity, name)
        item["id"], _ = call.store.new_id("li")
        items.append(item)
    return items


@route("POST", "/v1/checkout/sessions/<identity>", package.SessionModifyParams)
def update_session(call: Call, identity: str) -> Document:
    session = call.need("checkout.session", identity)
    session["metadata"] = forms.metadata(call.params, session["metadata"])
    call.store.put(session)
    return session


@route("GET", "/v1/checkout/sessions/<identity>/line_items")
def list_line_items(call: Call, identity: str) -> Document:
    items = call.need("checkout.session", identity)["_line_items"]
    return shapes.listing(f"/v1/checkout/sessions/{identity}/line_items", items)


@route("POST", "/v1/checkout/sessions/<identity>/expire", package.SessionExpireParams)
def expire_session(call: Call, identity: str) -> Document:
    session = call.need("checkout.session", identity)
    if session["status"] != "open":
        raise StripeError(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.'
        )
    return expire(call, session)


def expire(call: Call, session: Document) -> Document:
    session.update(status="expired", url=None)
    call.store.put(session)
    intent = call.store.get(session["payment_intent"]) if session["payment_intent"] else None
    if intent and intent["status"] not in ("succeeded", "processing", "canceled"):
        intent.update(status="canceled", canceled_at=now(), cancellation_reason="automatic", next_action=None)
        call.store.put(intent)
        call.emit("payment_intent.canceled", intent)
    call.emit("checkout.session.expired", session)
    return session


def expire_due(call: Call) -> None:
    """Sessions past their time, as Stripe expires them by itself."""
    for session in call.store.find("checkout.session", status="open"):
        if session["expires_at"] <= now():
            expire(call, session)
