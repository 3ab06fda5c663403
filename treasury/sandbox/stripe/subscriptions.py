"""Subscriptions and invoices."""

from typing import Any

import stripe as package

from treasury.sandbox.store import Document, now
from treasury.sandbox.stripe import forms, payments, shapes
from treasury.sandbox.stripe.calls import Call, route
from treasury.sandbox.stripe.errors import StripeError, invalid

SECONDS = {"day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400, "year": 365 * 86_400}
PAUSES = ("void", "keep_as_draft", "mark_uncollectible")
ENDED = ("canceled", "incomplete_expired")


def create_subscription(call: Call, customer: Document, items: list[Document], data: Document) -> Document:
    """An incomplete subscription, active once its first invoice is paid."""
    draft = shapes.subscription(customer["id"])
    draft["metadata"] = forms.metadata(data)
    draft["description"] = forms.text(data, "description")
    subscription = call.store.insert("sub", draft)
    rows = []
    for item in items:
        ends = now() + _period(item["price"])
        row = shapes.subscription_item(subscription["id"], item["price"], item["quantity"], ends)
        rows.append(call.store.insert("si", row))
    subscription["items"] = shapes.listing(f"/v1/subscription_items?subscription={subscription['id']}", rows)
    call.store.put(subscription)
    call.emit("customer.subscription.created", subscription)
    return subscription


def _period(price: Document) -> int:
    return SECONDS[price["recurring"]["interval"]] * price["recurring"]["interval_count"]


def bill(call: Call, subscription: Document, reason: str) -> Document:
    """An open invoice over the subscription's items, with the payment intent that is to pay it."""
    customer = call.need("customer", subscription["customer"])
    draft = shapes.invoice(customer, reason)
    draft["parent"] = {
        "type": "subscription_details",
        "quote_details": None,
        "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
    }
    invoice = call.store.insert("in", draft)
    lines = []
    for item in subscription["items"]["data"]:
        line = shapes.invoice_line(
            item["price"]["unit_amount"] * item["quantity"],
            f"{item['quantity']} × {call.need('product', item['price']['product'])['name']}",
            item["price"],
            start=item["current_period_start"],
            end=item["current_period_end"],
        )
        line.update(quantity=item["quantity"], metadata=dict(subscription["metadata"]))
        line["subscription"] = subscription["id"]
        line["parent"] = {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": {
                **shapes.nothing("invoice_item", "proration_details"),
                "proration": False,
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
        }
        lines.append(line)
    add_lines(call, invoice, lines)
    subscription["latest_invoice"] = invoice["id"]
    call.store.put(subscription)
    return invoice


def add_lines(call: Call, invoice: Document, lines: list[Document]) -> None:
    for line in lines:
        line["id"], _ = call.store.new_id("il")
        line["invoice"] = invoice["id"]
    total = sum(line["amount"] for line in lines)
    invoice.update(amount_due=total, amount_remaining=total, subtotal=total, total=total)
    invoice.update(subtotal_excluding_tax=total, total_excluding_tax=total)
    invoice["lines"] = shapes.listing(f"/v1/invoices/{invoice['id']}/lines", lines)
    call.store.put(invoice)
    call.emit("invoice.created", invoice)


def finalize(call: Call, invoice: Document) -> None:
    customer = call.need("customer", invoice["customer"])
    number = customer["next_invoice_sequence"]
    customer["next_invoice_sequence"] += 1
    call.store.put(customer)
    invoice.update(
        status="open",
        number=f"{customer.get('invoice_prefix', 'SANDBOX')}-{number:04d}",
        hosted_invoice_url=f"{call.base}/i/{invoice['id']}",
        invoice_pdf=f"{call.base}/i/{invoice['id']}/pdf",
    )
    invoice["status_transitions"]["finalized_at"] = now()
    call.store.put(invoice)
    call.emit("invoice.finalized", invoice)


def intent_for(call: Call, invoice: Document, **more: Any) -> Document:
    """The payment intent of an invoice, joined to it by an invoice payment."""
    intent = payments.new_intent(
        call,
        invoice["amount_due"],
        customer=invoice["customer"],
        description="Subscription creation" if invoice["billing_reason"] == "subscription_create" else None,
        _invoice=invoice["id"],
        **more,
    )
    join(call, invoice, intent)
    return intent


def join(call: Call, invoice: Document, intent: Document) -> None:
    call.store.insert("inpay", shapes.invoice_payment(invoice, intent["id"]))


def paid(call: Call, invoice: Document) -> None:
    """The invoice's payment succeeded; its subscription becomes or stays active."""
    invoice.update(status="paid", attempted=True, amount_paid=invoice["amount_due"], amount_remaining=0)
    invoice["attempt_count"] += 1
    invoice["status_transitions"]["paid_at"] = now()
    call.store.put(invoice)
    for payment in call.store.find("invoice_payment", invoice=invoice["id"]):
        payment.update(status="paid", amount_paid=invoice["amount_paid"])
        payment["status_transitions"]["paid_at"] = now()
        call.store.put(payment)
        call.emit("invoice_payment.paid", payment)
    subscription = subscription_of(call, invoice)
    if subscription is not None and subscription["status"] not in ENDED:
        change_status(call, subscription, "active")
    call.emit("invoice.paid", invoice)
    call.emit("invoice.payment_succeeded", invoice)


def unpaid(call: Call, invoice: Document) -> None:
    invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + 1)
    call.store.put(invoice)
    subscription = subscription_of(call, invoice)
    if subscription is not None and subscription["status"] == "active":
        change_status(call, subscription, "past_due")
    call.emit("invoice.payment_failed", invoice)


