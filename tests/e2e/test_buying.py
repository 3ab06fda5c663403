"""A member buys on a phone: the form, Stripe's page, the way back, the credits; and an invoice paid that way."""

import pytest
from playwright.sync_api import Page, expect

from cloud_credits.actions import terms
from cloud_credits.models import Purchase
from cloud_credits.reports.balances import balance_of
from cloud_credits.workflows.purchases import mint_waiting
from habitat.events.workflows import deliveries
from habitat.members.models import Member
from habitat.workflows.workflows import sagas
from tests.cloud_credits.bought import check_backing, monthly_purchase, resume, suspend
from tests.cloud_credits.invoiced import item, sent, stored_invoice
from tests.e2e.watching import shut_out, width_needed
from tests.factories import actor, make_member
from tests.sandboxes import Sandbox
from treasury.workflows import payments

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chromium, pytest.mark.node, pytest.mark.slow]

PHONE = 320


@pytest.fixture
def ada() -> Member:
    member = make_member("Ada", email="ada@example.org")
    check_backing()
    return member


@pytest.fixture
def at_stripe(stripe_sandbox: Sandbox, settings) -> Sandbox:
    """This process is the worker: it asks the same Stripe as the server."""
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = stripe_sandbox.url, "sk_test_sandbox"
    return stripe_sandbox


def work(stripe: Sandbox) -> None:
    """What the workers do once Stripe's webhooks have arrived."""
    stripe.control("wait_webhooks", seconds=30)
    for _ in range(3):
        payments.drain()
        deliveries.drain()
        sagas.drain()
    deliveries.drain()


def is_well(page: Page) -> None:
    assert (shut_out(page), width_needed(page)) == ([], PHONE)


def fill(page: Page, amount: str) -> None:
    page.get_by_label("Amount in CLOUD").fill(amount)


def test_buying__from_the_first_terms_to_the_credits(visit, ada, at_stripe, selling_server):
    page = visit(ada, width=PHONE, at=selling_server)
    page.goto("/cloud/")
    page.get_by_role("main").get_by_role("link", name="Buy credits").click()
    is_well(page)
    page.get_by_role("link", name="Read the terms").click()
    is_well(page)
    page.get_by_label("I have read version 1 and agree to it").check()
    page.get_by_role("button", name="Accept the terms").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Buy credits")
    fill(page, "12.345")
    expect(page.locator("[data-cloud-usd]")).to_have_text("You pay $123.45")
    is_well(page)
    page.get_by_role("button", name="Go on to pay").click()
    page.wait_for_url(f"{at_stripe.url}/c/pay/**")
    expect(page.get_by_role("main")).to_contain_text("$123.45")
    page.get_by_role("button", name="Pay $123.45").click()

    page.wait_for_url(f"{selling_server}/cloud/purchases/*/")
    expect(page.get_by_role("main")).to_contain_text("Waiting for your payment.")
    is_well(page)
    work(at_stripe)
    # The page looks again by itself; nobody reloads it.
    expect(page.get_by_role("main")).to_contain_text("The credits are in the balance.")
    expect(page.locator("[hx-trigger]")).to_have_count(0)
    is_well(page)
    page.get_by_role("link", name="To your credits").click()
    expect(page.locator(".card--lead")).to_contain_text("12.345 CLOUD")
    assert balance_of(ada.pk).liquid == Purchase.objects.get().amount


def test_invoice__is_paid_by_buying_the_missing_credits(visit, ada, at_stripe, selling_server):
    terms.accept(member=ada, version=1, acting=actor(ada))
    invoice = sent(ada, item("1", "4"))
    page = visit(ada, width=PHONE, at=selling_server)
    page.goto(f"/cloud/invoices/{invoice.pk}/")
    page.get_by_role("link", name="Buy the missing credits").click()
    expect(page.get_by_label("Amount in CLOUD")).to_have_value("4")
    is_well(page)
    page.get_by_role("button", name="Go on to pay").click()
    page.get_by_role("button", name="Pay $40.00").click()
    page.wait_for_url(f"{selling_server}/cloud/purchases/*/")
    work(at_stripe)

    expect(page.get_by_role("main")).to_contain_text("The credits are here and paid Invoice 1.")
    assert stored_invoice(invoice).state == "paid"
    assert balance_of(ada.pk).liquid == 0


def test_declined_card_and_way_back__leave_the_purchase_to_pay(visit, ada, at_stripe, selling_server):
    terms.accept(member=ada, version=1, acting=actor(ada))
    page = visit(ada, width=PHONE, at=selling_server)
    page.goto("/cloud/buy/?amount=5")
    page.get_by_role("button", name="Go on to pay").click()
    page.get_by_role("link", name="Back without paying").click()
    page.wait_for_url(f"{selling_server}/cloud/purchases/*/")
    expect(page.get_by_role("main")).to_contain_text("Waiting for your payment.")
    page.get_by_role("link", name="Pay $50.00 at Stripe").click()
    page.wait_for_url(f"{at_stripe.url}/c/pay/**")
    assert Purchase.objects.count() == 1


def test_suspended_minting__says_that_the_payment_is_here(visit, ada, at_stripe, selling_server):
    terms.accept(member=ada, version=1, acting=actor(ada))
    page = visit(ada, width=PHONE, at=selling_server)
    page.goto("/cloud/buy/?amount=5")
    page.get_by_role("button", name="Go on to pay").click()
    suspend()
    page.get_by_role("button", name="Pay $50.00").click()
    page.wait_for_url(f"{selling_server}/cloud/purchases/*/")
    work(at_stripe)
    expect(page.get_by_role("main")).to_contain_text("Payment received, credits follow.")
    is_well(page)
    resume()
    work(at_stripe)
    mint_waiting()
    expect(page.get_by_role("main")).to_contain_text("The credits are in the balance.")


def test_pages_behind_forms__are_well(visit, ada, at_stripe, selling_server):
    monthly = monthly_purchase(ada)
    for scheme in ("light", "dark"):
        page = visit(ada, width=PHONE, scheme=scheme, at=selling_server)
        page.goto("/cloud/purchases/")
        is_well(page)
        page.get_by_role("link", name="Pause it").click()
        is_well(page)
        page.goto(f"/cloud/recurring/{monthly.recurring_id}/cancel/")
        is_well(page)
        page.goto("/cloud/buy/")
        fill(page, "0.01")
        page.get_by_role("button", name="Go on to pay").click()
        expect(page.get_by_label("Amount in CLOUD")).to_have_attribute("aria-invalid", "true")
        is_well(page)
        fill(page, "100")
        page.get_by_label("Wire: you send it from your bank").check()
        page.get_by_role("button", name="Go on to pay").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Send a wire")
        is_well(page)
