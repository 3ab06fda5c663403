"""The gateway against the sandbox over HTTP: exact amounts, typed answers, two kinds of error."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from unittest.mock import Mock

import pytest
import requests

from habitat.errors import TooManyDecimals
from treasury.errors import StripeRefused, StripeUnavailable
from treasury.gateways.stripe import StripeClientGateway

D = Decimal
MARKS = {"habitat_member_id": "7", "habitat_purchase_id": "12"}


@pytest.fixture
def gateway(stripe_sandbox):
    return StripeClientGateway(api_key="sk_test_sandbox", api_base=stripe_sandbox.url)


@pytest.fixture
def customer(gateway):
    return gateway.create_customer(member_id="7", email="a@example.org", name="Ana", idempotency_key="customer-7")


def checkout(gateway, customer, amount="100.00", **changes):
    given = {
        "customer_id": customer.id,
        "amount": D(amount),
        "description": "10 CLOUD",
        "success_url": "https://habitat.example/done",
        "cancel_url": "https://habitat.example/back",
        "metadata": MARKS,
        "idempotency_key": "checkout-12",
    }
    return gateway.create_checkout(**(given | changes))


@pytest.fixture
def paid(gateway, customer, stripe_sandbox):
    session = checkout(gateway, customer, save_method=True)
    stripe_sandbox.control("pay", session=session.id)
    return gateway.retrieve_payment(gateway.retrieve_session(session.id).payment_id)


def test_customer__is_found_by_its_member(gateway, customer):
    assert customer.member == "7"
    assert gateway.find_customer(member_id="7") == customer
    assert gateway.find_customer(member_id="8") is None


def test_checkout__to_a_payment_with_its_charge(gateway, customer, paid):
    assert (paid.status, paid.amount_received, paid.currency, paid.method) == ("succeeded", D(100), "usd", "card")
    assert (paid.customer_id, paid.customer_member, dict(paid.metadata)) == (customer.id, "7", MARKS)
    assert paid.charge is not None
    assert paid.charge.transaction is not None
    assert (paid.charge.transaction.amount, paid.charge.transaction.fee) == (D(100), D("3.20"))
    assert paid.charge.transaction.net == D("96.80")
    assert gateway.find_payment(customer_id=customer.id, metadata=MARKS) == paid


def test_checkout__same_key_is_one_session_and_is_found_by_its_marks(gateway, customer):
    first = checkout(gateway, customer)
    assert first.url.startswith("http")
    assert checkout(gateway, customer).id == first.id
    assert gateway.find_checkout(customer_id=customer.id, metadata=MARKS).id == first.id
    assert gateway.find_checkout(customer_id=customer.id, metadata={"habitat_purchase_id": "13"}) is None
    expired = gateway.expire_session(first.id, idempotency_key="expire-12")
    assert (expired.status, expired.url) == ("expired", "")


def test_checkout__no_part_of_a_cent(gateway, customer):
    with pytest.raises(TooManyDecimals):
        checkout(gateway, customer, "1.005")


def test_saved_methods__are_charged_again(gateway, customer, paid):
    [saved] = gateway.saved_methods(customer_id=customer.id)
    assert (saved.kind, saved.brand, saved.last4) == ("card", "visa", "4242")
    again = gateway.charge_saved(
        customer_id=customer.id,
        method_id=saved.id,
        amount=D("12.34"),
        description="top-up",
        metadata={"habitat_purchase_id": "13"},
        idempotency_key="top-up-13",
    )
    assert (again.status, again.amount_received) == ("succeeded", D("12.34"))
    gateway.forget_method(saved.id, idempotency_key="forget-1")
    assert gateway.saved_methods(customer_id=customer.id) == []


def test_refund__a_part_and_then_all_that_is_left(gateway, paid):
    marks = {"habitat_refund": "r1"}
    part = gateway.create_refund(payment_id=paid.id, amount=D("30.01"), metadata=marks, idempotency_key="r1")
    assert (part.amount, part.status, part.payment_id) == (D("30.01"), "succeeded", paid.id)
    assert part.taken is not None
    assert part.taken.net == D("-30.01")
    assert gateway.find_refund(payment_id=paid.id, metadata=marks).id == part.id
    rest = gateway.create_refund(payment_id=paid.id, amount=None, metadata={}, idempotency_key="r2")
    assert rest.amount == D("69.99")
    assert [one.id for one in gateway.refunds_of(charge_id=paid.charge.id)] == [rest.id, part.id]
    with pytest.raises(StripeRefused) as refused:
        gateway.create_refund(payment_id=paid.id, amount=None, metadata={}, idempotency_key="r3")
    assert refused.value.details["stripe_code"] == "charge_already_refunded"


def test_refund__of_a_charge_that_no_intent_stands_for(gateway, paid):
    """A payment made by hand at Stripe is known by its charge: it can be sent back, and found, by that."""
    marks = {"habitat_refund": "r1"}
    made = gateway.create_refund(payment_id=paid.charge.id, amount=D(30), metadata=marks, idempotency_key="r1")
    assert (made.charge_id, made.amount) == (paid.charge.id, D(30))
    assert gateway.find_refund(payment_id=paid.charge.id, metadata=marks).id == made.id


def test_dispute_and_payout__with_their_movements(gateway, paid, stripe_sandbox):
    dispute = gateway.retrieve_dispute(stripe_sandbox.control("dispute", payment_intent=paid.id)["id"])
    assert (dispute.payment_id, dispute.amount, dispute.status) == (paid.id, D(100), "needs_response")
    [taken] = dispute.transactions
    assert (taken.amount, taken.fee, taken.net) == (D(-100), D(15), D(-115))
    stripe_sandbox.control("adjust_balance", amount=50_000)
    stripe_sandbox.control("make_available")
    payout = gateway.retrieve_payout(stripe_sandbox.control("payout")["id"])
    assert payout.amount == D("481.80")
    balance = gateway.balance()
    assert (balance.available, balance.pending) == (D(0), D(0))
    since = datetime.now(UTC) - timedelta(days=1)
    assert {one.type for one in gateway.balance_transactions(since=since)} == {"charge", "adjustment", "payout"}


def test_subscription__renews_pauses_and_ends(gateway, customer, stripe_sandbox):
    session = checkout(gateway, customer, "25", interval="month")
    stripe_sandbox.control("pay", session=session.id)
    subscription = gateway.retrieve_subscription(gateway.retrieve_session(session.id).subscription_id)
    assert (subscription.status, subscription.amount, subscription.interval) == ("active", D(25), "month")
    assert dict(subscription.metadata) == MARKS

    [first] = gateway.invoices_of(customer_id=customer.id)
    invoice = gateway.retrieve_invoice(first.id)
    assert (invoice.subscription_id, dict(invoice.metadata)) == (subscription.id, MARKS)
    payment = gateway.retrieve_payment(invoice.payment_ids[0])
    assert gateway.invoice_of(payment_id=payment.id).id == invoice.id

    assert gateway.pause_subscription(subscription.id, idempotency_key="p").paused
    assert not gateway.resume_subscription(subscription.id, idempotency_key="r").paused
    assert gateway.cancel_subscription(subscription.id, idempotency_key="c").status == "canceled"


def test_own_payment__has_no_invoice(gateway, paid):
    assert gateway.invoice_of(payment_id=paid.id) is None


@pytest.mark.parametrize("kind", ["500", "429", "reset"])
def test_unknown_outcome__is_asked_again_and_happens_once(gateway, customer, stripe_sandbox, kind):
    stripe_sandbox.control("faults", kind=kind, method="POST", path="/v1/checkout/sessions", times=1)
    with pytest.raises(StripeUnavailable):
        checkout(gateway, customer)
    session = checkout(gateway, customer)
    assert gateway.find_checkout(customer_id=customer.id, metadata=MARKS).id == session.id


def test_refused__for_good_with_stripes_code(gateway, customer):
    with pytest.raises(StripeRefused) as refused:
        gateway.retrieve_payment("pi_none")
    assert refused.value.details["stripe_code"] == "resource_missing"


def test_key__never_stands_in_an_error(stripe_sandbox):
    with pytest.raises(StripeUnavailable) as refused:
        StripeClientGateway(api_key="sk_test_wrong_key", api_base=stripe_sandbox.url).balance()
    assert "sk_test_wrong_key" not in refused.value.sentence
    with pytest.raises(StripeUnavailable):
        StripeClientGateway(api_key="sk_test_x", api_base="http://127.0.0.1:1").balance()


def test_key_that_stripe_does_not_take__decides_nothing(gateway, paid, stripe_sandbox):
    """Revoked between a refund's two attempts, the first of which arrived: refused, the credits would come back too."""
    given = {"payment_id": paid.id, "amount": D("30"), "metadata": {"habitat_refund": "r1"}, "idempotency_key": "r1"}
    stripe_sandbox.control("faults", kind="reset", method="POST", path="/v1/refunds", times=1)
    with pytest.raises(StripeUnavailable):
        gateway.create_refund(**given)
    with pytest.raises(StripeUnavailable):
        StripeClientGateway(api_key="sk_test_revoked", api_base=stripe_sandbox.url).create_refund(**given)
    assert gateway.create_refund(**given).amount == 30
    assert len(gateway.refunds_of(charge_id=paid.charge.id)) == 1


def test_key_whose_first_attempt_read_otherwise__decides_nothing(gateway, paid):
    """A release changed what a call says between a refund's two attempts, the first of which arrived."""
    given = {"payment_id": paid.id, "metadata": {"habitat_refund": "r1"}, "idempotency_key": "r1"}
    gateway.create_refund(amount=D("30"), **given)
    with pytest.raises(StripeUnavailable):
        gateway.create_refund(amount=None, **given)
    assert len(gateway.refunds_of(charge_id=paid.charge.id)) == 1


@pytest.mark.parametrize(("body", "status"), [("<html>Gateway</html>", 200), ("<html>Blocked</html>", 403), ("{", 200)])
def test_answer_that_is_not_stripes__decides_nothing(gateway, paid, monkeypatch, body, status):
    """Something between us and Stripe answered in its place: what was asked may have happened."""
    told = Mock(content=body.encode(), status_code=status, headers={})
    monkeypatch.setattr(requests.Session, "request", lambda *_, **__: told)
    with pytest.raises(StripeUnavailable):
        gateway.create_refund(payment_id=paid.id, amount=D("30"), metadata={}, idempotency_key="r1")
