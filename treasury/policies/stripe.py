"""What the house reads of Stripe's objects: ids, states and money, with amounts in USD exact to the cent.

An object in another currency keeps its figure in that currency; nothing is ever booked from it (domain §6: only the
balance transaction says what it was in USD).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

# What the house writes on Stripe's objects, so that it knows its own again.
MEMBER_KEY: Final = "habitat_member_id"
PURCHASE_KEY: Final = "habitat_purchase_id"
INVOICE_KEY: Final = "habitat_invoice_id"
REFUND_KEY: Final = "habitat_refund"
# How that mark begins on a refund of money that waited: no credits were taken for it.
SENT_BACK: Final = "payment_refund:"
USD_CODE: Final = "usd"
# What lets its holder act on a payment, and tells nothing that anybody needs to know.
WITHHELD: Final = frozenset({"client_secret"})
# Our own mark on an answer: when it was asked for. Of two answers about one object, the one asked for later counts.
ASKED_KEY: Final = "habitat_asked_at"
# The kinds that the mirror keeps.
MIRRORED: Final = frozenset(
    {
        "balance_transaction",
        "charge",
        "customer",
        "dispute",
        "invoice",
        "payment_intent",
        "payment_method",
        "payout",
        "refund",
        "subscription",
    }
)
NO_METADATA: Final[Mapping[str, str]] = {}

Document = dict[str, Any]


def without_secrets(part: Any) -> Any:
    """What Stripe showed, as plain JSON, without what must not be kept. The package reads decimals: text once more."""
    if isinstance(part, dict):
        return {name: without_secrets(child) for name, child in part.items() if name not in WITHHELD}
    if isinstance(part, list):
        return [without_secrets(child) for child in part]
    return str(part) if isinstance(part, Decimal) else part


def asked_at(document: Document) -> datetime:
    """When this answer was asked for. Raises KeyError for what the gateway did not retrieve."""
    return datetime.fromisoformat(document[ASKED_KEY])


def within(part: Any) -> Iterator[Document]:
    """Every whole object of a kind that the mirror keeps, however deep.

    Of a deleted one Stripe shows its id alone: what was kept of it stays, for its payments go on naming it.
    """
    if isinstance(part, dict):
        if part.get("object") in MIRRORED and isinstance(part.get("id"), str) and not part.get("deleted"):
            yield {name: value for name, value in part.items() if name != ASKED_KEY}
        for child in part.values():
            yield from within(child)
    elif isinstance(part, list):
        for child in part:
            yield from within(child)


@dataclass(frozen=True, slots=True)
class StripeTransaction:
    """A balance transaction. `net` = `amount` − `fee`, signed, in `currency`."""

    id: str
    type: str
    amount: Decimal
    fee: Decimal
    net: Decimal
    currency: str
    source_id: str
    description: str
    available_on: datetime
    created: datetime
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripeCharge:
    id: str
    payment_id: str
    customer_id: str
    amount: Decimal
    amount_refunded: Decimal
    currency: str
    status: str
    disputed: bool
    method: str
    receipt_url: str
    created: datetime
    transaction: StripeTransaction | None = None
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripePayment:
    """A PaymentIntent. `customer_member` is the member that its customer was made for, as Stripe keeps it.

    Of a deleted customer it keeps nothing: `customer_deleted`.
    """

    id: str
    status: str
    amount: Decimal
    amount_received: Decimal
    currency: str
    customer_id: str
    customer_member: str
    method: str
    created: datetime
    livemode: bool
    failure_code: str = ""
    failure_message: str = ""
    charge: StripeCharge | None = None
    customer_deleted: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripeRefund:
    """`taken` is what the balance lost by it, `returned` what came back when it failed; None while Stripe has none."""

    id: str
    payment_id: str
    charge_id: str
    amount: Decimal
    currency: str
    status: str
    created: datetime
    taken: StripeTransaction | None = None
    returned: StripeTransaction | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripeDispute:
    """`transactions` are what it moved: taken at the opening, given back when won."""

    id: str
    payment_id: str
    charge_id: str
    amount: Decimal
    currency: str
    status: str
    reason: str
    created: datetime
    transactions: tuple[StripeTransaction, ...] = ()
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripePayout:
    """Positive to the bank, negative from it."""

    id: str
    amount: Decimal
    currency: str
    status: str
    arrival_on: date
    created: datetime
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripeBalance:
    """In USD; either may be negative."""

    available: Decimal
    pending: Decimal


@dataclass(frozen=True, slots=True)
class StripeCustomer:
    """Who pays. A deleted one keeps its id and nothing else, and takes no more checkouts."""

    id: str
    email: str
    name: str
    member: str
    is_deleted: bool = False
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripeSession:
    """A Checkout session. `url` is empty once it is over."""

    id: str
    url: str
    mode: str
    status: str
    payment_status: str
    customer_id: str
    payment_id: str
    subscription_id: str
    amount: Decimal
    currency: str
    created: datetime
    expires_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StripeMethod:
    """A saved way to pay: a card or a bank account, never its number."""

    id: str
    kind: str
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None
    customer_id: str
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripeSubscription:
    """`paused` is what Stripe calls `pause_collection`. `period_end` None: it never began."""

    id: str
    customer_id: str
    status: str
    paused: bool
    cancel_at_period_end: bool
    amount: Decimal
    interval: str
    period_end: datetime | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripeInvoice:
    """An invoice that Stripe made for a subscription, with its receipt. `metadata` is its subscription's."""

    id: str
    number: str
    status: str
    amount: Decimal
    currency: str
    customer_id: str
    subscription_id: str
    payment_ids: tuple[str, ...]
    page_url: str
    pdf_url: str
    created: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    document: Document = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StripeNotice:
    """A webhook whose signature held: what happened to which object. Only ids are taken from it."""

    id: str
    type: str
    object_id: str
    livemode: bool
    payload: Document = field(repr=False)
