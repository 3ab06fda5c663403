"""`/cloud/buy/`, `/cloud/purchases/`, `/terms/`: what a member sees while money comes in."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cloud_credits.actions import clawbacks, invoices, payment_refunds, purchases, recurring, refunds, terms
from cloud_credits.models import Invoice, Purchase, RecurringPurchase, RefundRequest, TermsAcceptance
from cloud_credits.policies.purchases import PurchaseKind, RecurringChange
from habitat.controls.actions import settings as runtime
from habitat.events.workflows.deliveries import drain
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud, plain
from habitat.notifications.models import Email, Notification
from habitat.workflows.models import Execution
from habitat.workflows.workflows import sagas
from tests.cloud_credits.at_stripe import hear, latest
from tests.cloud_credits.bought import (
    bought,
    check_backing,
    mint,
    monthly_purchase,
    pay,
    refunded_at_stripe,
    resume,
    suspend,
    wish,
)
from tests.cloud_credits.invoiced import item, sent, stored_invoice
from tests.cloud_credits.ledger import holds, row_counts
from tests.faces.people import browser, reader
from tests.factories import actor, fund, key
from treasury.actions import refunds as at_treasury
from treasury.models import Payment
from treasury.policies.backing import Band
from treasury.policies.references import member_reference

pytestmark = pytest.mark.django_db


def body(response) -> str:
    """What a person reads, on one line."""
    return re.sub(r"\s+", " ", response.content.decode())


def rows() -> tuple[dict[str, int], int, int]:
    return row_counts(), Purchase.objects.count(), TermsAcceptance.objects.count()


def asked(**changes) -> dict[str, str]:
    return {"amount": "12.5", "pay_by": "card", "repeat": "once", "key": key()} | changes


@pytest.fixture
def ada() -> Member:
    """A member who may buy: accepted terms, a bank that holds plenty."""
    member = reader("0", name="Ada Brook")
    terms.accept(member=member, version=1, acting=actor(member))
    check_backing()
    return member


# --- the form


def test_form__says_the_limit_and_leads_from_the_start_page(ada):
    client = browser(ada)
    assert 'href="/cloud/buy/"' in body(client.get("/cloud/"))
    page = body(client.get("/cloud/buy/?amount=7"))
    assert 'value="7"' in page
    assert "200 CLOUD</strong> ($2,000.00)" in page
    assert "the same for every member" in page
    wish(ada, "150")
    assert "50 CLOUD</strong> ($500.00)" in body(client.get("/cloud/buy/"))


def test_form__in_the_low_band_says_why_the_limit_is_lower(ada, monkeypatch):
    monkeypatch.setattr("treasury.reports.purchases.latest_band", lambda: Band.LOW)
    page = body(browser(ada).get("/cloud/buy/"))
    assert "20 CLOUD</strong> ($200.00)" in page
    assert "lower than usual while the cooperative's reserve is low, and monthly purchases pause" in page


def test_form__while_minting_pauses__promises_no_credits_at_once(ada):
    client = browser(ada)
    page = body(client.get("/cloud/buy/"))
    assert "Card: the credits come at once" in page
    assert "Minting pauses." not in page
    suspend()
    page = body(client.get("/cloud/buy/"))
    assert "Minting pauses." in page
    assert "the credits follow when minting goes on" in page
    assert "at once" not in page


def test_terms__stand_before_the_form_and_lead_back_to_it():
    member = reader("0")
    client = browser(member)
    gate = body(client.get("/cloud/buy/?amount=3"))
    assert "First, the terms" in gate
    assert 'name="amount"' not in gate
    [way] = re.findall(r'href="(/terms/\?next=[^"]+)"', gate)
    page = body(client.get(way))
    assert 'name="next" value="/cloud/buy/?amount=3"' in page
    before = rows()
    assert client.post("/terms/accept/", {"version": "1"}).status_code == 422
    outdated = client.post("/terms/accept/", {"version": "2", "agree": "yes"})
    assert (outdated.status_code, "Read version 1" in body(outdated)) == (409, True)
    assert rows() == before
    answer = client.post("/terms/accept/", {"version": "1", "agree": "yes", "next": "/cloud/buy/?amount=3"})
    assert (answer.status_code, answer["Location"]) == (302, "/cloud/buy/?amount=3")
    assert TermsAcceptance.objects.get().member_id == member.pk
    assert 'name="amount"' in body(client.get("/cloud/buy/"))


@pytest.mark.parametrize("away", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)", "/\\x"])
def test_terms__lead_nowhere_else(ada, away):
    answer = browser(ada).post("/terms/accept/", {"version": "1", "agree": "yes", "next": away})
    assert answer["Location"] == "/cloud/"


def test_terms__are_public_with_date_and_earlier_versions(client):
    terms.publish(title="Second terms", body="# Second terms\n\nOnly <b>this</b>.", reason="clearer", acting=SYSTEM)
    page = body(client.get("/terms/"))
    assert "Version 2, published" in page
    assert "Only &lt;b&gt;this&lt;/b&gt;." in page
    assert page.count("Second terms</h") == 1
    assert 'href="/terms/1/"' in page
    assert "Accept the terms" not in page
    earlier = body(client.get("/terms/1/"))
    assert "This is an earlier version." in earlier
    assert "Credits are valid indefinitely." in earlier
    assert client.get("/terms/3/").status_code == 404
    assert client.get("/terms/99999999999999999999/").status_code == 404


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"amount": "0"}, 422, "must be more than zero"),
        ({"amount": "-5"}, 422, "must be more than zero"),
        ({"amount": "0.099"}, 422, "The smallest purchase is 0.1 CLOUD"),
        ({"amount": "1.0001"}, 422, "not a whole number of cents"),
        ({"amount": "ten"}, 422, "is not a number"),
        ({"amount": "200.001"}, 422, "You can buy for 2000 USD more today"),
        ({"amount": "100000"}, 422, "You can buy for 2000 USD more today"),
        ({"pay_by": "beads"}, 422, "Select a valid choice"),
        ({"repeat": "hourly"}, 422, "Select a valid choice"),
        ({"invoice": "999"}, 409, "not open any more"),
    ],
)
def test_refusals__stand_on_the_form_and_change_nothing(ada, changes, status, words):
    before = rows()
    answer = browser(ada).post("/cloud/buy/", asked(**changes))
    assert (answer.status_code, words in body(answer).replace("&#x27;", "'")) == (status, True)
    assert rows() == before


def test_refusals__of_a_suspended_member(ada):
    members.suspend(member=ada, reason="x", acting=SYSTEM)
    client, before = browser(ada), rows()
    assert "only active members buy credits" in body(client.get("/cloud/buy/"))
    assert client.post("/cloud/buy/", asked()).status_code == 422
    assert rows() == before


def test_wire__shows_the_members_reference_and_writes_nothing(ada):
    text = "Habitat, Example Bank, account 12345"
    runtime.change(key="purchases.wire_details", value=text, reason="opened", acting=SYSTEM)
    before = rows()
    page = body(browser(ada).post("/cloud/buy/", asked(pay_by="wire")))
    for words in (member_reference(ada.pk), "$125.00", text):
        assert words in page
    assert rows() == before


def test_form_action__may_lead_to_stripe_from_this_page_alone(ada, settings):
    settings.STRIPE_CHECKOUT_ORIGIN = "https://checkout.stripe.com"
    client = browser(ada)

    def directive(path: str) -> str:
        found = re.search(r"form-action ([^;]+)", client.get(path)["Content-Security-Policy"])
        return found[1] if found else ""

    assert directive("/cloud/buy/") == "'self' https://checkout.stripe.com"
    assert {directive(path) for path in ("/cloud/", "/cloud/purchases/", "/terms/")} == {"'self'"}


# --- to Stripe and back


@pytest.mark.django_db(transaction=True)
def test_checkout__leads_to_stripe_and_its_page_follows_the_books(ada, stripe):
    client, form = browser(ada), asked()
    answer = client.post("/cloud/buy/", form)
    purchase = latest(ada)
    assert (answer.status_code, answer["Location"]) == (303, purchase.checkout_url)
    assert purchase.checkout_url.startswith(stripe.sandbox.url)
    assert client.post("/cloud/buy/", form)["Location"] == purchase.checkout_url
    assert Purchase.objects.count() == 1
    path = f"/cloud/purchases/{purchase.pk}/"
    session = stripe.gateway.retrieve_session(purchase.session_id)
    page = body(client.get(f"{path}?from=checkout&state=minted"))
    assert "Waiting for your payment." in page
    assert 'hx-trigger="every 2s"' in page
    assert holds(ada)[0] == 0

    stripe.sandbox.control("pay", session=session.id)
    hear(stripe)

    part = client.get(path, headers={"HX-Request": "true"})
    assert "<html" not in body(part)
    assert "The credits are in the balance." in body(part)
    assert "hx-trigger" not in body(part)
    assert part["Vary"] == "HX-Request, Cookie"
    assert holds(ada)[0] == Decimal("12.5")
    assert "completed" in body(client.get("/cloud/purchases/"))
    assert "12.5 CLOUD were added. You paid $125.00." in body(client.get("/notifications/"))


@pytest.mark.django_db(transaction=True)
def test_checkout__where_stripe_does_not_answer__is_kept_and_goes_on_by_itself(ada, stripe, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    client = browser(ada)
    answer = client.post("/cloud/buy/", asked())
    purchase = latest(ada)
    path = f"/cloud/purchases/{purchase.pk}/"
    assert (answer.status_code, answer["Location"], purchase.state) == (303, path, "created")
    page = body(client.get(path))
    assert "Your purchase is kept and goes on by itself" in page
    assert "at Stripe</a>" not in page
    settings.STRIPE_API_BASE = stripe.sandbox.url
    Execution.objects.update(due_at=datetime.now(tz=UTC) - timedelta(seconds=1))
    sagas.drain()
    page = body(client.get(path))
    assert "Pay $125.00 at Stripe</a>" in page
    assert latest(ada).checkout_url in page
    assert len([call for call in stripe.sandbox.calls() if call["path"] == "/v1/checkout/sessions"]) == 1


@pytest.mark.django_db(transaction=True)
def test_bank_debit__that_comes_back_days_later__is_told(ada, stripe):
    client = browser(ada)
    client.post("/cloud/buy/", asked(pay_by="us_bank_account"))
    purchase = latest(ada)
    stripe.sandbox.control("pay", session=purchase.session_id, card="us_bank_account")
    hear(stripe)
    path = f"/cloud/purchases/{purchase.pk}/"
    assert "Waiting for your bank debit." in body(client.get(path))
    payment_id = stripe.gateway.retrieve_session(purchase.session_id).payment_id
    stripe.sandbox.control("fail_bank_debit", payment_intent=payment_id)
    hear(stripe)

    page = body(client.get(path))
    assert "The payment did not go through." in page
    assert 'href="/cloud/buy/?amount=12.5"' in page
    notice = Notification.objects.get(member=ada, subject="A payment was declined")
    assert notice.text.startswith("$125.00 could not be charged: ")
    assert notice.link == path
    assert Email.objects.filter(member=ada, subject="A payment was declined").count() == 1
    assert holds(ada)[0] == 0


@pytest.mark.django_db(transaction=True)
def test_invoice__is_paid_by_buying_what_is_missing(ada, stripe):
    invoice = sent(ada, item("1", "4"))
    client = browser(ada)
    [way] = re.findall(r'href="(/cloud/buy/\?invoice=\d+)"', body(client.get(f"/cloud/invoices/{invoice.pk}/")))
    page = body(client.get(way))
    assert 'name="amount" value="4"' in page
    assert 'name="repeat"' not in page
    before = rows()
    short = client.post("/cloud/buy/", asked(amount="3", invoice=str(invoice.pk)))
    assert "needs 4 CLOUD more than you have; this would buy 3" in body(short)
    assert rows() == before
    client.post("/cloud/buy/", asked(amount="4", invoice=str(invoice.pk)))
    purchase = latest(ada)
    assert (purchase.kind, purchase.invoice_id) == ("invoice", invoice.pk)
    stripe.sandbox.control("pay", session=purchase.session_id)
    hear(stripe)
    assert stored_invoice(invoice).state == "paid"
    assert "The credits are here and paid" in body(client.get(f"/cloud/purchases/{purchase.pk}/"))
    assert holds(ada)[0] == 0


def for_invoice(ada: Member, invoice: Invoice, amount: str = "4") -> Purchase:
    """A purchase for an invoice, whose checkout is open."""
    purchase = wish(ada, amount, kind=PurchaseKind.INVOICE, invoice=invoice)
    later = datetime.now(tz=UTC) + timedelta(hours=1)
    url = f"https://pay.example/{purchase.pk}"
    session = f"cs_{purchase.pk}"
    purchases.open_checkout(purchase_id=purchase.pk, session_id=session, url=url, expires_at=later, acting=SYSTEM)
    return purchase


def test_invoice__paid_from_the_balance_meanwhile__keeps_nobody_paying_and_claims_no_payment(ada):
    invoice, client = sent(ada, item("1", "4")), browser(ada)
    purchase = for_invoice(ada, invoice)
    path = f"/cloud/purchases/{purchase.pk}/"
    assert "Pay $40.00 at Stripe</a>" in body(client.get(path))
    fund(ada, "4")
    invoices.pay(invoice=invoice, idempotency_key=key(), acting=actor(ada))
    page = body(client.get(path))
    assert f'<a href="/cloud/invoices/{invoice.pk}/">{stored_invoice(invoice)}</a> was paid already.' in page
    assert "https://pay.example/" not in page
    assert "Waiting for your payment." not in page
    mint(pay(ada, "40", purchase_ref=str(purchase.pk)))
    page = body(client.get(path))
    assert "The credits are here and paid" not in page
    assert f"{stored_invoice(invoice)}</a> was paid already; the credits are in your balance." in page
    assert holds(ada)[0] == 4


def test_invoice__with_two_checkouts_paid__was_paid_by_one_of_them(ada):
    invoice, client = sent(ada, item("1", "4")), browser(ada)
    first, second = for_invoice(ada, invoice), for_invoice(ada, invoice)
    for purchase in (second, first):
        mint(pay(ada, "40", purchase_ref=str(purchase.pk)))
    assert "The credits are here and paid" in body(client.get(f"/cloud/purchases/{second.pk}/"))
    page = body(client.get(f"/cloud/purchases/{first.pk}/"))
    assert "was paid already; the credits are in your balance." in page


def test_invoice__void_meanwhile__is_said_while_the_checkout_is_open(ada):
    invoice = sent(ada, item("1", "4"))
    purchase = for_invoice(ada, invoice)
    invoices.void(invoice=invoice, reason="not owed", acting=SYSTEM)
    page = body(browser(ada).get(f"/cloud/purchases/{purchase.pk}/"))
    assert "</a> is void." in page
    assert "https://pay.example/" not in page


def test_invoice__of_somebody_else_is_no_way_in(ada):
    other = sent(reader("0"))
    page = body(browser(ada).get(f"/cloud/buy/?invoice={other.pk}"))
    assert "its credits pay this invoice" not in page
    answer = browser(ada).post("/cloud/buy/", asked(invoice=str(other.pk)))
    assert answer.status_code == 409
    assert not Purchase.objects.exists()


# --- the purchase's page


def test_states__each_says_what_it_means(ada):
    client = browser(ada)

    def page(purchase: Purchase) -> str:
        return body(client.get(f"/cloud/purchases/{purchase.pk}/"))

    failed, expired, waiting = wish(ada, "1"), wish(ada, "2"), wish(ada, "3")
    purchases.fail(purchase_id=failed.pk, problem="Your card was declined.", acting=SYSTEM)
    gone = datetime.now(tz=UTC)
    opened = {"session_id": "cs_1", "url": "https://pay.example/1", "expires_at": gone, "acting": SYSTEM}
    purchases.open_checkout(purchase_id=expired.pk, **opened)
    purchases.expire(purchase_id=expired.pk, acting=SYSTEM)
    # Stripe's page takes another card after a decline, as long as it is open.
    declined = wish(ada, "4")
    later = {"session_id": "cs_2", "url": "https://pay.example/2", "expires_at": gone + timedelta(hours=1)}
    purchases.open_checkout(purchase_id=declined.pk, acting=SYSTEM, **later)
    purchases.fail(purchase_id=declined.pk, problem="Your card was declined.", acting=SYSTEM)
    assert "https://pay.example/2" in page(declined)
    assert ("Try again" in page(failed), "Try again" in page(declined)) == (True, False)
    suspend()
    payment = pay(ada, plain(waiting.usd), purchase_ref=str(waiting.pk))
    mint(payment)
    assert "Your card was declined. Nothing was bought." in page(failed)
    assert "This checkout has expired." in page(expired)
    assert "https://pay.example/1" not in page(expired)
    assert "Payment received, credits follow." in page(waiting)
    assert "payment received" in body(client.get("/cloud/purchases/"))
    resume()
    mint(payment)
    assert "The credits are in the balance." in page(waiting)


def refund(payment: Payment, amount: str, reason: str = "bought twice.") -> RefundRequest:
    return refunds.request(payment=payment, amount=cloud(amount), reason=reason, idempotency_key=key(), acting=SYSTEM)


def arrive(request: RefundRequest, refund_id: str) -> None:
    """Stripe sent it and says that it has arrived."""
    refunds.burn(request_id=request.pk, acting=SYSTEM)
    refunds.record_sent(request_id=request.pk, refund_id=refund_id, acting=SYSTEM)
    told = {"payment": request.payment, "refund_id": refund_id, "amount": request.amount * 10, "is_ours": True}
    at_treasury.observe(status="succeeded", acting=SYSTEM, **told)
    refunds.settle(request_id=request.pk, acting=SYSTEM)


def test_refund__shows_on_the_purchase_and_in_the_list(ada):
    client, payment = browser(ada), bought(ada, "10")
    path = f"/cloud/purchases/{payment.purchase.pk}/"
    assert "What went back" not in body(client.get(path))
    one = refund(payment, "1")
    page = body(client.get(path))
    assert "What went back" in page
    assert "$10.00, 1 CLOUD" in page
    assert "on its way</span>" in page
    assert "Why: bought twice." in page
    arrive(one, "re_one")
    page = body(client.get(path))
    assert "arrived</span>" in page
    assert "on its way</span>" not in page
    assert "completed, $10.00 of it went back" in body(client.get("/cloud/purchases/"))
    lines = b"".join(client.get("/cloud/purchases/?export=csv").streaming_content).decode()
    assert "$10.00 of it went back" in lines
    refunds.fail(request_id=refund(payment, "2").pk, why="refused", acting=SYSTEM)
    page = body(client.get(path))
    assert "$20.00, 2 CLOUD" in page
    assert "failed</span>" in page
    arrive(refund(payment, "9"), "re_two")
    assert "Refunded." in body(client.get(path))
    assert "$90.00, 9 CLOUD" in body(client.get(path))
    assert "refunded</span>" in body(client.get("/cloud/purchases/"))


def test_refund__made_at_stripe__shows_with_the_credits_it_took(ada):
    client, payment = browser(ada), bought(ada, "10")
    refunded_at_stripe(payment, "40")
    clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)
    page = body(client.get(f"/cloud/purchases/{payment.purchase.pk}/"))
    assert "$40.00" in page
    assert "arrived</span>" in page
    assert "4 CLOUD were taken back for it" in page
    refunded_at_stripe(payment, "60")
    clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)
    page = body(client.get(f"/cloud/purchases/{payment.purchase.pk}/"))
    assert "All of its money went back." in page
    assert "The credits are in the balance." not in page
    assert "all of it went back" in body(client.get("/cloud/purchases/"))


def test_refund__of_a_payment_that_waited__promises_no_credits(ada):
    purchase = wish(ada, "10")
    suspend()
    payment = pay(ada, "100", purchase_ref=str(purchase.pk))
    mint(payment)
    payment_refunds.hold(payment_id=payment.pk, acting=SYSTEM)
    page = body(browser(ada).get(f"/cloud/purchases/{purchase.pk}/"))
    assert "Your payment goes back the way it came." in page
    assert "$100.00</dt><dd><span" in page
    assert "on its way</span>" in page
    assert "credits follow" not in page


def test_refund__the_notices_end_with_one_full_stop(ada):
    payment = bought(ada, "10")
    for reason in ("bought twice.", "bought twice"):
        request = refund(payment, "1", reason)
        refunds.burn(request_id=request.pk, acting=SYSTEM)
    drain()
    texts = list(Notification.objects.filter(member=ada).values_list("text", flat=True))
    assert sum("Why: bought twice." in text for text in texts) == 2
    assert sum("Refund: bought twice. You can spend" in text for text in texts) == 2
    assert not [text for text in texts if ".." in text]


def test_page__is_the_members_own(ada):
    purchase, other = wish(ada), reader("0")
    path = f"/cloud/purchases/{purchase.pk}/"
    assert browser(other).get(path).status_code == 404
    assert "Pay $" not in body(browser(reader("0", "cloud_credits.view_purchase")).get(path))


def test_list__nothing_yet__then_rows_exports_and_older_ones(ada):
    client = browser(ada)
    assert "No purchases" in body(client.get("/cloud/purchases/"))
    first = wish(ada, "1")
    for _ in range(25):
        wish(ada, "1")
    page = body(client.get("/cloud/purchases/"))
    assert f'href="/cloud/purchases/{first.pk}/"' not in page
    [older] = re.findall(r'href="(\?before=\d+)"', page)
    assert f'href="/cloud/purchases/{first.pk}/"' in body(client.get(f"/cloud/purchases/{older}"))
    lines = b"".join(client.get("/cloud/purchases/?export=csv").streaming_content).decode().splitlines()
    assert lines[0].endswith("Number,Begun,Kind,CLOUD,USD,USD (exact),State")
    assert lines[-1].startswith(f"{first.pk},")
    assert lines[-1].endswith(",once,1,10.00,10,opening")
    assert client.get("/cloud/purchases/?export=xlsx").status_code == 200


# --- every month


@pytest.mark.django_db(transaction=True)
def test_monthly__is_paused_resumed_and_cancelled_after_a_question(ada, stripe):
    client = browser(ada)
    client.post("/cloud/buy/", asked(amount="2", repeat="recurring"))
    stripe.sandbox.control("pay", session=latest(ada).session_id)
    hear(stripe)
    monthly = RecurringPurchase.objects.get()
    assert monthly.state == "active"
    assert "Pause it" in body(client.get("/cloud/purchases/"))
    for change, state in (("pause", "paused"), ("resume", "active"), ("cancel", "cancelled")):
        path = f"/cloud/recurring/{monthly.pk}/{change}/"
        question = body(client.get(path))
        assert f"{change.capitalize()} it" in question
        [form_key] = re.findall(r'name="key" value="([^"]+)"', question)
        answer = client.post(path, {"key": form_key}, follow=True)
        assert f"Your monthly purchase is {state} now." in body(answer)
        assert RecurringPurchase.objects.get().state == state
        # The same form again asks nothing again.
        client.post(path, {"key": form_key})
        assert RecurringPurchase.objects.get().state == state
    hear(stripe)
    subjects = Notification.objects.filter(member=ada, subject__startswith="Recurring").order_by("pk")
    words = ["active", "paused", "active", "cancelled"]
    assert list(subjects.values_list("subject", flat=True)) == [f"Recurring purchase {word}" for word in words]


def test_monthly__refusals_change_nothing(ada):
    purchase = monthly_purchase(ada)
    client, path = browser(ada), f"/cloud/recurring/{purchase.recurring_id}"
    stranger = browser(reader("0", "cloud_credits.manage_recurringpurchase"))
    before = rows(), Execution.objects.count()
    assert client.post(f"{path}/resume/", {"key": "k"}).status_code == 409
    assert client.post(f"{path}/pause/", {}).status_code == 422
    assert stranger.post(f"{path}/cancel/", {"key": "k"}).status_code == 404
    assert (rows(), Execution.objects.count()) == before
    assert RecurringPurchase.objects.get().state == "active"


def test_monthly__a_second_one_is_refused_beside_its_field(ada):
    monthly_purchase(ada)
    before = rows()
    answer = browser(ada).post("/cloud/buy/", asked(repeat="recurring"))
    assert (answer.status_code, "A recurring purchase is running already." in body(answer)) == (409, True)
    assert rows() == before


def test_monthly__paused_by_the_house_says_why(ada):
    purchase = monthly_purchase(ada)
    recurring.changed(
        recurring_id=purchase.recurring_id, to=RecurringChange.PAUSE, because="The reserve is low", acting=SYSTEM
    )
    page = body(browser(ada).get("/cloud/purchases/"))
    assert "The reserve is low." in page
    assert "Resume it" in page
