"""The lists of the credit ledger: one definition each for page, CSV and XLSX."""

from typing import Final

from django.urls import reverse

from cloud_credits.models import Invoice, InvoiceLine, Purchase
from cloud_credits.policies.primitives import measure_of
from cloud_credits.reports import purchases
from cloud_credits.reports.activity import Activity
from cloud_credits.reports.invoices import state_in_words
from cloud_credits.reports.rate_card_effects import EventEffect, Line
from cloud_credits.reports.usage import UsageRow, UsageTotal
from habitat.faces.tables import Column, Kind, Table
from habitat.money import cloud_to_usd
from treasury.reports.stripe_documents import Receipt

PURCHASE_KINDS: Final = {"once": "once", "recurring": "every month", "invoice": "for an invoice", "topup": "automatic"}
# A payment's own words are the books'; a payer knows it as paid.
RECEIPT_WORDS: Final = {"received": "paid", "minted": "paid", "refunding": "refund on its way"}


def _detail(row: Activity) -> str:
    return reverse("cloud-transaction", args=[row.transaction.pk])


def _card(row: UsageRow) -> str:
    return reverse("rate-card", args=[row.usage.rate_card.version])


def _receipt(row: UsageRow) -> str:
    return reverse("cloud-usage-receipt", args=[row.usage.pk])


def _redemption(row: UsageRow) -> str:
    return reverse("cloud-transaction", args=[row.usage.transaction_id])


_BOOKED: Column[Activity] = Column("booked", "Booked", lambda row: row.transaction.booked_at, Kind.MOMENT)
_TYPE: Column[Activity] = Column("type", "Type", lambda row: row.transaction.type, link=_detail)
_WITH: Column[Activity] = Column("with", "With", lambda row: row.counterparty)
_FOR: Column[Activity] = Column("for", "For", lambda row: row.transaction.description)
_CHANGE: Column[Activity] = Column("change", "CLOUD", lambda row: row.change, Kind.CHANGE)
_USD: Column[Activity] = Column("usd", "USD", lambda row: cloud_to_usd(row.change), Kind.USD)
_AFTER: Column[Activity] = Column("after", "Liquid after", lambda row: row.liquid_after, Kind.CLOUD)
_STATE: Column[Activity] = Column("state", "State", lambda row: row.transaction.state, Kind.STATUS)

TRANSACTIONS: Final[Table[Activity]] = Table(
    name="transactions",
    caption="Booked movements of your credits, the newest first. Amounts in CLOUD; USD at ten dollars a credit.",
    columns=(
        Column("number", "Number", lambda row: row.transaction.pk, Kind.NUMBER, link=_detail),
        _BOOKED,
        _TYPE,
        _WITH,
        _FOR,
        _CHANGE,
        _USD,
        _AFTER,
        _STATE,
    ),
)
RECENT: Final[Table[Activity]] = Table(
    name="recent",
    caption="The latest movements of your credits.",
    columns=(_BOOKED, _TYPE, _WITH, _FOR, _CHANGE, _AFTER),
)
USAGE: Final[Table[UsageRow]] = Table(
    name="usage",
    caption="What was metered, the newest first: quantity × rate, half-up to eight decimals.",
    columns=(
        Column("ended", "Ended", lambda row: row.usage.metered_at, Kind.MOMENT),
        Column("reported", "Reported", lambda row: row.reported),
        Column("booked", "Booked", lambda row: row.booked_at, Kind.MOMENT),
        Column("service", "Service", lambda row: row.usage.service_name),
        Column("primitive", "Primitive", lambda row: measure_of(row.usage.primitive).title),
        Column("arithmetic", "Arithmetic", lambda row: row.arithmetic),
        Column("card", "Card", lambda row: f"v{row.usage.rate_card.version}", link=_card),
        Column("cost", "CLOUD", lambda row: row.usage.cost, Kind.CLOUD),
        Column("usd", "USD", lambda row: cloud_to_usd(row.usage.cost), Kind.USD),
        Column("transaction", "Transaction", lambda row: row.usage.transaction_id, Kind.NUMBER, link=_redemption),
        Column("receipt", "Receipt", lambda row: row.usage.pk, Kind.NUMBER, link=_receipt),
    ),
)
USAGE_TOTALS: Final[Table[UsageTotal]] = Table(
    name="usage-totals",
    caption="Totals of the month by primitive and rate. Each line was rounded on its own, so a sum may differ.",
    columns=(
        Column("primitive", "Primitive", lambda row: measure_of(row.primitive).title),
        Column("events", "Events", lambda row: row.events, Kind.INTEGER),
        Column("quantity", "Quantity", lambda row: row.quantity, Kind.QUANTITY),
        Column("unit", "Unit", lambda row: row.unit),
        Column("rate", "Rate", lambda row: row.rate, Kind.RATE),
        Column("card", "Card", lambda row: f"v{row.rate_card_version}"),
        Column("cost", "CLOUD", lambda row: row.cost, Kind.CLOUD),
        Column("usd", "USD", lambda row: row.usd, Kind.USD),
    ),
)


