"""The lives of money that comes in: payments, pay-outs, refunds, disputes and stored webhooks (domain §6)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from habitat.money import CENT_PLACES, product, rounded
from treasury.policies.stripe import MEMBER_KEY, USD_CODE, StripeInvoice, StripePayment


class Provider(StrEnum):
    STRIPE = "stripe"
    BANK = "bank"


# Where a payment's dollars stand while its credits are not minted yet.
CASH_ACCOUNT: Final[dict[Provider, str]] = {Provider.STRIPE: "1115", Provider.BANK: "1110"}
MEMBER_MONEY_HELD: Final = "2240"
STRIPE_CLEARING: Final = "1115"
DISPUTED_FUNDS: Final = "1116"
MEMBER_RECEIVABLES: Final = "1310"
PROCESSING_FEES: Final = "5910"
MISCELLANEOUS: Final = "5930"


class PaymentState(StrEnum):
    RECEIVED = "received"
    MINTED = "minted"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    APPLIED = "applied"


# `applied`: a wire that paid what its sender owed; no credits come of it. `refunding → received` and
# `refunded → received` are a refund that failed, at once or after it had succeeded; a
# minted payment stays minted, its refunds are rows of their own.
PAYMENT_EDGES: Final[dict[PaymentState, frozenset[PaymentState]]] = {
    PaymentState.RECEIVED: frozenset(
        {PaymentState.MINTED, PaymentState.REFUNDING, PaymentState.REFUNDED, PaymentState.APPLIED}
    ),
    PaymentState.MINTED: frozenset(),
    PaymentState.APPLIED: frozenset(),
    PaymentState.REFUNDING: frozenset({PaymentState.REFUNDED, PaymentState.RECEIVED}),
    PaymentState.REFUNDED: frozenset({PaymentState.RECEIVED}),
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
    """Who asked for a refund, and of what: `habitat` burned credits for it, `held` sends back what waited in 2240.

    `bank` is a wire that waited; `stripe` was made there, by whomever.
    """

    HABITAT = "habitat"
    HELD = "held"
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


class ClawbackCause(StrEnum):
    """Why credits are taken back: a refund made at Stripe, or a dispute that was lost."""

    REFUND = "refund"
    DISPUTE = "dispute"


# What each leaves to be covered: a refund's money left 1115, a dispute's waits in 1116.
CLAWBACK_ACCOUNT: Final[dict[ClawbackCause, str]] = {
    ClawbackCause.REFUND: STRIPE_CLEARING,
    ClawbackCause.DISPUTE: DISPUTED_FUNDS,
}


class Problem(StrEnum):
    """Why a payment can never become credits; its money goes back."""

    WRONG_CURRENCY = "wrong_currency"
    OTHER_CUSTOMER = "other_customer"
    UNKNOWN_MEMBER = "unknown_member"


@dataclass(frozen=True, slots=True)
class Judged:
    """Whose a payment is (empty: nobody's that we know) and what stands against it for good (empty: nothing)."""

    member: str
    problem: str


def judge(payment: StripePayment, invoice: StripeInvoice | None = None) -> Judged:
    """What Stripe's own objects say of a payment that succeeded (domain §6): marks of ours on it, and its customer.

    A payment with a customer belongs to the member that customer was made for; a mark that names another is a
    mismatch. Without a customer, or once it was deleted, the mark alone says it.
    """
    marks = {**(invoice.metadata if invoice else {}), **payment.metadata}
    marked = marks.get(MEMBER_KEY, "")
    is_known = payment.customer_id and not payment.customer_deleted
    member = payment.customer_member if is_known else marked
    if payment.currency != USD_CODE:
        return Judged(member, Problem.WRONG_CURRENCY)
    if marked and marked != member:
        return Judged("", Problem.OTHER_CUSTOMER)
    return Judged(member, "" if member.isdecimal() else Problem.UNKNOWN_MEMBER)


def split(amount: Decimal, left: Decimal) -> tuple[Decimal, Decimal]:
    """Of money that goes back: what the payment still covers, and what is lost beyond it."""
    within = min(amount, left)
    return within, amount - within


def worth(amount: Decimal, *, of: Decimal, paid: Decimal, currency: str) -> Decimal:
    """USD of a part of a charge: itself or, in another currency, its share of what the whole was booked at.

    Such a share is rounded half-up to cents.
    """
    if currency == USD_CODE or amount == of:
        return amount if currency == USD_CODE else paid
    return rounded(product(amount, paid) / of, CENT_PLACES)
