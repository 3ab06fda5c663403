"""From Stripe's JSON to the house's own dataclasses. An amount is read as whole cents, never as a float."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from habitat.money import CENT_PLACES, LARGEST_USD, parse_decimal
from treasury.policies.stripe import (
    MEMBER_KEY,
    USD_CODE,
    StripeBalance,
    StripeCharge,
    StripeCustomer,
    StripeDispute,
    StripeInvoice,
    StripeMethod,
    StripeNotice,
    StripePayment,
    StripePayout,
    StripeRefund,
    StripeSession,
    StripeSubscription,
    StripeTransaction,
)

Json = Mapping[str, Any]
_CENTS: Final = 100


def dollars(cents: int) -> Decimal:
    """USD of whole cents, exactly."""
    if isinstance(cents, bool) or not isinstance(cents, int):
        raise TypeError(f"an amount of Stripe's is a whole number, not {cents!r}")
    return Decimal(cents).scaleb(-CENT_PLACES)


def whole_cents(amount: Decimal) -> int:
    """Cents of an amount in USD. Raises TooManyDecimals when it has a part of a cent."""
    return int(parse_decimal(amount, places=CENT_PLACES, largest=LARGEST_USD) * _CENTS)


def at(seconds: int) -> datetime:
    """Stripe's clock: whole seconds since 1970, UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def id_of(value: Any) -> str:
    """The id of something that Stripe names or shows whole; empty when there is none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value["id"])


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _marks(row: Json) -> dict[str, str]:
    return {str(name): str(value) for name, value in (row.get("metadata") or {}).items()}


def _whole(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def transaction(row: Json) -> StripeTransaction:
    return StripeTransaction(
        id=row["id"],
        type=row["type"],
        amount=dollars(row["amount"]),
        fee=dollars(row["fee"]),
        net=dollars(row["net"]),
        currency=row["currency"],
        source_id=id_of(row.get("source")),
        description=_text(row.get("description"))[:500],
        available_on=at(row["available_on"]),
        created=at(row["created"]),
        document=dict(row),
    )


def _transaction_of(value: Any) -> StripeTransaction | None:
    row = _whole(value)
    return transaction(row) if row else None


def charge(row: Json) -> StripeCharge:
    return StripeCharge(
        id=row["id"],
        payment_id=id_of(row.get("payment_intent")),
        customer_id=id_of(row.get("customer")),
        amount=dollars(row["amount"]),
        amount_refunded=dollars(row["amount_refunded"]),
        currency=row["currency"],
        status=row["status"],
        disputed=bool(row.get("disputed")),
        method=_text((row.get("payment_method_details") or {}).get("type")),
        receipt_url=_text(row.get("receipt_url")),
        created=at(row["created"]),
        transaction=_transaction_of(row.get("balance_transaction")),
        document=dict(row),
    )


def payment(row: Json) -> StripePayment:
    customer_row = _whole(row.get("customer"))
    charge_row = _whole(row.get("latest_charge"))
    paid = charge(charge_row) if charge_row else None
    method_row = _whole(row.get("payment_method"))
    trouble = row.get("last_payment_error") or {}
    return StripePayment(
        id=row["id"],
        status=row["status"],
        amount=dollars(row["amount"]),
        amount_received=dollars(row.get("amount_received") or 0),
        currency=row["currency"],
        customer_id=id_of(row.get("customer")),
        customer_member=_marks(customer_row).get(MEMBER_KEY, "") if customer_row else "",
        method=(paid.method if paid else "") or _text((method_row or {}).get("type")),
        created=at(row["created"]),
        livemode=bool(row.get("livemode")),
        failure_code=_text(trouble.get("decline_code") or trouble.get("code")),
        failure_message=_text(trouble.get("message"))[:300],
        charge=paid,
        customer_deleted=bool((customer_row or {}).get("deleted")),
        metadata=_marks(row),
        document=dict(row),
    )


def refund(row: Json) -> StripeRefund:
    return StripeRefund(
        id=row["id"],
        payment_id=id_of(row.get("payment_intent")),
        charge_id=id_of(row.get("charge")),
        amount=dollars(row["amount"]),
        currency=row["currency"],
        status=_text(row.get("status")),
        created=at(row["created"]),
        taken=_transaction_of(row.get("balance_transaction")),
        returned=_transaction_of(row.get("failure_balance_transaction")),
        metadata=_marks(row),
        document=dict(row),
    )


def dispute(row: Json) -> StripeDispute:
    return StripeDispute(
        id=row["id"],
        payment_id=id_of(row.get("payment_intent")),
        charge_id=id_of(row.get("charge")),
        amount=dollars(row["amount"]),
        currency=row["currency"],
        status=row["status"],
        reason=_text(row.get("reason"))[:80],
        created=at(row["created"]),
        transactions=tuple(transaction(one) for one in row.get("balance_transactions") or ()),
        document=dict(row),
    )


def payout(row: Json) -> StripePayout:
    return StripePayout(
        id=row["id"],
        amount=dollars(row["amount"]),
        currency=row["currency"],
        status=row["status"],
        arrival_on=at(row["arrival_date"]).date(),
        created=at(row["created"]),
        document=dict(row),
    )


def balance(row: Json) -> StripeBalance:
    def held(part: str) -> Decimal:
        return sum((dollars(one["amount"]) for one in row[part] if one["currency"] == USD_CODE), Decimal(0))

    return StripeBalance(available=held("available"), pending=held("pending"))


def customer(row: Json) -> StripeCustomer:
    return StripeCustomer(
        id=row["id"],
        email=_text(row.get("email")),
        name=_text(row.get("name")),
        member=_marks(row).get(MEMBER_KEY, ""),
        is_deleted=bool(row.get("deleted")),
        document=dict(row),
    )


def session(row: Json) -> StripeSession:
    return StripeSession(
        id=row["id"],
        url=_text(row.get("url")),
        mode=row["mode"],
        status=_text(row.get("status")),
        payment_status=_text(row.get("payment_status")),
        customer_id=id_of(row.get("customer")),
        payment_id=id_of(row.get("payment_intent")),
        subscription_id=id_of(row.get("subscription")),
        amount=dollars(row.get("amount_total") or 0),
        currency=_text(row.get("currency")),
        created=at(row["created"]),
        expires_at=at(row["expires_at"]),
        metadata=_marks(row),
    )


def method(row: Json) -> StripeMethod:
    details = row.get(row["type"]) or {}
    return StripeMethod(
        id=row["id"],
        kind=row["type"],
        brand=_text(details.get("brand") or details.get("bank_name")),
        last4=_text(details.get("last4")),
        exp_month=details.get("exp_month"),
        exp_year=details.get("exp_year"),
        customer_id=id_of(row.get("customer")),
        document=dict(row),
    )


def subscription(row: Json) -> StripeSubscription:
    items = (row.get("items") or {}).get("data") or [{}]
    price = items[0].get("price") or {}
    ends = items[0].get("current_period_end")
    return StripeSubscription(
        id=row["id"],
        customer_id=id_of(row.get("customer")),
        status=row["status"],
        paused=bool(row.get("pause_collection")),
        cancel_at_period_end=bool(row.get("cancel_at_period_end")),
        amount=dollars(price.get("unit_amount") or 0) * int(items[0].get("quantity") or 1),
        interval=_text((price.get("recurring") or {}).get("interval")),
        period_end=at(ends) if ends else None,
        metadata=_marks(row),
        document=dict(row),
    )


def invoice(row: Json) -> StripeInvoice:
    details = ((row.get("parent") or {}).get("subscription_details")) or {}
    payments = (row.get("payments") or {}).get("data") or ()
    paid_by = (id_of((one.get("payment") or {}).get("payment_intent")) for one in payments)
    return StripeInvoice(
        id=row["id"],
        number=_text(row.get("number")),
        status=_text(row.get("status")),
        amount=dollars(row.get("amount_paid") or 0),
        currency=row["currency"],
        customer_id=id_of(row.get("customer")),
        subscription_id=id_of(details.get("subscription")),
        payment_ids=tuple(one for one in paid_by if one),
        page_url=_text(row.get("hosted_invoice_url")),
        pdf_url=_text(row.get("invoice_pdf")),
        created=at(row["created"]),
        metadata=_marks(details),
        document=dict(row),
    )


def notice(row: Any) -> StripeNotice:
    """Raises KeyError or TypeError for what is no event."""
    if row["object"] != "event" or not isinstance(row["livemode"], bool):
        raise TypeError("this is not an event of Stripe's")
    body = row["data"]["object"]
    named = body.get("id") if isinstance(body, dict) else None
    texts = (row["id"], row["type"])
    if not all(isinstance(text, str) and 0 < len(text) <= 120 for text in texts):
        raise TypeError("an event has an id and a type")
    return StripeNotice(
        id=row["id"], type=row["type"], object_id=_text(named)[:200], livemode=row["livemode"], payload=row
    )
