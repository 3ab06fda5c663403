"""What can still be refunded of a payment, and what was."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import F, Sum

from cloud_credits.errors import InsufficientBalance, PaymentNotMinted, RefundAboveReach, RefundAtTheBank
from cloud_credits.models import Clawback, CloudBalance, PaymentMint, RefundRequest
from cloud_credits.policies.purchases import TAKEN, RefundRequestState
from habitat.money import plain, usd_to_cloud
from treasury.models import Payment
from treasury.policies.payments import PaymentState, Provider


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
    left = usd_to_cloud(mint.payment.minted) - taken_of(mint.payment_id) - clawed_back_of(mint.payment_id)
    return max(left, Decimal(0))


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a refund can go, in CLOUD: what is left of the payment, and what its member can spend."""

    left: Decimal
    liquid: Decimal
    holder: str

    @property
    def most(self) -> Decimal:
        return min(self.left, self.liquid)


def reach(mint: PaymentMint) -> Reach:
    """What operations see before they refund a minted payment."""
    balance = CloudBalance.objects.select_related("member").get(member_id=mint.payment.member_id)
    return Reach(left=refundable(mint), liquid=balance.liquid, holder=balance.member.display_name)


def mint_of(payment_id: int) -> PaymentMint | None:
    """The mint of a payment; None while it waits."""
    return PaymentMint.objects.select_related("payment").filter(payment_id=payment_id).first()


def minted_of(payment: Payment) -> tuple[PaymentMint, int]:
    """The mint and the member of a payment whose money Stripe can return. Raises PaymentNotMinted, RefundAtTheBank."""
    mint = mint_of(payment.pk)
    if payment.state != PaymentState.MINTED or mint is None or payment.member_id is None:
        raise PaymentNotMinted(payment=payment.reference, state=payment.state)
    if payment.provider != Provider.STRIPE:
        raise RefundAtTheBank(payment=payment.reference)
    return mint, payment.member_id


def check_reach(found: Reach, quantity: Decimal) -> None:
    """Raises RefundAboveReach above what is left, InsufficientBalance above what the member can spend."""
    if quantity > found.left:
        raise RefundAboveReach(left=plain(found.left), asked=plain(quantity), field="amount")
    if quantity > found.liquid:
        raise InsufficientBalance(
            holder=found.holder, available=plain(found.liquid), needed=plain(quantity), field="amount"
        )


def _sum(payment_id: int, states: tuple[RefundRequestState, ...]) -> Decimal:
    rows = RefundRequest.objects.filter(payment_id=payment_id, state__in=[state.value for state in states])
    return Decimal(rows.aggregate(amount=Sum("amount"))["amount"] or 0)
