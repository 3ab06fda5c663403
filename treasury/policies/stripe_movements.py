"""What each kind of balance transaction means for the books (domain §6). What is not listed is not guessed at."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from treasury.policies.journal import Line
from treasury.policies.payments import PROCESSING_FEES, STRIPE_CLEARING
from treasury.policies.stripe import USD_CODE, StripeTransaction


class Treatment(StrEnum):
    """FEE: the gross stands with its payment, refund or pay-out, only the fee is booked. DISPUTE: all of it stands
    with its dispute. COST: the whole of it is Stripe's price. UNKNOWN: a person decides."""

    FEE = "fee"
    DISPUTE = "dispute"
    COST = "cost"
    UNKNOWN = "unknown"


CHARGES: Final = frozenset({"charge", "payment"})
REFUNDS: Final = frozenset({"refund", "payment_refund", "refund_failure", "payment_failure_refund"})
PAYOUTS: Final = frozenset({"payout", "payout_cancel", "payout_failure"})
TOPUPS: Final = frozenset({"topup", "topup_reversal"})
COSTS: Final = frozenset({"stripe_fee", "stripe_fx_fee", "tax_fee"})
ADJUSTMENT: Final = "adjustment"
KNOWN_TYPES: Final = CHARGES | REFUNDS | PAYOUTS | TOPUPS | COSTS | {ADJUSTMENT}
_DISPUTE_IDS: Final = ("dp_", "du_")
_CHARGE_IDS: Final = ("ch_", "py_")


def treatment(told: StripeTransaction) -> Treatment:
    """How this one is booked."""
    if told.currency != USD_CODE:
        return Treatment.UNKNOWN
    if told.type in CHARGES | REFUNDS | PAYOUTS | TOPUPS:
        return Treatment.FEE
    if told.type in COSTS:
        return Treatment.COST
    if told.type == ADJUSTMENT and told.source_id.startswith(_DISPUTE_IDS):
        return Treatment.DISPUTE
    return Treatment.UNKNOWN


def is_late_failure(told: StripeTransaction) -> bool:
    """A bank debit that came back after it had succeeded, without any refund: its source is the charge itself."""
    return told.type == "payment_failure_refund" and told.source_id.startswith(_CHARGE_IDS)


def lines(told: StripeTransaction) -> list[Line]:
    """What is booked of it alone: Dr 5910 / Cr 1115, the other way round when Stripe gives back; empty: nothing."""
    cost = {Treatment.FEE: told.fee, Treatment.COST: -told.net}.get(treatment(told), Decimal(0))
    if cost > 0:
        return [Line.debit(PROCESSING_FEES, cost), Line.credit(STRIPE_CLEARING, cost)]
    if cost < 0:
        return [Line.debit(STRIPE_CLEARING, -cost), Line.credit(PROCESSING_FEES, -cost)]
    return []
