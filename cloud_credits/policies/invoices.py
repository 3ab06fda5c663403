"""The life of a CLOUD invoice (brief 123 §4 workflow 4; domain §6)."""

from enum import StrEnum
from typing import Final

NET_DAYS: Final = 30


class InvoiceState(StrEnum):
    DRAFT = "draft"
    SENT = "sent"
    OVERDUE = "overdue"
    PAID = "paid"
    VOID = "void"
    REFUNDED = "refunded"


INVOICE_EDGES: Final[dict[InvoiceState, frozenset[InvoiceState]]] = {
    InvoiceState.DRAFT: frozenset({InvoiceState.SENT, InvoiceState.VOID}),
    InvoiceState.SENT: frozenset({InvoiceState.PAID, InvoiceState.OVERDUE, InvoiceState.VOID}),
    InvoiceState.OVERDUE: frozenset({InvoiceState.PAID, InvoiceState.VOID}),
    InvoiceState.PAID: frozenset({InvoiceState.REFUNDED}),
    InvoiceState.VOID: frozenset(),
    InvoiceState.REFUNDED: frozenset(),
}
PAYABLE: Final = frozenset({InvoiceState.SENT, InvoiceState.OVERDUE})
