"""What can still be refunded of a payment, and what was."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db.models import F, Sum

from cloud_credits.errors import InsufficientBalance, PaymentNotMinted, RefundAboveReach, RefundAtTheBank
from cloud_credits.models import Clawback, CloudBalance, PaymentMint, RefundRequest
from cloud_credits.policies.purchases import TAKEN, RefundRequestState
from habitat.money import cloud_to_usd, plain, usd_to_cloud
from treasury.models import Payment, Refund
from treasury.policies.payments import PaymentState, Provider, RefundOrigin, RefundState

ON_ITS_WAY: Final = "on its way"
ARRIVED: Final = "arrived"
FAILED: Final = "failed"
REQUEST_WORDS: Final = {RefundRequestState.SETTLED: ARRIVED, RefundRequestState.FAILED: FAILED}
REFUND_WORDS: Final = {
    RefundState.PENDING: ON_ITS_WAY,
    RefundState.SUCCEEDED: ARRIVED,
    RefundState.FAILED: FAILED,
}


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


@dataclass(frozen=True, slots=True)
class WayBack:
    """Money of a payment on its way back, as its payer reads it. `cloud` are the credits burned for it beforehand."""

    usd: Decimal
    cloud: Decimal | None
    state: str
    at: datetime | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class WentBack:
    """All that goes or went back of one payment. `usd` has gone; `taken` CLOUD followed what was refunded at Stripe."""

    ways: tuple[WayBack, ...]
    usd: Decimal
    is_all: bool
    taken: Decimal

    @property
    def is_some(self) -> bool:
        return any(way.state != FAILED for way in self.ways)


def gone_of(payment: Payment) -> Decimal:
    """USD of a payment that are with its payer again: refunded, or lost in a dispute. No more than was paid."""
    return min(payment.refunded + payment.disputed, payment.amount)


def went_back(payment: Payment) -> WentBack:
    """What its payer is shown: our refunds, those made at Stripe or the bank, lost disputes."""
    ways = [
        WayBack(
            cloud_to_usd(row.amount),
            row.amount,
            REQUEST_WORDS.get(RefundRequestState(row.state), ON_ITS_WAY),
            row.created_at,
            row.reason,
        )
        for row in RefundRequest.objects.filter(payment=payment).order_by("id")
    ]
    # Every refund that Habitat burned credits for has its request above.
    others = Refund.objects.filter(payment=payment).exclude(origin=RefundOrigin.HABITAT.value).order_by("id")
    ways += [WayBack(row.amount, None, REFUND_WORDS[RefundState(row.state)], row.created_at) for row in others]
    if payment.state == PaymentState.REFUNDING and not others.filter(state=RefundState.PENDING.value).exists():
        ways.append(WayBack(payment.left, None, ON_ITS_WAY, None))
    if payment.disputed:
        ways.append(WayBack(payment.disputed, None, ARRIVED, None, "Its payer contested it and was given right."))
    gone = gone_of(payment)
    return WentBack(tuple(ways), gone, is_all=gone >= payment.amount, taken=clawed_back_of(payment.pk))


def _sum(payment_id: int, states: tuple[RefundRequestState, ...]) -> Decimal:
    rows = RefundRequest.objects.filter(payment_id=payment_id, state__in=[state.value for state in states])
    return Decimal(rows.aggregate(amount=Sum("amount"))["amount"] or 0)