def _invoice(row: Invoice) -> str:
    return reverse("cloud-invoice", args=[row.pk])


INVOICES: Final[Table[Invoice]] = Table(
    name="invoices",
    caption="Invoices sent to you, the newest first. Amounts in CLOUD; USD at ten dollars a credit.",
    columns=(
        Column("number", "Number", lambda row: row.number, Kind.NUMBER, link=_invoice),
        Column("title", "For", lambda row: row.title, link=_invoice),
        Column("sent", "Sent", lambda row: row.sent_at, Kind.MOMENT),
        Column("due", "Due", lambda row: row.due_on, Kind.DAY),
        Column("total", "CLOUD", lambda row: row.total, Kind.CLOUD),
        Column("usd", "USD", lambda row: cloud_to_usd(row.total), Kind.USD),
        Column("state", "State", state_in_words, Kind.STATUS),
    ),
)
INVOICE_LINES: Final[Table[InvoiceLine]] = Table(
    name="invoice-lines",
    caption="Lines: quantity × price, half-up to eight decimals of CLOUD.",
    columns=(
        Column("position", "Line", lambda row: row.position, Kind.NUMBER),
        Column("description", "What", lambda row: row.description),
        Column("quantity", "Quantity", lambda row: row.quantity, Kind.QUANTITY),
        Column("price", "Price", lambda row: row.price, Kind.RATE),
        Column("amount", "CLOUD", lambda row: row.amount, Kind.CLOUD),
    ),
)


def _purchase(row: Purchase) -> str:
    return reverse("cloud-purchase", args=[row.pk])


PURCHASES: Final[Table[Purchase]] = Table(
    name="purchases",
    caption="What you bought or began to buy, the newest first. USD at ten dollars a credit.",
    columns=(
        Column("number", "Number", lambda row: row.pk, Kind.NUMBER, link=_purchase),
        Column("begun", "Begun", lambda row: row.created_at, Kind.MOMENT),
        Column("kind", "Kind", lambda row: PURCHASE_KINDS[row.kind]),
        Column("amount", "CLOUD", lambda row: row.amount, Kind.CLOUD),
        Column("usd", "USD", lambda row: row.usd, Kind.USD),
        Column("state", "State", purchases.state_in_words, Kind.STATUS),
    ),
)
RECEIPTS: Final[Table[Receipt]] = Table(
    name="receipts",
    caption="What you paid through Stripe, the newest first.",
    columns=(
        Column("paid", "Paid", lambda row: row.paid_at, Kind.MOMENT),
        Column("amount", "USD", lambda row: row.amount, Kind.USD),
        Column("state", "State", lambda row: RECEIPT_WORDS.get(row.state, row.state), Kind.STATUS),
        Column("receipt", "Receipt", lambda row: "Receipt" if row.url else "", link=lambda row: row.url or None),
        Column(
            "invoice",
            "Invoice",
            lambda row: "Invoice" if row.invoice_url else "",
            link=lambda row: row.invoice_url or None,
        ),
        Column("reference", "Reference", lambda row: row.reference),
    ),
)

EFFECT: Final[Table[Line]] = Table(
    name="effect",
    caption="Your own usage under two prices, in CLOUD. Each event is rounded on its own, as it would be charged.",
    columns=(
        Column("primitive", "Primitive", lambda row: row.measure.title),
        Column("events", "Events", lambda row: row.events, Kind.INTEGER),
        Column("quantity", "Quantity", lambda row: row.quantity, Kind.QUANTITY),
        Column("unit", "Unit", lambda row: row.measure.abbreviation),
        Column("was", "What you paid", lambda row: row.was, Kind.CLOUD),
        Column("would_be", "With this card", lambda row: row.would_be, Kind.CLOUD),
        Column("change", "Difference", lambda row: row.change, Kind.CHANGE),
        Column("usd", "Difference, USD", lambda row: cloud_to_usd(row.change), Kind.USD),
    ),
)
EFFECT_EVENTS: Final[Table[EventEffect]] = Table(
    name="effect-events",
    caption="Event by event, the newest first: quantity × rate, half-up to eight decimals, under both prices.",
    columns=(
        Column("ended", "Ended", lambda row: row.usage.metered_at, Kind.MOMENT),
        Column("service", "Service", lambda row: row.usage.service_name),
        Column("primitive", "Primitive", lambda row: measure_of(row.usage.primitive).title),
        Column("was", "What you paid", lambda row: row.was_arithmetic),
        Column("would_be", "With this card", lambda row: row.arithmetic),
        Column("change", "Difference", lambda row: row.change, Kind.CHANGE),
    ),
)
