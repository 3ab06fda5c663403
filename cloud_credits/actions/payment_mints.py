"""Payments become credits: each once, as soon as minting is on (domain §6). Posts 2240 / 2220."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import invoices, movements, payment_refunds, receivables, refunds
from cloud_credits.actions.mints import minted
from cloud_credits.actions.movements import Applied
from cloud_credits.events import PurchaseWaiting
from cloud_credits.models import CloudBalance, PaymentMint, Purchase
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from cloud_credits.policies.purchases import (
    HOUSE_KEY,
    Fate,
    Judgement,
    PaymentFacts,
    PurchaseKind,
    PurchaseState,
    judge,
)
from cloud_credits.reports.payment_mints import reference_of
from cloud_credits.reports.purchases import purchase_named
from habitat.events.actions.outbox import emit
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.members.policies.statuses import MAY_TRADE, MemberStatus
from habitat.money import cents, plain, usd_to_cloud
from treasury import locks as treasury_locks
from treasury.actions import payments
from treasury.models import MintSwitch, Payment
from treasury.policies.payments import PaymentState, Provider
from treasury.reports.backing import mint_allowed
from treasury.reports.payments import is_contested
from treasury.reports.purchases import limits

MINT: Final = "cloud_credits.mint_payment"
SUBSCRIPTION: Final = "sub_"
WENT_BACK: Final = "all of it went back"


@dataclass(frozen=True, slots=True)
class Minting:
    """What became of a payment, and its mint where there is one. `why` says what it waits for or why it goes back."""

    fate: Fate
    why: str = ""
    mint: PaymentMint | None = None


@transaction.atomic
def mint_for_payment(*, payment_id: int, acting: Actor) -> Minting:
    """Mints a received payment's dollars ÷ 10 as credits, once however often it is called.

    What cannot be minted now stays in 2240 and its purchase is `paid`; what can never be minted begins its way back.
    An invoice it was for is paid in the same transaction. What came back after the mint (a refund made before it
    failed) becomes credits by a correction, waits and goes back in the same way. Raises NotAllowed. Locks: mint switch
    (share), period, payment, purchase, invoice, balances.
    """
    require(acting, MINT)
    switch = treasury_locks.mint_switch()
    treasury_locks.open_period(on=datetime.now(tz=UTC).date())
    payment = treasury_locks.payment(payment_id)
    if payment.late > 0:
        return _mint_late(payment, switch, acting)
    if payment.state == PaymentState.REFUNDED:
        _note_gone(payment)
    if payment.state != PaymentState.RECEIVED:
        return _as_it_stands(payment)
    purchase, asked = _purchase_of(payment)
    if purchase is not None and purchase.invoice_id is not None:
        locks.invoice_and_balances(purchase.invoice_id)
    if purchase is not None and purchase.state == PurchaseState.REFUNDED:
        # Its money went back and returned.
        purchase.wait_again()
        purchase.save(update_fields=["state"])
    judgement = judge(_facts(payment, asked))
    if judgement.fate is Fate.MINT:
        judgement = _held_up(payment, switch) or judgement
    if judgement.fate is Fate.MINT:
        return _mint(payment, purchase, acting)
    if purchase is not None:
        _note_arrival(payment, purchase, judgement, acting)
    if judgement.fate is Fate.REFUND:
        payment_refunds.begin(payment=payment, why=judgement.why, acting=acting)
    return Minting(judgement.fate, judgement.why)


def _note_gone(payment: Payment) -> None:
    """All of it went back before anybody here looked at it: the purchase it was for waits for it no more."""
    asked = _asked(payment)
    if asked is None or asked.payment_id is not None:
        return
    if (asked.member_id, asked.usd) != (payment.member_id, payment.amount):
        return
    _pay(payment, asked)
    asked.refund()
    asked.problem = WENT_BACK
    asked.save(update_fields=["state", "problem"])


def _as_it_stands(payment: Payment) -> Minting:
    mint = PaymentMint.objects.filter(payment=payment).first()
    return Minting(Fate.MINT if mint else Fate.REFUND, str(payment.state), mint)


def _facts(payment: Payment, asked: Purchase | None) -> PaymentFacts:
    member = Member.objects.filter(pk=payment.member_id).first() if payment.member_id else None
    return PaymentFacts(
        amount=payment.amount,
        problem=payment.problem,
        status=MemberStatus(member.status) if member else None,
        has_identity=member is not None and CloudBalance.objects.filter(member=member).exists(),
        asked=asked.usd if asked else None,
        same_member=asked is None or asked.member_id == payment.member_id,
    )


def _held_up(payment: Payment, switch: MintSwitch) -> Judgement | None:
    """Whether minting is suspended, or wires wait in the low band (domain §6)."""
    refusal = mint_allowed(new_cash=True, amount=usd_to_cloud(payment.waits), switch=switch)
    if refusal is not None:
        return Judgement(Fate.WAIT, refusal.sentence)
    if payment.provider == Provider.BANK and payment.member_id and not limits(payment.member_id).wires_mint:
        return Judgement(Fate.WAIT, "wires wait while the reserve is low")
    if is_contested(payment):
        return Judgement(Fate.WAIT, "the payer contests it, or a refund is on its way")
    if payment.waits <= 0:
        return Judgement(Fate.WAIT, WENT_BACK)
    return None


def _purchase_of(payment: Payment) -> tuple[Purchase | None, Purchase | None]:
    """The purchase this payment belongs to, locked, and the one it was asked for, which may be another's or paid.

    Whoever pays twice has two purchases, and so has each month of a recurring one and each wire: those are made here.
    """
    if payment.member_id is None:
        return None, None
    own = Purchase.objects.filter(payment=payment).values_list("pk", flat=True).first()
    if own is not None:
        held = locks.purchase(own)
        return held, held
    asked = _asked(payment)
    if asked is None or asked.payment_id is not None:
        return _another(payment, asked), asked if asked is not None and asked.recurring_id is None else None
    if asked.member_id != payment.member_id or asked.usd != payment.amount:
        return None, asked
    return asked, asked


def _asked(payment: Payment) -> Purchase | None:
    """The purchase its reference names; a renewal names its subscription."""
    ref = payment.purchase_ref
    if ref.startswith(SUBSCRIPTION):
        first = Purchase.objects.filter(recurring__subscription_id=ref).order_by("pk").values_list("pk", flat=True)
        number = first.first() or _first_month(payment)
        return locks.purchase(number) if number else None
    named = purchase_named(ref)
    return locks.purchase(named.pk) if named is not None else None


def _first_month(payment: Payment) -> int | None:
    """Stripe may tell of a subscription's first payment before the subscription: it is for the newest page that asked
    its payer for as much each month."""
    if payment.member_id is None:
        return None
    pages = Purchase.objects.filter(
        member_id=payment.member_id,
        usd=payment.amount,
        payment=None,
        recurring__isnull=False,
        recurring__subscription_id=None,
    )
    return pages.order_by("-pk").values_list("pk", flat=True).first()


def _another(payment: Payment, asked: Purchase | None) -> Purchase | None:
    """A purchase for a payment that no checkout waits for. Anything under whole eight decimals has none."""
    if payment.problem or payment.member is None:
        return None
    recurring = asked.recurring if asked is not None and asked.member_id == payment.member_id else None
    key = f"{HOUSE_KEY}{payment.pk}"
    return Purchase.objects.create(
        member=payment.member,
        amount=usd_to_cloud(payment.amount),
        usd=payment.amount,
        kind=PurchaseKind.RECURRING.value if recurring else PurchaseKind.ONCE.value,
        recurring=recurring,
        key=key,
        digest=key,
    )


def _pay(payment: Payment, purchase: Purchase) -> None:
    if purchase.payment_id is None:
        purchase.payment = payment
        purchase.paid_at = datetime.now(tz=UTC)
        purchase.pay()
        purchase.save(update_fields=["state", "payment", "paid_at"])


def _note_arrival(payment: Payment, purchase: Purchase, judgement: Judgement, acting: Actor) -> None:
    """The money is here and its credits are not: said once, in the words of what it waits for."""
    is_new = purchase.payment_id is None
    _pay(payment, purchase)
    purchase.problem = judgement.why[:300]
    purchase.save(update_fields=["problem"])
    if not is_new or judgement.fate is not Fate.WAIT:
        return
    if purchase.invoice_id is not None:
        invoices.note_payment_received(invoice_id=purchase.invoice_id, at=payment.received_at, acting=acting)
    emit(
        PurchaseWaiting(
            purchase_id=purchase.pk,
            member_id=purchase.member_id,
            payment_id=payment.pk,
            quantity=plain(purchase.amount),
            usd=plain(purchase.usd),
            why=judgement.why,
        ),
        acting=acting,
    )


def _mint(payment: Payment, purchase: Purchase | None, acting: Actor) -> Minting:
    dollars = payment.left
    quantity = usd_to_cloud(dollars)
    [applied] = movements.apply(
        [
            Movement(
                type=TransactionType.MINT,
                amount=quantity,
                purpose=Purpose.PAYMENT,
                to_member=payment.member_id,
                description=f"Bought for {cents(dollars)} USD",
                reference=reference_of(payment),
                to_statuses=MAY_TRADE,
            )
        ],
        acting=acting,
    )
    mint = PaymentMint.objects.create(payment=payment, transaction_id=applied.transaction_id, amount=quantity)
    payments.consume(payment=payment, amount=dollars, acting=acting)
    emit(minted(applied, payment_method=payment.method or payment.provider), acting=acting)
    if purchase is not None:
        _complete(payment, purchase, applied, acting)
    return Minting(Fate.MINT, mint=mint)


def _mint_late(payment: Payment, switch: MintSwitch, acting: Actor) -> Minting:
    """Its credits were never made, so they wait as any do; what its payer owes of the same payment is settled first."""
    judgement = judge(_facts(payment, None))
    if judgement.fate is Fate.MINT:
        judgement = _held_up(payment, switch) or judgement
    if judgement.fate is Fate.REFUND:
        payment_refunds.begin(payment=payment, why=judgement.why, acting=acting)
    if judgement.fate is not Fate.MINT or payment.member_id is None:
        return Minting(judgement.fate, judgement.why)
    dollars, mint = payment.late, PaymentMint.objects.get(payment=payment)
    refunds.take_back_mark(payment)
    locks.member(payment.member_id)
    debts = [debt for debt in locks.receivables_owed(payment.member_id) if debt.origin_id == mint.transaction_id]
    movement = Movement(
        type=TransactionType.CORRECTION,
        amount=usd_to_cloud(dollars),
        purpose=Purpose.PAYMENT,
        to_member=payment.member_id,
        description=f"Given back: a refund of payment {payment.reference} did not arrive",
        reference=reference_of(payment),
        to_statuses=MAY_TRADE,
    )
    [applied] = movements.apply([movement], acting=acting)
    payments.consume_late(payment=payment, amount=dollars, acting=acting)
    emit(refunds.given_back(applied, movement.description), acting=acting)
    if debts:
        receivables.settle(owed=debts, at_most=movement.amount, acting=acting)
    payment_refunds.settle_alert(payment=payment, acting=acting)
    return Minting(Fate.MINT, mint=mint)


def _complete(payment: Payment, purchase: Purchase, applied: Applied, acting: Actor) -> None:
    waited = purchase.payment_id is not None
    _pay(payment, purchase)
    if purchase.state == PurchaseState.PAID:
        purchase.mint()
    purchase.problem = ""
    purchase.save(update_fields=["state", "problem"])
    if purchase.invoice_id is not None:
        invoices.pay_after_mint(invoice_id=purchase.invoice_id, minted=applied, acting=acting)
    if waited:
        # It may have been on its way back, and not have got there.
        payment_refunds.settle_alert(payment=payment, acting=acting)
