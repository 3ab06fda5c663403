"""Stripe over its own package: typed answers, two errors, no retries of its own (sagas and queues retry)."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, Protocol, TypeVar

import stripe
from django.conf import settings
from django.utils import timezone

from treasury.errors import StripeRefused, StripeUnavailable, WebhookBodyInvalid, WebhookSignatureInvalid
from treasury.gateways import stripe_shapes as shapes
from treasury.policies.stripe import (
    ASKED_KEY,
    MEMBER_KEY,
    NO_METADATA,
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

T = TypeVar("T")

# Below half of a saga's lease, so that a step never calls on after its lease is gone.
TIMEOUT_SECONDS: Final = 20
PAGE: Final = 100
# Older signatures are refused: a webhook caught on the way cannot be sent again for ever.
TOLERANCE_SECONDS: Final = 300
# None of these judges what was asked, which may have happened: its outcome is unknown. No connection, too many
# questions, a key that is not taken (any more); an idempotency key whose first attempt read otherwise, before a release
# say, and did what it said; and, as APIError, Stripe's own faults, a key in use, and an answer that somebody else gave
# in its place.
_TRY_AGAIN: Final = (
    stripe.APIConnectionError,
    stripe.RateLimitError,
    stripe.AuthenticationError,
    stripe.PermissionError,
    stripe.IdempotencyError,
    stripe.APIError,
)
# PostgreSQL's JSON cannot hold it, however it is written.
_ZERO_CHARACTER: Final = "\\u0000"
CHARGES: Final = ("ch_", "py_")
_PAYMENT_PARTS: Final = ["customer", "latest_charge.balance_transaction", "payment_method"]

logging.getLogger("stripe").setLevel(logging.WARNING)


class StripeGateway(Protocol):
    """What the house asks of Stripe. Amounts are USD in whole cents. Raises StripeUnavailable, StripeRefused."""

    def create_customer(self, *, member_id: str, email: str, name: str, idempotency_key: str) -> StripeCustomer: ...
    def find_customer(self, *, member_id: str) -> StripeCustomer | None: ...
    def retrieve_customer(self, customer_id: str) -> StripeCustomer: ...
    def create_checkout(
        self,
        *,
        customer_id: str,
        amount: Decimal,
        description: str,
        success_url: str,
        cancel_url: str,
        metadata: Mapping[str, str],
        idempotency_key: str,
        interval: str = "",
        save_method: bool = False,
        methods: Sequence[str] = (),
    ) -> StripeSession: ...
    def find_checkout(self, *, customer_id: str, metadata: Mapping[str, str]) -> StripeSession | None: ...
    def retrieve_session(self, session_id: str) -> StripeSession: ...
    def expire_session(self, session_id: str, *, idempotency_key: str) -> StripeSession: ...
    def charge_saved(
        self,
        *,
        customer_id: str,
        method_id: str,
        amount: Decimal,
        description: str,
        metadata: Mapping[str, str],
        idempotency_key: str,
    ) -> StripePayment: ...
    def saved_methods(self, *, customer_id: str) -> list[StripeMethod]: ...
    def retrieve_method(self, method_id: str) -> StripeMethod: ...
    def forget_method(self, method_id: str, *, idempotency_key: str) -> StripeMethod: ...
    def retrieve_payment(self, payment_id: str) -> StripePayment: ...
    def find_payment(self, *, customer_id: str, metadata: Mapping[str, str]) -> StripePayment | None: ...
    def retrieve_charge(self, charge_id: str) -> StripeCharge: ...
    def create_refund(
        self, *, payment_id: str, amount: Decimal | None, metadata: Mapping[str, str], idempotency_key: str
    ) -> StripeRefund: ...
    def find_refund(self, *, payment_id: str, metadata: Mapping[str, str]) -> StripeRefund | None: ...
    def refunds_of(self, *, charge_id: str) -> list[StripeRefund]: ...
    def retrieve_refund(self, refund_id: str) -> StripeRefund: ...
    def retrieve_dispute(self, dispute_id: str) -> StripeDispute: ...
    def retrieve_payout(self, payout_id: str) -> StripePayout: ...
    def balance(self) -> StripeBalance: ...
    def balance_transactions(self, *, since: datetime, payout_id: str = "") -> Iterator[StripeTransaction]: ...
    def retrieve_subscription(self, subscription_id: str) -> StripeSubscription: ...
    def cancel_subscription(self, subscription_id: str, *, idempotency_key: str) -> StripeSubscription: ...
    def pause_subscription(self, subscription_id: str, *, idempotency_key: str) -> StripeSubscription: ...
    def resume_subscription(self, subscription_id: str, *, idempotency_key: str) -> StripeSubscription: ...
    def retrieve_invoice(self, invoice_id: str) -> StripeInvoice: ...
    def invoice_of(self, *, payment_id: str) -> StripeInvoice | None: ...
    def invoices_of(self, *, customer_id: str) -> list[StripeInvoice]: ...
    def subscriptions_of(self, *, customer_id: str) -> list[StripeSubscription]: ...
    def charges_of(self, *, customer_id: str) -> list[StripeCharge]: ...


class StripeClientGateway:
    """The real one. `api_base` is Stripe's own address or, in development, the sandbox's."""

    def __init__(self, *, api_key: str, api_base: str) -> None:
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        )
        self._api = self._client.v1

    # --- customers and their saved ways to pay

    def create_customer(self, *, member_id: str, email: str, name: str, idempotency_key: str) -> StripeCustomer:
        given = {"email": email, "name": name, "metadata": {MEMBER_KEY: member_id}}
        return shapes.customer(_asked(self._api.customers.create, given, _once(idempotency_key)))

    def find_customer(self, *, member_id: str) -> StripeCustomer | None:
        """The oldest customer made for the member. Stripe's search lags by up to a minute."""
        query = f"metadata['{MEMBER_KEY}']:'{int(member_id)}'"
        found = _asked(self._api.customers.search, {"query": query, "limit": PAGE})["data"]
        return shapes.customer(min(found, key=lambda one: int(one["created"]))) if found else None

    def retrieve_customer(self, customer_id: str) -> StripeCustomer:
        """Also one that was deleted: its `document` says so."""
        return shapes.customer(_asked(self._api.customers.retrieve, customer_id))

    def saved_methods(self, *, customer_id: str) -> list[StripeMethod]:
        found = _asked(self._api.payment_methods.list, {"customer": customer_id, "limit": PAGE})
        return [shapes.method(one) for one in found["data"]]

    def retrieve_method(self, method_id: str) -> StripeMethod:
        return shapes.method(_asked(self._api.payment_methods.retrieve, method_id))

    def forget_method(self, method_id: str, *, idempotency_key: str) -> StripeMethod:
        """Nobody's from now on: its `customer_id` is empty."""
        return shapes.method(_asked(self._api.payment_methods.detach, method_id, None, _once(idempotency_key)))

    # --- checkout

    def create_checkout(
        self,
        *,
        customer_id: str,
        amount: Decimal,
        description: str,
        success_url: str,
        cancel_url: str,
        metadata: Mapping[str, str],
        idempotency_key: str,
        interval: str = "",
        save_method: bool = False,
        methods: Sequence[str] = (),
    ) -> StripeSession:
        """A page of Stripe's for one payment or, with an `interval` (day, week, month, year), for a subscription."""
        price: dict[str, Any] = {
            "currency": USD_CODE,
            "unit_amount": shapes.whole_cents(amount),
            "product_data": {"name": description},
        }
        marks = dict(metadata)
        given: dict[str, Any] = {
            "mode": "subscription" if interval else "payment",
            "customer": customer_id,
            "success_url": success_url,
            "cancel_url": cancel_url,
            "metadata": marks,
            "line_items": [{"quantity": 1, "price_data": price}],
        }
        if methods:
            given["payment_method_types"] = list(methods)
        if interval:
            price["recurring"] = {"interval": interval}
            given["subscription_data"] = {"metadata": marks}
        else:
            intent: dict[str, Any] = {"metadata": marks, "description": description}
            if save_method:
                intent["setup_future_usage"] = "off_session"
            given["payment_intent_data"] = intent
        return shapes.session(_asked(self._api.checkout.sessions.create, given, _once(idempotency_key)))

    def find_checkout(self, *, customer_id: str, metadata: Mapping[str, str]) -> StripeSession | None:
        rows = self._pages(self._api.checkout.sessions.list, {"customer": customer_id})
        return next((shapes.session(row) for row in rows if _carries(row, metadata)), None)

    def retrieve_session(self, session_id: str) -> StripeSession:
        return shapes.session(_asked(self._api.checkout.sessions.retrieve, session_id))

    def expire_session(self, session_id: str, *, idempotency_key: str) -> StripeSession:
        return shapes.session(_asked(self._api.checkout.sessions.expire, session_id, None, _once(idempotency_key)))

    # --- payments

    def charge_saved(
        self,
        *,
        customer_id: str,
        method_id: str,
        amount: Decimal,
        description: str,
        metadata: Mapping[str, str],
        idempotency_key: str,
    ) -> StripePayment:
        """Charges a saved card or account while its owner is away. A decline is StripeRefused `card_declined` …"""
        given = {
            "customer": customer_id,
            "payment_method": method_id,
            "amount": shapes.whole_cents(amount),
            "currency": USD_CODE,
            "description": description,
            "metadata": dict(metadata),
            "confirm": True,
            "off_session": True,
            "expand": _PAYMENT_PARTS,
        }
        return shapes.payment(_asked(self._api.payment_intents.create, given, _once(idempotency_key)))

    def retrieve_payment(self, payment_id: str) -> StripePayment:
        return shapes.payment(_asked(self._api.payment_intents.retrieve, payment_id, {"expand": _PAYMENT_PARTS}))

    def find_payment(self, *, customer_id: str, metadata: Mapping[str, str]) -> StripePayment | None:
        rows = self._pages(self._api.payment_intents.list, {"customer": customer_id})
        found = next((row for row in rows if _carries(row, metadata)), None)
        return self.retrieve_payment(found["id"]) if found else None

    def retrieve_charge(self, charge_id: str) -> StripeCharge:
        return shapes.charge(_asked(self._api.charges.retrieve, charge_id, {"expand": ["balance_transaction"]}))

    def charges_of(self, *, customer_id: str) -> list[StripeCharge]:
        """Every one, newest first."""
        given = {"customer": customer_id, "expand": ["data.balance_transaction", "data.payment_intent"]}
        return [shapes.charge(row) for row in self._pages(self._api.charges.list, given)]

    # --- refunds, disputes, payouts

    def create_refund(
        self, *, payment_id: str, amount: Decimal | None, metadata: Mapping[str, str], idempotency_key: str
    ) -> StripeRefund:
        """Without an amount, all that is left of the payment. Put REFUND_KEY into `metadata`: it marks our own."""
        given: dict[str, Any] = {**_paid_by(payment_id), "metadata": dict(metadata)}
        given["expand"] = ["balance_transaction"]
        if amount is not None:
            given["amount"] = shapes.whole_cents(amount)
        return shapes.refund(_asked(self._api.refunds.create, given, _once(idempotency_key)))

    def find_refund(self, *, payment_id: str, metadata: Mapping[str, str]) -> StripeRefund | None:
        rows = self._pages(self._api.refunds.list, _paid_by(payment_id))
        return next((shapes.refund(row) for row in rows if _carries(row, metadata)), None)

    def refunds_of(self, *, charge_id: str) -> list[StripeRefund]:
        given = {"charge": charge_id, "expand": ["data.balance_transaction", "data.failure_balance_transaction"]}
        return [shapes.refund(row) for row in self._pages(self._api.refunds.list, given)]

    def retrieve_refund(self, refund_id: str) -> StripeRefund:
        given = {"expand": ["balance_transaction", "failure_balance_transaction"]}
        return shapes.refund(_asked(self._api.refunds.retrieve, refund_id, given))

    def retrieve_dispute(self, dispute_id: str) -> StripeDispute:
        return shapes.dispute(_asked(self._api.disputes.retrieve, dispute_id))

    def retrieve_payout(self, payout_id: str) -> StripePayout:
        return shapes.payout(_asked(self._api.payouts.retrieve, payout_id))

    # --- Stripe's own books

    def balance(self) -> StripeBalance:
        return shapes.balance(_asked(self._api.balance.retrieve))

    def balance_transactions(self, *, since: datetime, payout_id: str = "") -> Iterator[StripeTransaction]:
        """Newest first, page by page; of one payout when it is named."""
        given: dict[str, Any] = {"created": {"gte": int(since.timestamp())}}
        if payout_id:
            given["payout"] = payout_id
        for row in self._pages(self._api.balance_transactions.list, given):
            yield shapes.transaction(row)

    # --- subscriptions and their invoices

    def retrieve_subscription(self, subscription_id: str) -> StripeSubscription:
        given = {"expand": ["customer"]}
        return shapes.subscription(_asked(self._api.subscriptions.retrieve, subscription_id, given))

    def subscriptions_of(self, *, customer_id: str) -> list[StripeSubscription]:
        """Every one, ended ones too."""
        given = {"customer": customer_id, "status": "all"}
        return [shapes.subscription(row) for row in self._pages(self._api.subscriptions.list, given)]

    def cancel_subscription(self, subscription_id: str, *, idempotency_key: str) -> StripeSubscription:
        call = self._api.subscriptions.cancel
        return shapes.subscription(_asked(call, subscription_id, None, _once(idempotency_key)))

    def pause_subscription(self, subscription_id: str, *, idempotency_key: str) -> StripeSubscription:
        """Invoices of the pause are void: nothing is collected, then or later."""
        given = {"pause_collection": {"behavior": "void"}}
        return shapes.subscription(
            _asked(self._api.subscriptions.update, subscription_id, given, _once(idempotency_key))
        )

    def resume_subscription(self, subscription_id: str, *, idempotency_key: str) -> StripeSubscription:
        given = {"pause_collection": ""}
        return shapes.subscription(
            _asked(self._api.subscriptions.update, subscription_id, given, _once(idempotency_key))
        )

    def retrieve_invoice(self, invoice_id: str) -> StripeInvoice:
        return shapes.invoice(_asked(self._api.invoices.retrieve, invoice_id, {"expand": ["payments", "customer"]}))

    def invoice_of(self, *, payment_id: str) -> StripeInvoice | None:
        """The invoice that this payment settled; None for a payment that stands for itself."""
        given = {"payment": {"type": "payment_intent", "payment_intent": payment_id}, "limit": 1}
        found = _asked(self._api.invoice_payments.list, given)["data"]
        return self.retrieve_invoice(shapes.id_of(found[0]["invoice"])) if found else None

    def invoices_of(self, *, customer_id: str) -> list[StripeInvoice]:
        """Every one, newest first."""
        return [shapes.invoice(row) for row in self._pages(self._api.invoices.list, {"customer": customer_id})]

    def _pages(self, call: Callable[..., Any], given: dict[str, Any]) -> Iterator[Any]:
        asked = given | {"limit": PAGE}
        while True:
            page = _asked(call, asked)
            yield from page["data"]
            if not page["has_more"] or not page["data"]:
                return
            asked = asked | {"starting_after": page["data"][-1]["id"]}


