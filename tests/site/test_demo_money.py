"""The sample cooperative's money: with sandboxes by real HTTP from checkout to matched line, without them left out."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from cloud_credits.models import CloudBalance, Invoice, Purchase, RefundRequest, TopUp
from habitat.site.reports.trace import trace
from tests.sandboxes import MERCURY_TOKEN, Sandbox
from tests.site.cooperative import broken, verify_books
from treasury.models import BankMatch, Payment, Payout, ReconciliationException

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def key_file(tmp_path, settings):
    settings.SELF_METERING_KEY_FILE = str(tmp_path / "self-metering.key")


@pytest.fixture
def world(tmp_path, settings):
    """Both sandboxes, Stripe's told of the bank; the house is told of both."""
    bank = Sandbox("treasury.sandbox.mercury", "--data", tmp_path / "bank.sqlite3", "--token", MERCURY_TOKEN)
    stripe = Sandbox(
        "treasury.sandbox.stripe", "--data", tmp_path / "s.sqlite3", "--api-key", "sk_test_demo", "--bank-url", bank.url
    )
    settings.MERCURY_API_BASE, settings.MERCURY_API_TOKEN = bank.url, MERCURY_TOKEN
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = stripe.url, "sk_test_demo"
    yield stripe
    stripe.stop()
    bank.stop()


def run_demo() -> str:
    said = StringIO()
    call_command("demo", stdout=StringIO(), stderr=said)
    return said.getvalue()


def test_demo__with_sandboxes_goes_from_checkout_to_the_matched_bank_line(world):
    said = run_demo()

    assert "left out" not in said
    assert sorted(Purchase.objects.values_list("state", "amount")) == [
        ("minted", Decimal(5)),
        ("minted", Decimal("12.5")),
        ("minted", Decimal(25)),
        ("minted", Decimal(60)),
    ]
    assert sorted(Invoice.objects.values_list("state", "total")) == [("paid", Decimal(20)), ("sent", Decimal(12))]
    assert list(RefundRequest.objects.values_list("state", "amount")) == [("settled", Decimal("2.5"))]
    refill = TopUp.objects.get()
    assert (refill.member.ens_subname, refill.state, refill.threshold, refill.amount) == ("ana", "on", 20, 10)
    assert refill.card == "Visa ending in 0077"
    payout = Payout.objects.get()
    assert payout.matched_at is not None
    assert BankMatch.objects.filter(state="confirmed", kind="payout").count() == 1
    assert list(ReconciliationException.objects.values_list("message", flat=True)) == []
    for payment in Payment.objects.all():
        # No web server was up: the sweep found every payment.
        assert [gap.arrow.value for gap in trace(payment, now=timezone.now()).gaps] == ["event"]
    code, output = verify_books("--all")
    assert (code, broken(output)) == (0, [])


def test_demo__with_sandboxes_twice_changes_nothing(world):
    run_demo()
    before = _rows(), world.calls()

    run_demo()

    assert (_rows(), world.calls()) == before


def test_demo__without_sandboxes_says_what_is_left_out():
    said = run_demo()

    assert "No sandbox of Stripe answers: purchases by card, their refund and pay-outs are left out." in said
    assert not Purchase.objects.exists()
    assert not TopUp.objects.exists()
    assert sorted(Invoice.objects.values_list("state", flat=True)) == ["paid", "sent"]


def _rows() -> tuple[int, ...]:
    counted = tuple(
        model.objects.count() for model in (Purchase, Payment, Payout, Invoice, RefundRequest, BankMatch, TopUp)
    )
    return (*counted, *CloudBalance.objects.order_by("member_id").values_list("liquid", flat=True))
