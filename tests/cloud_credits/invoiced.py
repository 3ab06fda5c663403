"""Invoices for tests, made by the verbs: drafts, sent ones, and what an invoice's row says."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from cloud_credits.actions import invoices
from cloud_credits.models import Invoice, InvoiceChange, InvoiceLine
from cloud_credits.policies.invoices import Item
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM


def item(quantity: str = "10", price: str = "50", description: str = "Full stack development") -> Item:
    return Item(description=description, quantity=Decimal(quantity), price=Decimal(price))


def drafted(member: Member, *items: Item, title: str = "Project X") -> Invoice:
    """A draft over 500 CLOUD unless told otherwise."""
    return invoices.draft(member=member, title=title, items=items or (item(),), acting=SYSTEM)


def sent(member: Member, *items: Item, title: str = "Project X") -> Invoice:
    return invoices.send(invoice=drafted(member, *items, title=title), acting=SYSTEM)


def stored_invoice(invoice: Invoice) -> Invoice:
    """The row as the database has it now."""
    return Invoice.objects.get(pk=invoice.pk)


def invoice_rows() -> tuple[list, list, int]:
    """Everything of every invoice: a refusal leaves this unchanged."""
    return (
        list(Invoice.objects.order_by("id").values()),
        list(InvoiceLine.objects.order_by("id").values()),
        InvoiceChange.objects.count(),
    )


def in_days(days: int) -> datetime:
    return datetime.now(tz=UTC) + timedelta(days=days)