def _paid_by(payment_id: str) -> dict[str, Any]:
    """How Stripe is told which payment is meant: one made without a PaymentIntent is its charge."""
    return {"charge" if payment_id.startswith(CHARGES) else "payment_intent": payment_id}


def _once(idempotency_key: str) -> dict[str, str]:
    return {"idempotency_key": idempotency_key}


def _carries(row: Mapping[str, Any], metadata: Mapping[str, str]) -> bool:
    marks = row["metadata"] or NO_METADATA
    return bool(metadata) and all(marks.get(name) == value for name, value in metadata.items())


def _asked(call: Callable[..., Any], *given: Any) -> Any:
    """The answer as plain data, with the moment of asking on it and on the rows of a page.

    What Stripe refused for good is StripeRefused; all else is an unknown outcome.
    """
    now = timezone.now().isoformat()
    try:
        answer = call(*given).to_dict()
    except _TRY_AGAIN as error:
        raise StripeUnavailable(said=_said(error)) from error
    except stripe.StripeError as error:
        raise StripeRefused(stripe_code=_code(error), said=_said(error)) from error
    rows = answer["data"] if isinstance(answer.get("data"), list) else []
    for shown in (answer, *rows):
        shown[ASKED_KEY] = now
    return answer


def _code(error: stripe.StripeError) -> str:
    told = getattr(error.error, "decline_code", None) if error.error else None
    return str(error.code or told or type(error).__name__)


