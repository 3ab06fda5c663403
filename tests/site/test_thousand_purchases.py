"""Many payments told at once: gunicorn, the worker and the sandbox as processes, each webhook twice and in any order.

`HABITAT_PURCHASES=1000` is the whole of it; without, a fifth, so that the suite stays short.
"""

import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import Sum
from django_q.models import Task

from cloud_credits.models import CloudBalance, CloudTransaction, PaymentMint, Purchase
from habitat.controls.models import Alert
from habitat.events.models import Delivery
from habitat.money import cloud_to_usd
from habitat.notifications.models import Notification
from tests import checkouts
from tests.sandboxes import Sandbox
from tests.site.cooperative import broken, verify_books
from tests.treasury.money_in import books
from treasury.models import Payment, StripeEvent, StripeMovement

SIZE = int(os.environ.get("HABITAT_PURCHASES", "200"))
# Several of each: mints of one member wait for each other.
EACH = 4

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sandbox(stripe_sandbox: Sandbox, settings) -> Sandbox:
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = stripe_sandbox.url, checkouts.KEY
    return stripe_sandbox


def test_purchases__paid_at_once_are_minted_once_each(sandbox: Sandbox, tmp_path: Path) -> None:
    wishes = checkouts.pay(sandbox, buyers=SIZE // EACH, each=EACH)
    opened, alerts = sandbox.calls(), _alerts()

    with checkouts.served(tmp_path, sandbox, "habitat.settings.test") as house:
        sent = checkouts.tell_all(sandbox, house)
        checkouts.wait_until(checkouts.all_minted, "not every purchase was minted", seconds=60 + SIZE)
        checkouts.wait_until(checkouts.nothing_waits, "something still waits", seconds=60 + SIZE)

    # The door: every webhook twice, every answer 200, each kept once and processed at the first attempt.
    assert Counter(row["answer"] for row in sent) == {"200": len(sent)}
    told = Counter(row["event"] for row in sent)
    assert set(told.values()) == {2}
    assert set(StripeEvent.objects.values_list("event_id", flat=True)) == set(told)
    assert set(StripeEvent.objects.values_list("state", "attempts")) == {("processed", 1), ("ignored", 1)}
    assert set(Delivery.objects.values_list("state", "attempts")) == {("delivered", 1)}
    assert not Task.objects.filter(success=False).exists()
    assert _alerts() == alerts
    assert checkouts.troubles(tmp_path) == []

    # Each payment is one payment, one mint, one fee, one notice; nothing was asked of Stripe but the checkouts.
    asked = {purchase.pk: purchase.amount for purchase in wishes}
    minted = Purchase.objects.filter(state="minted", payment__state="minted")
    assert dict(minted.values_list("pk", "payment__payment_mint__amount")) == asked
    counts = [model.objects.count() for model in (Payment, PaymentMint, StripeMovement, Notification)]
    assert counts == [SIZE, SIZE, SIZE, SIZE + SIZE // EACH]
    assert CloudTransaction.objects.filter(type="mint").count() == SIZE
    assert sandbox.calls() == opened

    # To the cent: what was paid, what was minted, what stands in the books.
    credits = sum(asked.values())
    dollars, fees = cloud_to_usd(credits), StripeMovement.objects.aggregate(sum=Sum("fee"))["sum"]
    assert CloudBalance.objects.aggregate(sum=Sum("liquid"))["sum"] == credits
    assert Payment.objects.aggregate(sum=Sum("amount"))["sum"] == dollars
    assert books() == {"1115": dollars - fees, "5910": fees, "2220": -dollars}
    assert fees == sum(_fee(cloud_to_usd(amount)) for amount in asked.values())
    for member_id, held in CloudBalance.objects.filter(liquid__gt=0).values_list("member_id", "liquid"):
        assert held == sum(purchase.amount for purchase in wishes if purchase.member_id == member_id)
    assert verify_books("--all")[0] == 0, broken(verify_books("--all")[1])


def _alerts() -> list[tuple[str, str, int]]:
    return list(Alert.objects.order_by("id").values_list("code", "message", "times"))


def _fee(usd: Decimal) -> Decimal:
    """2.9 % and 30 cents, half a cent up."""
    return (usd * Decimal("0.029")).quantize(Decimal("0.01"), "ROUND_HALF_UP") + Decimal("0.30")
