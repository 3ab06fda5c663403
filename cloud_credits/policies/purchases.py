"""The lives of purchases, refunds and recurring purchases (domain §6; brief 123 §4 workflow 1)."""

from enum import StrEnum
from typing import Final


class PurchaseKind(StrEnum):
    ONCE = "once"
    RECURRING = "recurring"
    INVOICE = "invoice"


class PurchaseState(StrEnum):
    CREATED = "created"
    OPEN = "open"
    PAID = "paid"
    MINTED = "minted"
    EXPIRED = "expired"
    FAILED = "failed"
    REFUNDED = "refunded"


# A payment may arrive after its checkout expired here, or after a bank debit failed and was tried again: money wins.
PURCHASE_EDGES: Final[dict[PurchaseState, frozenset[PurchaseState]]] = {
    PurchaseState.CREATED: frozenset({PurchaseState.OPEN, PurchaseState.PAID, PurchaseState.FAILED}),
    PurchaseState.OPEN: frozenset({PurchaseState.PAID, PurchaseState.EXPIRED, PurchaseState.FAILED}),
    PurchaseState.PAID: frozenset({PurchaseState.MINTED, PurchaseState.REFUNDED}),
    PurchaseState.MINTED: frozenset({PurchaseState.REFUNDED}),
    PurchaseState.EXPIRED: frozenset({PurchaseState.PAID}),
    PurchaseState.FAILED: frozenset({PurchaseState.PAID}),
    PurchaseState.REFUNDED: frozenset(),
}


class RecurringState(StrEnum):
    STARTING = "starting"
    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"


RECURRING_EDGES: Final[dict[RecurringState, frozenset[RecurringState]]] = {
    RecurringState.STARTING: frozenset({RecurringState.ACTIVE, RecurringState.CANCELLED}),
    RecurringState.ACTIVE: frozenset({RecurringState.PAUSED, RecurringState.CANCELLED}),
    RecurringState.PAUSED: frozenset({RecurringState.ACTIVE, RecurringState.CANCELLED}),
    RecurringState.CANCELLED: frozenset(),
}


class RefundRequestState(StrEnum):
    ASKED = "asked"
    BURNED = "burned"
    SENT = "sent"
    SETTLED = "settled"
    FAILED = "failed"


REFUND_REQUEST_EDGES: Final[dict[RefundRequestState, frozenset[RefundRequestState]]] = {
    RefundRequestState.ASKED: frozenset({RefundRequestState.BURNED, RefundRequestState.FAILED}),
    RefundRequestState.BURNED: frozenset({RefundRequestState.SENT, RefundRequestState.FAILED}),
    RefundRequestState.SENT: frozenset({RefundRequestState.SETTLED, RefundRequestState.FAILED}),
    RefundRequestState.SETTLED: frozenset({RefundRequestState.FAILED}),
    RefundRequestState.FAILED: frozenset(),
}
