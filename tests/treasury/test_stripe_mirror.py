"""dj-stripe's tables mirror what the house retrieved: whole, never older than it was, and without a secret."""

from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
import stripe
from django.apps import apps
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from django.urls import get_resolver
from djstripe import models as mirror

from habitat.controls.models import Alert
from habitat.members.policies.actors import SYSTEM
from tests.factories import make_member
from tests.sandboxes import Sandbox
from tests.treasury.money_in import books
from tests.treasury.stripe_side import KEY, StripeSide
from treasury.actions import stripe_events, stripe_mirror
from treasury.models import Payment
from treasury.policies.mirror_guards import MIRROR_TABLES
from treasury.policies.stripe import ASKED_KEY
from treasury.reports.stripe_documents import Receipt, SavedCard, cards, customers, receipts
from treasury.workflows import payments, sweep

pytestmark = pytest.mark.django_db

D = Decimal
MODELS = tuple(stripe_mirror._MODELS.values())


@pytest.fixture
def side(stripe_sandbox: Sandbox, settings) -> StripeSide:
    settings.STRIPE_SECRET_KEY = KEY
    settings.STRIPE_API_BASE = stripe_sandbox.url
    return StripeSide(stripe_sandbox)


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in MODELS if model.objects.exists()}


def everything() -> str:
    """All that stands in any of dj-stripe's tables, as text."""
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_app_config("djstripe").get_models(include_auto_created=True):
            cursor.execute(f'SELECT t::text FROM "{model._meta.db_table}" t')
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def without_clock() -> list[tuple]:
    kept = []
    for model in MODELS:
        for row in model.objects.order_by("id").values():
            kept.append(tuple(value for name, value in row.items() if not name.startswith("djstripe_")))
    return kept


# --- what the mirror holds


def test_paid__customer_card_charge_and_receipt(side):
    member = make_member()
    paid = side.paid(member, "100", save=True)
    side.tell()

    [customer] = mirror.Customer.objects.all()
    assert (customer.id, customer.metadata) == (paid.customer_id, {"habitat_member_id": str(member.pk)})
    [charge] = mirror.Charge.objects.all()
    assert (charge.id, charge.amount, charge.status) == (paid.charge.id, D("100.00"), "succeeded")
    assert (charge.customer_id, charge.payment_intent_id) == (customer.id, paid.id)
    assert charge.receipt_url == paid.charge.receipt_url != ""
    assert charge.balance_transaction.amount == 10_000
    assert charge.balance_transaction.stripe_data["fee"] == 320
    assert mirror.PaymentIntent.objects.get().customer_id == customer.id
    assert charge.payment_method.customer_id == customer.id
    [card] = cards(member.pk)
    assert card == SavedCard(
        charge.payment_method_id, customer.id, "card", "visa", "4242", card.exp_month, card.exp_year
    )
    assert counts() == {
        "Customer": 1,
        "PaymentMethod": 1,
        "BalanceTransaction": 1,
        "PaymentIntent": 1,
        "Charge": 1,
    }
    assert not Alert.objects.filter(code="stripe_mirror_incomplete").exists()


def test_paid__a_card_that_was_not_saved_is_nobodys(side):
    member = make_member()
    side.paid(member, "100")
    side.tell()
    assert mirror.PaymentMethod.objects.get().customer_id is None
    assert cards(member.pk) == []


def test_forgotten__a_card_leaves_the_member(side):
    member = make_member()
    side.paid(member, "100", save=True)
    side.tell()
    [card] = cards(member.pk)
    forgotten = side.gateway.forget_method(card.id, idempotency_key="forget-1")
    assert forgotten.customer_id == ""
    side.tell()
    assert cards(member.pk) == []
    assert mirror.PaymentMethod.objects.get().customer_id is None


def test_recurring__subscription_invoice_and_its_receipt(side):
    member = make_member()
    side.pay(member, "50", interval="month")
    side.tell()
    subscription = mirror.Subscription.objects.get()
    invoice = mirror.Invoice.objects.get()
    assert subscription.customer_id == invoice.customer_id == customers(member.pk)[0]
    [receipt] = receipts(member.pk)
    assert (receipt.amount, receipt.purchase_ref, receipt.state) == (D(50), subscription.id, "received")
    assert receipt.invoice_url == invoice.stripe_data["hosted_invoice_url"] != ""
    # Told once more, the invoice finds its subscription.
    payments.invoice_paid(side.gateway, invoice.id)
    assert mirror.Invoice.objects.get().subscription_id == subscription.id


