"""What the Stripe sandbox answers has the keys that the `stripe` package's own types name, and all it requires."""

import types
import typing
from typing import Any

import httpx
import pytest
import stripe
import stripe.checkout

KEY = {"Authorization": "Bearer sk_test_sandbox"}

CLASSES: dict[str, type] = {
    "account": stripe.Account,
    "balance": stripe.Balance,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "item": stripe.LineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "payout": stripe.Payout,
    "plan": stripe.Plan,
    "price": stripe.Price,
    "product": stripe.Product,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "subscription": stripe.Subscription,
    "subscription_item": stripe.SubscriptionItem,
    "webhook_endpoint": stripe.WebhookEndpoint,
}
NAMES = {**vars(stripe), "ListObject": stripe.ListObject}


def hints(cls: type) -> dict[str, Any]:
    """The annotations of a resource, its forward names looked up in the package."""
    found = {}
    for name, hint in cls.__annotations__.items():
        if name == "OBJECT_NAME":
            continue
        # The package names the wire's reserved words with a trailing underscore or an alias.
        found[getattr(cls, "_field_remappings", {}).get(name, name)] = hint
    return found


def parts(hint: Any) -> list[Any]:
    """The members of a union, the elements of a list."""
    if isinstance(hint, typing.ForwardRef):
        return [NAMES.get(hint.__forward_arg__)]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [part for member in typing.get_args(hint) for part in parts(member)]
    return [hint]


def required(hint: Any) -> bool:
    return type(None) not in parts(hint)


def inner_class(hint: Any) -> type | None:
    """The nested resource that a dictionary there must look like."""
    for part in parts(hint):
        if isinstance(part, type) and issubclass(part, stripe.StripeObject) and part.__annotations__:
            return part
    return None


def complaints(document: dict[str, Any], cls: type, where: str) -> list[str]:
    known = hints(cls)
    wrong = [f"{where}.{name} is unknown" for name in document if name not in known]
    wrong += [
        f"{where}.{name} is missing" for name, hint in known.items() if required(hint) and document.get(name) is None
    ]
    for name, value in document.items():
        if name in known:
            wrong += inside(value, known[name], f"{where}.{name}")
    return wrong


def inside(value: Any, hint: Any, where: str) -> list[str]:
    if isinstance(value, list):
        element = next((typing.get_args(part)[0] for part in parts(hint) if typing.get_origin(part) is list), None)
        return [wrong for item in value for wrong in inside(item, element, where)]
    if not isinstance(value, dict):
        return []
    if value.get("object") == "list":
        return [wrong for item in value["data"] for wrong in whole(item)]
    if isinstance(value.get("object"), str) and value["object"] in CLASSES:
        return whole(value)
    cls = inner_class(hint)
    return [] if cls is None or cls is stripe.StripeObject else complaints(value, cls, where)


def whole(document: dict[str, Any]) -> list[str]:
    cls = stripe.InvoiceLineItem if document["object"] == "line_item" else CLASSES[document["object"]]
    return complaints(document, cls, document["object"])


@pytest.fixture
def world(stripe_sandbox):
    """A sandbox in which every kind of object exists, in several states."""
    api = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": stripe_sandbox.url})
    who = api.v1.customers.create({"email": "ada@example.org", "name": "Ada"}).id
    price = {"currency": "usd", "unit_amount": 5_000, "product_data": {"name": "CLOUD"}}
    monthly = {**price, "recurring": {"interval": "month"}}

    def opened(mode: str, data: dict[str, Any], **more: Any) -> str:
        return api.v1.checkout.sessions.create(
            {
                "mode": mode,
                "customer": who,
                "line_items": [{"quantity": 1, "price_data": data}],
                "success_url": "https://example.org/",
                **more,
            }
        ).id

    api.v1.webhook_endpoints.create({"url": "https://example.org/hook", "enabled_events": ["*"]})
    opened("payment", price)
    httpx.post(
        f"{stripe_sandbox.url}/_sandbox/pay", json={"session": opened("payment", price), "card": "4000000000000002"}
    )
    for card in ("4242424242424242", "us_bank_account", "4000000000000259"):
        identity = opened("payment", price, invoice_creation={"enabled": True})
        stripe_sandbox.control("pay", session=identity, card=card)
    done = stripe_sandbox.control("pay", session=opened("subscription", monthly), card="4242424242424242")
    stripe_sandbox.control("renew_subscription", subscription=done["subscription"])
    api.v1.subscriptions.update(done["subscription"], {"pause_collection": {"behavior": "void"}})
    stripe_sandbox.control("renew_subscription", subscription=done["subscription"])
    intent = api.v1.payment_intents.create(
        {"amount": 5_000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )
    stripe_sandbox.control("next_refund", outcome="failed")
    api.v1.refunds.create({"payment_intent": intent.id})
    api.v1.setup_intents.create({"customer": who, "payment_method": "pm_card_visa", "confirm": True})
    stripe_sandbox.control("make_available")
    stripe_sandbox.control("payout", outcome="failed")
    return stripe_sandbox


LISTS = {
    "balance_transaction": "balance_transactions",
    "charge": "charges",
    "checkout.session": "checkout/sessions?expand[]=data.line_items",
    "customer": "customers",
    "dispute": "disputes",
    "event": "events?limit=100",
    "invoice": "invoices?expand[]=data.payments",
    "invoice_payment": "invoice_payments",
    "payment_intent": "payment_intents",
    "payment_method": "payment_methods",
    "payout": "payouts",
    "price": "prices",
    "product": "products",
    "refund": "refunds",
    "setup_intent": "setup_intents",
    "subscription": "subscriptions",
    "subscription_item": "subscription_items",
    "webhook_endpoint": "webhook_endpoints",
}


def test_shapes__every_object_has_the_packages_keys(world):
    seen, wrong = set(), set()
    for kind, address in LISTS.items():
        rows = httpx.get(f"{world.url}/v1/{address}", headers=KEY).json()["data"]
        assert rows, kind
        for row in rows:
            assert row["object"] == kind
            seen.add(kind)
            wrong.update(whole(row))
            if kind == "event":
                wrong.update(whole(row["data"]["object"]))
    for address in ("account", "balance"):
        wrong.update(whole(httpx.get(f"{world.url}/v1/{address}", headers=KEY).json()))
    assert not wrong, "\n".join(sorted(wrong))
    assert seen == set(LISTS)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"balance_transactoin": 1}, "charge.balance_transactoin is unknown"),
        ({"amount": None}, "charge.amount is missing"),
        ({"outcome": {"sellers_message": "x"}}, "charge.outcome.sellers_message is unknown"),
    ],
)
def test_shapes__a_wrong_key_is_noticed(world, change, complaint):
    charge = httpx.get(f"{world.url}/v1/charges", headers=KEY).json()["data"][0]
    assert complaint in whole({**charge, **change})


def test_live_mode__is_never_claimed(world):
    for address in LISTS.values():
        assert '"livemode": true' not in httpx.get(f"{world.url}/v1/{address}", headers=KEY).text
