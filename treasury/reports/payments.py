"""What a payment's refunds and disputes add up to."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.db.models import F, Sum

from habitat.members.models import Member
from treasury.models import Dispute, Payment, Refund, StripeMovement
from treasury.policies.payments import DisputeState, RefundOrigin, RefundState
from treasury.policies.stripe_movements import CHARGES

# Eighteen digits fit a bigint.
LONGEST_NUMBER: Final = 18


@dataclass(frozen=True, slots=True)
class Reclaim:
    """What must be taken back in credits, as totals of the charge. USD."""

    refunded: Decimal
    disputed: Decimal

    @property
    def total(self) -> Decimal:
        return self.refunded + self.disputed


def to_reclaim(payment: Payment) -> Reclaim:
    """Refunds made at Stripe and lost disputes after the mint; without refunds that failed."""
    refunds = payment.refunds.filter(state=RefundState.SUCCEEDED.value).aggregate(sum=Sum("reclaim"))["sum"]
    disputes = payment.disputes.filter(state=DisputeState.LOST.value).aggregate(sum=Sum("reclaim"))["sum"]
    return Reclaim(refunded=refunds or Decimal(0), disputed=disputes or Decimal(0))


def room(payment: Payment) -> Decimal:
    """USD of a minted payment that what goes back from now on may still take in credits.

    A refund that credits were burned for counts from the moment it is on its way.
    """
    ours = payment.refunds.filter(origin=RefundOrigin.HABITAT.value).exclude(state=RefundState.FAILED.value)
    taken = ours.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
    return max(payment.minted - taken - to_reclaim(payment).total, Decimal(0))


def losses(payment: Payment) -> list[Dispute | Refund]:
    """What went back of a payment beyond what it could cover, and the cooperative bears: disputes first.

    Covered is what stood in 2240 (`held`) or must be taken back in credits (`reclaim`).
    """
    covered = F("held") + F("reclaim")
    lost = payment.disputes.filter(state=DisputeState.LOST.value, amount__gt=covered)
    gone = payment.refunds.filter(state=RefundState.SUCCEEDED.value, amount__gt=covered)
    return [*lost.order_by("id"), *gone.exclude(origin=RefundOrigin.HABITAT.value).order_by("id")]


def is_contested(payment: Payment) -> bool:
    """Whether a dispute of it is open or a refund on its way: how much is left is not certain."""
    return (
        payment.disputes.filter(state=DisputeState.OPEN.value).exists()
        or payment.refunds.filter(state=RefundState.PENDING.value).exists()
    )


def payment_of(*, provider: str, reference: str) -> Payment | None:
    """The payment of a PaymentIntent or bank line."""
    return Payment.objects.filter(provider=provider, reference=reference).first()


def payment_of_charge(charge_id: str) -> Payment | None:
    """The payment that this charge of Stripe's settled."""
    return Payment.objects.filter(charge_id=charge_id).exclude(charge_id="").first()


def has_fee(payment: Payment | None) -> bool:
    """Whether it and the balance transaction of its charge are in the books, and with it what Stripe took."""
    if payment is None or not payment.charge_id:
        return False
    return StripeMovement.objects.filter(source_id=payment.charge_id, type__in=CHARGES).exists()


def member_of(number: str) -> Member | None:
    """The member a mark of ours names; None for what is no number, or nobody's."""
    if not number.isdecimal() or len(number) > LONGEST_NUMBER:
        return None
    return Member.objects.filter(pk=int(number)).first()