@pytest.mark.parametrize("order", ["", "reversed", "shuffled"])
def test_order__the_mirror_ends_as_stripe_is(side, order):
    members = [make_member() for _ in range(2)]
    part, lost = (side.paid(member) for member in members)
    refund = side.sandbox.control("refund", payment_intent=part.id, amount=3_000)
    dispute = side.sandbox.control("dispute", payment_intent=lost.id)
    side.sandbox.control("close_dispute", dispute=dispute["id"], outcome="lost")
    side.tell(order=order, seed=3)

    assert mirror.Charge.objects.get(id=part.charge.id).stripe_data["amount_refunded"] == 3_000
    kept = mirror.Refund.objects.get()
    assert (kept.id, kept.amount, kept.charge_id) == (refund["id"], 3_000, part.charge.id)
    contested = mirror.Dispute.objects.get()
    assert (contested.charge_id, contested.stripe_data["status"]) == (lost.charge.id, "lost")
    before = without_clock()
    side.tell(order="reversed")
    assert without_clock() == before


def test_sweep__brings_the_movements_and_payouts(side):
    member = make_member()
    side.paid(member)
    side.sandbox.control("make_available")
    side.sandbox.control("payout", outcome="paid")
    sweep.sweep(now=datetime.now(UTC), gateway=side.gateway)
    assert mirror.Payout.objects.get().stripe_data["object"] == "payout"
    assert mirror.Charge.objects.count() == 1
    assert sorted(mirror.BalanceTransaction.objects.values_list("type", flat=True)) == ["charge", "payout"]


# --- older and newer, secrets, failures


def test_age__what_was_asked_for_earlier_never_overwrites(side):
    member = make_member()
    paid = side.paid(member)
    old = side.gateway.retrieve_charge(paid.charge.id).document
    side.sandbox.control("refund", payment_intent=paid.id, amount=3_000)
    new = side.gateway.retrieve_charge(paid.charge.id).document
    assert stripe_mirror.write(documents=[new], acting=SYSTEM) == 2
    assert stripe_mirror.write(documents=[old], acting=SYSTEM) == 0
    assert mirror.Charge.objects.get().stripe_data["amount_refunded"] == 3_000
    # In one batch, too.
    assert stripe_mirror.write(documents=[new, old], acting=SYSTEM) == 2
    assert mirror.Charge.objects.get().stripe_data["amount_refunded"] == 3_000


def test_age__a_replayed_webhook_shows_what_stripe_is_now(side):
    paid = side.paid(make_member())
    told = next(one for one in side.events() if one["type"] == "charge.succeeded")
    side.sandbox.control("refund", payment_intent=paid.id, amount=3_000)
    side.tell()
    stripe_events.store(event_id="evt_again", type=told["type"], payload=told | {"id": "evt_again"}, acting=SYSTEM)
    payments.drain()
    assert told["data"]["object"]["amount_refunded"] == 0
    assert mirror.Charge.objects.get().stripe_data["amount_refunded"] == 3_000


def test_secrets__are_nowhere(side):
    paid = side.paid(make_member(), save=True)
    assert "client_secret" in paid.document
    secret = paid.document["client_secret"]
    side.tell()
    kept = everything()
    assert paid.id in kept
    for word in ("client_secret", secret, KEY, "whsec_", ASKED_KEY):
        assert word not in kept
    assert not mirror.APIKey.objects.exists()
    assert not mirror.Account.objects.exists()
    assert not mirror.WebhookEndpoint.objects.exists()
    assert not mirror.Event.objects.exists()


def test_failure__keeps_the_money_and_says_so(side, monkeypatch):
    def broken(self, document):
        raise KeyError("currency")

    monkeypatch.setattr(stripe_mirror._Conversion, "record", broken)
    paid = side.paid(make_member())
    side.tell()
    assert Payment.objects.get().reference == paid.id
    assert books()["2240"] == D(-100)
    assert counts() == {}
    assert paid.id in " ".join(Alert.objects.filter(code="stripe_mirror_incomplete").values_list("message", flat=True))


def test_failure__what_misses_its_owner_is_not_written_by_half(side):
    paid = side.paid(make_member())
    refund = side.sandbox.control("refund", payment_intent=paid.id, amount=3_000)
    alone = side.gateway.retrieve_refund(refund["id"]).document
    assert stripe_mirror.write(documents=[alone], acting=SYSTEM) == 0
    assert counts() == {}
    assert Alert.objects.get(code="stripe_mirror_incomplete").cause == refund["id"]


def test_same_transaction__a_fact_that_fails_leaves_no_mirror(side, monkeypatch):
    def refused(**_):
        raise RuntimeError("no")

    paid = side.paid(make_member())
    monkeypatch.setattr(payments.payments, "receive", refused)
    with pytest.raises(RuntimeError):
        payments.take_payment(side.gateway, paid.id)
    assert counts() == {}


# --- reports


def test_receipts__of_a_member_alone(side):
    member, other = make_member(), make_member()
    paid = side.paid(member, "100")
    side.paid(other, "30")
    side.tell()
    payment = Payment.objects.get(reference=paid.id)
    assert receipts(member.pk) == [
        Receipt(
            reference=paid.id,
            paid_at=payment.occurred_at,
            amount=D(100),
            description="CLOUD",
            url=paid.charge.receipt_url,
            invoice_url="",
            state="received",
            purchase_ref="1",
        )
    ]
    assert [one.amount for one in receipts(other.pk)] == [D(30)]
    assert receipts(make_member().pk) == []