def subscription_of(call: Call, invoice: Document) -> Document | None:
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    return call.store.get(details["subscription"]) if details.get("subscription") else None


def change_status(call: Call, subscription: Document, status: str) -> None:
    if subscription["status"] != status:
        previous = {"status": subscription["status"]}
        subscription["status"] = status
        call.store.put(subscription)
        call.emit("customer.subscription.updated", subscription, previous)


def renew(call: Call, subscription: Document) -> Document:
    """The next period begins: an invoice, charged to the saved method unless collection is paused."""
    if subscription["status"] in ENDED:
        raise invalid("subscription", f"A subscription that is {subscription['status']} does not renew.")
    if subscription["cancel_at_period_end"]:
        return end(call, subscription)
    for item in subscription["items"]["data"]:
        item["current_period_start"] = item["current_period_end"]
        item["current_period_end"] += _period(item["price"])
        call.store.put(item)
    call.store.put(subscription)
    invoice = bill(call, subscription, "subscription_cycle")
    pause = subscription["pause_collection"]
    if pause:
        _park(call, invoice, pause["behavior"])
        return invoice
    finalize(call, invoice)
    intent = intent_for(call, invoice)
    method = call.need("payment_method", subscription["default_payment_method"])
    try:
        intent = payments.attempt(call, intent, method, payer_present=False)
    except payments.Declined:
        unpaid(call, invoice)
        return invoice
    if intent["status"] == "succeeded":
        paid(call, invoice)
    return invoice


def _park(call: Call, invoice: Document, behavior: str) -> None:
    if behavior == "keep_as_draft":
        return
    finalize(call, invoice)
    status = "void" if behavior == "void" else "uncollectible"
    invoice["status"] = status
    invoice["status_transitions"]["voided_at" if status == "void" else "marked_uncollectible_at"] = now()
    call.store.put(invoice)
    call.emit("invoice.voided" if status == "void" else "invoice.marked_uncollectible", invoice)


def end(call: Call, subscription: Document) -> Document:
    subscription.update(status="canceled", canceled_at=now(), ended_at=now(), pause_collection=None)
    subscription["cancellation_details"]["reason"] = "cancellation_requested"
    call.store.put(subscription)
    call.emit("customer.subscription.deleted", subscription)
    return subscription


# --- the API


def _need_living(subscription: Document) -> None:
    if subscription["status"] in ENDED:
        raise StripeError(
            "A canceled subscription can only update its cancellation_details and metadata.",
            code="resource_missing",
            param="id",
        )


@route("POST", "/v1/subscriptions/<identity>", package.params.SubscriptionModifyParams)
def update_subscription(call: Call, identity: str) -> Document:
    subscription = call.need("subscription", identity)
    _need_living(subscription)
    before = shapes.public(subscription)
    subscription["metadata"] = forms.metadata(call.params, subscription["metadata"])
    if "pause_collection" in call.params:
        subscription["pause_collection"] = _pause(call.params["pause_collection"])
    if "cancel_at_period_end" in call.params:
        wanted = forms.boolean(call.params, "cancel_at_period_end")
        subscription["cancel_at_period_end"] = wanted
        subscription["canceled_at"] = now() if wanted else None
        ends = subscription["items"]["data"][0]["current_period_end"]
        subscription["cancel_at"] = ends if wanted else None
    if call.params.get("default_payment_method"):
        method = payments.find_method(call, call.params["default_payment_method"], "default_payment_method")
        payments.attach(call, method, subscription["customer"])
        subscription["default_payment_method"] = method["id"]
    call.store.put(subscription)
    call.emit("customer.subscription.updated", subscription, payments.changes(before, subscription))
    return subscription


def _pause(given: Any) -> Document | None:
    if not given:
        return None
    if given.get("behavior") not in PAUSES:
        raise invalid("pause_collection[behavior]", f"Invalid behavior: must be one of {', '.join(PAUSES)}")
    return {"behavior": given["behavior"], "resumes_at": forms.integer(given, "resumes_at", 0) or None}


@route("DELETE", "/v1/subscriptions/<identity>", package.params.SubscriptionCancelParams)
def cancel_subscription(call: Call, identity: str) -> Document:
    subscription = call.need("subscription", identity)
    if subscription["status"] in ENDED:
        raise StripeError(f"No such subscription: '{identity}'", status=404, code="resource_missing", param="id")
    return end(call, subscription)


@route("GET", "/v1/invoices/<identity>/lines")
def list_lines(call: Call, identity: str) -> Document:
    return call.need("invoice", identity)["lines"]


@route("POST", "/v1/invoices/<identity>/void", package.params.InvoiceVoidInvoiceParams)
def void_invoice(call: Call, identity: str) -> Document:
    invoice = call.need("invoice", identity)
    if invoice["status"] not in ("open", "uncollectible"):
        raise StripeError(f"You can only void open invoices; this one is {invoice['status']}.")
    invoice["status"] = "void"
    invoice["status_transitions"]["voided_at"] = now()
    call.store.put(invoice)
    call.emit("invoice.voided", invoice)
    return invoice
