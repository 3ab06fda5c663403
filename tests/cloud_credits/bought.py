"""Purchases and payments in tests: made by the verbs, with the payer's part played by treasury's own."""

from decimal import Decimal
from itertools import count
from typing import Any

from django.utils import timezone

from cloud_credits.actions import payment_mints, purchases, recurring, terms
from cloud_credits.models import Purchase
from cloud_credits.policies.purchases import PurchaseKind
from cloud_credits.reports.terms import current
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud, plain
from tests.factories import actor, hold_dollars, key, make_member
from treasury.actions import backing, disputes, payments, refunds
from treasury.models import Payment, StripeReading

_numbers = count(1)


def buyer(**given: Any) -> Member:
    """An active member with a cloud identity who accepted the terms."""
    member = make_member(**given)
    terms.accept(member=member, version=current().version, acting=actor(member))
    return member


def wish(member: Member, amount: str = "10", **given: Any) -> Purchase:
    """A purchase of `amount` CLOUD, begun by the member."""
    asked = {"idempotency_key": key(), "acting": actor(member)} | given
    return purchases.begin(member=member, amount=cloud(amount), **asked)


def monthly_purchase(member: Member) -> Purchase:
    """A monthly purchase whose subscription Stripe knows; the terms are accepted with it."""
    terms.accept(member=member, version=current().version, acting=actor(member))
    check_backing()
    purchase = wish(member, "2", kind=PurchaseKind.RECURRING)
    assert purchase.recurring_id is not None
    number = next(_numbers)
    recurring.activate(recurring_id=purchase.recurring_id, subscription_id=f"sub_{number}", acting=SYSTEM)
    return purchase


def pay(member: Member | None, usd: str, **given: Any) -> Payment:
    """A payment that arrived at Stripe, booked by treasury."""
    number = next(_numbers)
    told: dict[str, Any] = {
        "provider": "stripe",
        "reference": f"pi_{number}",
        "amount": Decimal(usd),
        "method": "card",
        "charge_id": f"ch_{number}",
        "occurred_at": timezone.now(),
        "acting": SYSTEM,
    }
    return payments.receive(**(told | {"member": member} | given))


def mint(payment: Payment) -> payment_mints.Minting:
    return payment_mints.mint_for_payment(payment_id=payment.pk, acting=SYSTEM)


def bought(member: Member, amount: str = "10") -> Payment:
    """A payment for `amount` CLOUD, begun, paid and minted."""
    purchase = wish(member, amount)
    payment = pay(member, plain(purchase.usd), purchase_ref=str(purchase.pk))
    assert mint(payment).mint is not None
    payment.refresh_from_db()
    return payment


def refunded_at_stripe(payment: Payment, usd: str, *, status: str = "succeeded", refund_id: str = "") -> str:
    """Somebody refunds it at Stripe's; treasury is told."""
    refund_id = refund_id or f"re_{next(_numbers)}"
    refunds.observe(
        payment=payment, refund_id=refund_id, amount=Decimal(usd), status=status, is_ours=False, acting=SYSTEM
    )
    return refund_id


def disputed(payment: Payment, status: str, usd: str = "") -> None:
    """The payer contests it; `status` is Stripe's word for how it stands."""
    told = disputes.Told(
        dispute_id=f"dp_{payment.pk}",
        amount=Decimal(usd or payment.amount),
        status=status,
        reason="fraudulent",
        opened_at=timezone.now(),
        transactions=(),
    )
    disputes.observe(payment=payment, told=told, acting=SYSTEM)


def suspend() -> None:
    backing.suspend_minting(reason="a drill", acting=SYSTEM)


def resume() -> None:
    backing.resume_minting(reason="the drill is over", acting=SYSTEM)


def check_backing(held: str = "50000000000") -> None:
    """The bank holds `held` USD and Stripe nothing, and a check has seen it."""
    hold_dollars(held)
    StripeReading.objects.create(available=0, pending=0, read_at=timezone.now())
    backing.record_check(trigger="test", acting=SYSTEM)