def test_receipts__somebody_elses_page_is_never_named(side):
    payer, named = make_member(), make_member()
    side.paid(payer, "100", habitat_member_id=str(named.pk))
    side.tell()
    for member in (payer, named):
        assert [one.url for one in receipts(member.pk) if member is named] in ([], [""])


def test_receipts__before_the_mirror_knows_they_have_no_page(side):
    member = make_member()
    side.paid(member)
    side.tell()
    mirror_url = receipts(member.pk)[0].url
    assert mirror_url.startswith(side.sandbox.url)
    mirror.Charge.objects.update(customer=None)
    assert [(one.amount, one.url) for one in receipts(member.pk)] == [(D(100), "")]


def test_card__is_good_to_the_end_of_its_month():
    card = SavedCard("pm_1", "cus_1", "card", "visa", "4242", 2, 2027)
    assert not card.is_expired(on=date(2027, 2, 28))
    assert card.is_expired(on=date(2027, 3, 1))
    account = SavedCard("pm_2", "cus_1", "us_bank_account", "STRIPE TEST BANK", "6789", None, None)
    assert not account.is_expired(on=date(2099, 1, 1))


# --- operations


def test_rebuild__fills_what_webhooks_never_brought(side):
    member = make_member()
    paid = side.paid(member, "100", save=True)
    side.pay(member, "50", interval="month")
    refund = side.sandbox.control("refund", payment_intent=paid.id, amount=3_000)
    said = StringIO()
    call_command("rebuild_stripe_mirror", paid.customer_id, stdout=said)
    assert said.getvalue().startswith(f"{paid.customer_id}: ")
    assert customers(member.pk) == [paid.customer_id]
    assert mirror.Charge.objects.count() == 2
    assert mirror.Subscription.objects.count() == mirror.Invoice.objects.count() == 1
    assert mirror.Invoice.objects.get().subscription_id == mirror.Subscription.objects.get().id
    assert mirror.Refund.objects.get().id == refund["id"]
    assert len(cards(member.pk)) >= 1
    assert books() == {}
    before = without_clock()
    call_command("rebuild_stripe_mirror", member=member.pk, stdout=said)
    assert without_clock() == before


def test_rebuild__takes_a_forgotten_card_away(side):
    member = make_member()
    paid = side.paid(member, "100", save=True)
    side.tell()
    [card] = cards(member.pk)
    side.gateway.forget_method(card.id, idempotency_key="forget-1")
    call_command("rebuild_stripe_mirror", paid.customer_id, stdout=StringIO())
    assert cards(member.pk) == []


def test_rebuild__names_what_is_unknown(side):
    with pytest.raises(CommandError, match="cus_nobody"):
        call_command("rebuild_stripe_mirror", "cus_nobody")
    with pytest.raises(CommandError, match="Name a customer"):
        call_command("rebuild_stripe_mirror", member=make_member().pk)


# --- the package's own doors are shut


def test_doors__no_address_and_no_admin_page():
    assert not [model for model in admin.site._registry if model._meta.app_label == "djstripe"]
    assert "djstripe" not in get_resolver().namespace_dict
    assert not get_resolver().reverse_dict.getlist("djstripe_webhook_by_uuid")


@pytest.mark.parametrize("table", ["djstripe_apikey", "djstripe_webhookendpoint", "djstripe_event", "djstripe_account"])
def test_privileges__the_application_keeps_no_key_and_no_event(table):
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('habitat_app', %s, 'INSERT, UPDATE, DELETE, TRUNCATE')", [table])
        assert cursor.fetchone() == (False,)


@pytest.mark.parametrize("table", MIRROR_TABLES)
def test_privileges__the_mirror_is_written_and_never_deleted_from(table):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_table_privilege('habitat_app', %(t)s, 'INSERT') AND has_table_privilege('habitat_app', %(t)s,"
            " 'UPDATE'), has_table_privilege('habitat_app', %(t)s, 'DELETE, TRUNCATE')",
            {"t": table},
        )
        assert cursor.fetchone() == (True, False)


def test_privileges__a_key_is_refused(side):
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        mirror.APIKey.objects.create(id="sk_1", secret=KEY, type="secret", livemode=False)


def test_customer_deleted_at_stripe__keeps_the_receipts_of_its_payments(side):
    """Stripe shows nothing of it any more but that it was deleted; its member's receipts are the member's for good."""
    member = make_member()
    paid = side.paid(member)
    side.tell()
    before = receipts(member.pk)
    assert before[0].url
    client = stripe.StripeClient(KEY, base_addresses={"api": side.sandbox.url})
    client.v1.customers.delete(paid.customer_id)
    refund = side.sandbox.control("refund", payment_intent=paid.id, amount=1_000)
    side.tell()

    assert [one.url for one in receipts(member.pk)] == [before[0].url]
    assert customers(member.pk) == [paid.customer_id]
    assert mirror.Refund.objects.filter(id=refund["id"]).exists()
    assert not Alert.objects.exists()
