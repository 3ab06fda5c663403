"""`POST /api/stripe/checkout`, `/api/purchases/`, `/api/stripe/invoices`: once a key, own rows, problems by name."""

from decimal import Decimal

import pytest
import stripe as stripe_package

from cloud_credits.actions import terms
from cloud_credits.actions.purchases import record_customer
from cloud_credits.models import Purchase
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.models import Execution
from tests.cloud_credits.at_stripe import hear, latest
from tests.cloud_credits.bought import bought, check_backing, wish
from tests.cloud_credits.invoiced import item, sent, stored_invoice
from tests.cloud_credits.ledger import holds
from tests.faces.people import api, reader
from tests.factories import actor
from tests.treasury.stripe_side import KEY

pytestmark = pytest.mark.django_db


def buyer() -> Member:
    member = reader("0")
    terms.accept(member=member, version=1, acting=actor(member))
    return member


def checkout(member: Member, key: str | None = "k1", **asked):
    headers = {"Idempotency-Key": key} if key else {}
    body = {"cloudAmount": "12.5"} | asked
    return api(member).post("/api/stripe/checkout", body, format="json", headers=headers)


@pytest.fixture(autouse=True)
def healthy(db):
    check_backing()


@pytest.mark.django_db(transaction=True)
def test_checkout__answers_stripes_page_once_a_key(stripe):
    member = buyer()
    first, again = checkout(member), checkout(member)
    purchase = latest(member)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == {
        "checkoutUrl": purchase.checkout_url,
        "purchaseId": str(purchase.pk),
        "replayed": False,
    }
    assert again.json() == first.json() | {"replayed": True}
    conflict = checkout(member, cloudAmount="13")
    assert (conflict.status_code, conflict.json()["code"]) == (409, "idempotency_conflict")
    stripe.sandbox.control("pay", session=purchase.session_id)
    hear(stripe)
    row = api(member).get(f"/api/purchases/{purchase.pk}").json()
    assert (row["state"], row["cloudAmount"], row["usdAmount"]) == ("minted", "12.5", "125")
    assert row["checkoutUrl"] is None
    assert row["transactionId"] is not None
    assert holds(member)[0] == Decimal("12.5")
    assert [r["id"] for r in api(member).get("/api/purchases/").json()["results"]] == [str(purchase.pk)]
    [receipt] = api(member).get("/api/stripe/invoices").json()
    assert (receipt["usdAmount"], receipt["purchaseRef"]) == ("125", str(purchase.pk))


@pytest.mark.django_db(transaction=True)
def test_checkout__while_stripe_is_down__keeps_the_purchase_and_opens_it_later(stripe, settings):
    member, base = buyer(), settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    down = checkout(member)
    purchase = latest(member)
    assert (down.status_code, down.json()["code"]) == (503, "checkout_waits")
    assert down["Content-Type"] == "application/problem+json"
    assert down.json()["details"] == {"purchase_id": str(purchase.pk)}
    assert purchase.state == "created"
    settings.STRIPE_API_BASE = base
    Execution.objects.update(due_at="2026-01-01T00:00:00Z")
    answer = checkout(member)
    assert (answer.status_code, answer.json()["purchaseId"]) == (200, str(purchase.pk))
    assert Purchase.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_checkout__for_an_invoice_pays_it(stripe):
    member = buyer()
    invoice, other = sent(member, item("1", "4")), sent(reader("0"))
    assert checkout(member, "k0", invoiceId=str(other.pk)).status_code == 404
    assert checkout(member, cloudAmount="4", invoiceId=str(invoice.pk)).status_code == 201
    stripe.sandbox.control("pay", session=latest(member).session_id)
    hear(stripe)
    assert stored_invoice(invoice).state == "paid"


def test_checkout__refuses_by_name_and_changes_nothing():
    member, unread = buyer(), reader("0")
    for answer, status, code in (
        (checkout(unread), 403, "terms_not_accepted"),
        (checkout(member, None), 400, "idempotency_key_required"),
        (checkout(member, cloudAmount="0"), 422, "amount_not_positive"),
        (checkout(member, cloudAmount="-1"), 422, "amount_not_positive"),
        (checkout(member, cloudAmount="0.001"), 422, "purchase_too_small"),
        (checkout(member, cloudAmount="1.00001"), 422, "whole_cents_only"),
        (checkout(member, cloudAmount="100000"), 422, "daily_limit_reached"),
        (checkout(member, method="beads"), 422, "invalid_input"),
        (checkout(member, cloudAmount=None), 422, "invalid_input"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert checkout(member, cloudAmount="0.001").json()["field"] == "cloudAmount"
    assert not Purchase.objects.exists()
    assert not Execution.objects.exists()


def test_lists__are_the_readers_own():
    member, other = buyer(), buyer()
    purchase = wish(other)
    bought(other, "1")
    assert api(member).get("/api/purchases/").json()["results"] == []
    assert api(member).get(f"/api/purchases/{purchase.pk}").status_code == 404
    assert api(member).get("/api/stripe/invoices").json() == []
    for path in ("purchases/", "stripe/invoices"):
        assert api(member).get(f"/api/{path}?member={other.pk}").status_code == 404
    all_seeing = api(reader("0", "cloud_credits.view_purchase"))
    assert len(all_seeing.get(f"/api/purchases/?member={other.pk}").json()["results"]) == 2
    assert len(all_seeing.get(f"/api/stripe/invoices?member={other.pk}").json()) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("gone", ["deleted", "of another account"])
def test_checkout__of_a_member_whose_customer_is_gone_at_stripe__makes_another(stripe, gone):
    """Else nobody could sell this member anything any more."""
    member = buyer()
    if gone == "deleted":
        assert checkout(member).status_code == 201
        client = stripe_package.StripeClient(KEY, base_addresses={"api": stripe.sandbox.url})
        client.v1.customers.delete(member.billing_customers.get().customer_id)
    else:
        record_customer(member_id=member.pk, customer_id="cus_of_another", acting=SYSTEM)
    assert checkout(member, "k2").status_code == 201
    purchase = latest(member)
    stripe.sandbox.control("pay", session=purchase.session_id)
    hear(stripe)
    purchase.refresh_from_db()
    assert (purchase.state, holds(member)[0], member.billing_customers.count()) == ("minted", Decimal("12.5"), 2)