def _said(error: stripe.StripeError) -> str:
    """Stripe's sentence for people. Keys never stand in it but masked by Stripe; they are cut all the same."""
    words = (error.user_message or str(error))[:300]
    return " ".join(word for word in words.split() if not word.startswith(("sk_", "rk_", "whsec_")))


def notice(body: bytes, signature: str) -> StripeNotice:
    """The webhook in `body`, signed by one of our secrets at most 300 s ago.

    Raises WebhookSignatureInvalid, WebhookBodyInvalid (not UTF-8, not JSON, not an event).
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise WebhookBodyInvalid from error
    # The package compares text, and fails on what is not ASCII.
    if not signature.isascii() or not any(
        _signed(text, signature, secret) for secret in settings.STRIPE_WEBHOOK_SECRETS
    ):
        raise WebhookSignatureInvalid
    if _ZERO_CHARACTER in text:
        raise WebhookBodyInvalid
    try:
        return shapes.notice(json.loads(text, parse_constant=_refuse_constant))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WebhookBodyInvalid from error


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _signed(text: str, signature: str, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(text, signature, secret, TOLERANCE_SECONDS))
    except (stripe.SignatureVerificationError, ValueError):
        return False


def expects_live() -> bool:
    """Whether our key is a live one: only such objects may reach the books then, and no others otherwise."""
    return settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))


@cache
def _gateway(api_key: str, api_base: str) -> StripeClientGateway:
    return StripeClientGateway(api_key=api_key, api_base=api_base)


def is_configured() -> bool:
    """Whether there is a key: without one nothing is asked of Stripe."""
    return bool(settings.STRIPE_SECRET_KEY)


def stripe_gateway() -> StripeGateway:
    """The gateway the settings name. Raises StripeUnavailable while no key is set."""
    if not is_configured():
        raise StripeUnavailable(said="no key is set")
    return _gateway(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)
