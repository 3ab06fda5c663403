"""Money at once: a payment told many times, a refund against a spend, an expiry against a payment, one key often."""

from decimal import Decimal

import pytest
from django.utils import timezone

from cloud_credits.actions import clawbacks, payment_mints, purchases, refunds
from cloud_credits.actions.staking import stake
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import DailyLimitReached
from cloud_credits.models import CloudBalance, PaymentMint, Purchase, RefundRequest
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from habitat.workflows.models import Execution
from tests.cloud_credits.bought import (
    bought,
    buyer,
    check_backing,
    disputed,
    mint,
    pay,
    refunded_at_stripe,
    resume,
    suspend,
    wish,
)
from tests.cloud_credits.ledger import account, broken_proofs, holds
from tests.cloud_credits.test_concurrency import THREADS, at_once, codes
from tests.factories import actor, key
from treasury.models import Payment

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_payment__told_and_minted_sixteen_times_at_once__is_minted_once():
    check_backing()
    ada = buyer()
    purchase = wish(ada, "10")

    now = timezone.now()

    def heard() -> payment_mints.Minting:
        told = {"reference": "pi_one", "charge_id": "ch_one", "purchase_ref": str(purchase.pk), "occurred_at": now}
        payment = pay(ada, "100", **told)
        return mint(payment)

    results = at_once(*(heard for _ in range(THREADS)))
    assert {result.mint.payment.reference for result in results} == {"pi_one"}
    assert (Payment.objects.count(), PaymentMint.objects.count(), Purchase.objects.count()) == (1, 1, 1)
    assert (holds(ada), Purchase.objects.get().state) == ((10, 0), "minted")
    assert broken_proofs() == []


@pytest.mark.parametrize("at_stripe", ["refund", "dispute"])
def test_refund__against_a_spend_a_stake_and_stripes_own_news__takes_nothing_twice(at_stripe):
    check_backing()
    ada, ben = buyer(), buyer()
    payment = bought(ada, "10")

    def refund() -> RefundRequest:
        asked = refunds.request(payment=payment, amount=cloud("10"), reason="so", idempotency_key=key(), acting=SYSTEM)
        return refunds.burn(request_id=asked.pk, acting=SYSTEM)

    def stripes() -> object:
        if at_stripe == "refund":
            refunded_at_stripe(payment, "100")
        else:
            disputed(payment, "lost")
        return clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)

    results = at_once(
        refund,
        refund,
        lambda: transfer(sender=ada, recipient=ben, amount=cloud("7"), idempotency_key=key(), acting=actor(ada)),
        lambda: stake(member=ada, amount=cloud("6"), days=30, idempotency_key=key(), acting=actor(ada)),
        stripes,
        stripes,
    )
    told = codes(results)
    assert told["done"] >= 2, told
    assert all(min(row.liquid, row.staked) >= 0 for row in CloudBalance.objects.all())
    claw = clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)
    assert claw is not None
    assert claw.total == 10
    assert RefundRequest.objects.exclude(state__in=["asked", "failed"]).count() <= 1
    assert broken_proofs() == []


def test_expiry_against_payment__the_money_wins():
    check_backing()
    ada = buyer()
    for number in range(4):
        purchase = wish(ada, "10")
        purchases.open_checkout(
            purchase_id=purchase.pk,
            session_id=f"cs_{number}",
            url="https://x",
            expires_at="2030-01-01T00:00:00Z",
            acting=SYSTEM,
        )
        payment = pay(ada, "100", purchase_ref=str(purchase.pk))
        at_once(
            lambda p=purchase: purchases.expire(purchase_id=p.pk, acting=SYSTEM),
            lambda p=purchase: purchases.fail(purchase_id=p.pk, problem="declined", acting=SYSTEM),
            lambda p=payment: mint(p),
            lambda p=payment: mint(p),
        )
        purchase.refresh_from_db()
        assert (purchase.state, purchase.payment_id) == ("minted", payment.pk)
    assert holds(ada) == (40, 0)
    assert broken_proofs() == []


def test_switch_against_mints__each_waits_or_is_minted_and_none_is_lost():
    check_backing()
    ada = buyer()
    paid = [pay(ada, "10") for _ in range(6)]
    at_once(suspend, *(lambda p=payment: mint(p) for payment in paid))
    minted = PaymentMint.objects.count()
    assert account("2240") == -10 * (6 - minted)
    resume()
    at_once(*(lambda p=payment: mint(p) for payment in paid))
    assert (holds(ada), account("2240")) == ((6, 0), 0)
    assert broken_proofs() == []


def test_one_key__sixteen_times_at_once__is_one_wish_and_one_checkout():
    check_backing()
    ada = buyer()
    results = at_once(*(lambda: wish(ada, "10", idempotency_key="same") for _ in range(THREADS)))
    assert len({purchase.pk for purchase in results}) == 1
    assert (Purchase.objects.count(), Execution.objects.filter(saga="checkout").count()) == (1, 1)


def test_wishes_at_once__share_one_days_room():
    check_backing()
    ada = buyer()
    results = at_once(*(lambda: wish(ada, "90") for _ in range(8)))
    assert codes(results) == {"done": 2, DailyLimitReached.code: 6}
    assert sum(Purchase.objects.values_list("usd", flat=True), Decimal(0)) == 1800


def test_one_refund__asked_twice_at_once__is_one_within_what_is_left():
    check_backing()
    ada = buyer()
    payment = bought(ada, "10")

    def ask(of: str) -> RefundRequest:
        return refunds.request(payment=payment, amount=cloud("6"), reason="so", idempotency_key=of, acting=SYSTEM)

    results = at_once(lambda: ask("same"), lambda: ask("same"), lambda: ask("other"), lambda: ask("third"))
    assert RefundRequest.objects.count() == 1
    assert codes(results)["refund_above_reach"] >= 1
