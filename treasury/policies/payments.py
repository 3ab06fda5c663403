"""The lives of money that comes in: payments, pay-outs, refunds, disputes and stored webhooks (domain §6)."""

from enum import StrEnum
from typing import Final


class Provider(StrEnum):
    STRIPE = "stripe"
    BANK = "bank"


# Where a payment's dollars stand while its credits are not minted yet.
CASH_ACCOUNT: Final[dict[Provider, str]] = {Provider.STRIPE: "1115", Provider.BANK: "1110"}
MEMBER_MONEY_HELD: Final = "2240"
STRIPE_CLEARING: Final = "1115"
DISPUTED_FUNDS: Final = "1116"
MEMBER_RECEIVABLES: Final = "1310"


class PaymentState(StrEnum):
    RECEIVED = "received"
    MINTED = "minted"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


# `refunding → received` is a refund that failed; a minted payment stays minted, its refunds are rows of their own.
PAYMENT_EDGES: Final[dict[PaymentState, frozenset[PaymentState]]] = {
    PaymentState.RECEIVED: frozenset({PaymentState.MINTED, PaymentState.REFUNDING, PaymentState.REFUNDED}),
    PaymentState.MINTED: frozenset(),
    PaymentState.REFUNDING: frozenset({PaymentState.REFUNDED, PaymentState.RECEIVED}),
    PaymentState.REFUNDED: frozenset(),
}


class StripeEventState(StrEnum):
    RECEIVED = "received"
    PROCESSED = "processed"
    IGNORED = "ignored"
    FAILED = "failed"


# `failed → received` is a person's wish to process it again.
STRIPE_EVENT_EDGES: Final[dict[StripeEventState, frozenset[StripeEventState]]] = {
    StripeEventState.RECEIVED: frozenset(
        {StripeEventState.PROCESSED, StripeEventState.IGNORED, StripeEventState.FAILED}
    ),
    StripeEventState.PROCESSED: frozenset(),
    StripeEventState.IGNORED: frozenset(),
    StripeEventState.FAILED: frozenset({StripeEventState.RECEIVED}),
}


class PayoutState(StrEnum):
    PENDING = "pending"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FAILED = "failed"


# Stripe may report a pay-out as failed after it was paid.
PAYOUT_EDGES: Final[dict[PayoutState, frozenset[PayoutState]]] = {
    PayoutState.PENDING: frozenset({PayoutState.IN_TRANSIT, PayoutState.PAID, PayoutState.FAILED}),
    PayoutState.IN_TRANSIT: frozenset({PayoutState.PAID, PayoutState.FAILED}),
    PayoutState.PAID: frozenset({PayoutState.FAILED}),
    PayoutState.FAILED: frozenset(),
}


class RefundState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


# Stripe may report a refund as failed after it had succeeded: the bank sent the money back.
REFUND_EDGES: Final[dict[RefundState, frozenset[RefundState]]] = {
    RefundState.PENDING: frozenset({RefundState.SUCCEEDED, RefundState.FAILED}),
    RefundState.SUCCEEDED: frozenset({RefundState.FAILED}),
    RefundState.FAILED: frozenset(),
}


class RefundOrigin(StrEnum):
    HABITAT = "habitat"
    STRIPE = "stripe"
    BANK = "bank"


class DisputeState(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


DISPUTE_EDGES: Final[dict[DisputeState, frozenset[DisputeState]]] = {
    DisputeState.OPEN: frozenset({DisputeState.WON, DisputeState.LOST}),
    DisputeState.WON: frozenset(),
    DisputeState.LOST: frozenset(),
}
