"""What can still be refunded of a payment, and what was."""

from decimal import Decimal

from django.db.models import F, Sum

from cloud_credits.models import Clawback, PaymentMint, RefundRequest
from cloud_credits.policies.purchases import TAKEN, RefundRequestState


def taken_of(payment_id: int) -> Decimal:
    """CLOUD of a payment that operations' refunds have taken or are taking."""
    return _sum(payment_id, tuple(TAKEN))


def settled_of(payment_id: int) -> Decimal:
    """CLOUD of a payment whose money is back with the payer by operations' refunds."""
    return _sum(payment_id, (RefundRequestState.SETTLED,))


def clawed_back_of(payment_id: int) -> Decimal:
    """CLOUD taken back because the money went back at Stripe's, less what was given back."""
    total = Clawback.objects.filter(payment_id=payment_id).aggregate(net=Sum(F("total") - F("given_back")))
    return Decimal(total["net"] or 0)


def refundable(mint: PaymentMint) -> Decimal:
    """CLOUD of a minted payment that can still be refunded."""
    left = mint.amount - taken_of(mint.payment_id) - clawed_back_of(mint.payment_id)
    return max(left, Decimal(0))


def _sum(payment_id: int, states: tuple[RefundRequestState, ...]) -> Decimal:
    rows = RefundRequest.objects.filter(payment_id=payment_id, state__in=[state.value for state in states])
    return Decimal(rows.aggregate(amount=Sum("amount"))["amount"] or 0)
