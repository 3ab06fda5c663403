"""Payments that go back: once, whoever asks; by whichever way they went, the purchase says so and the alert closes."""

from decimal import Decimal

import pytest

from cloud_credits.actions import payment_refunds
from cloud_credits.errors import PaymentNotRefundable
from cloud_credits.models import Invoice, InvoiceChange, Purchase
from cloud_credits.policies.purchases import Fate, PurchaseKind
from cloud_credits.reports.purchases import payable_invoice
from habitat.controls.models import Alert
from habitat.events.workflows.deliveries import drain
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.actions import sagas as saga_verbs
from habitat.workflows.models import Execution
from tests.cloud_credits.bought import buyer, check_backing, disputed, mint, pay, refunded_at_stripe, suspend, wish
from tests.cloud_credits.invoiced import item, sent, stored_invoice
from tests.cloud_credits.ledger import account, broken_proofs, holds, refused
from tests.faces.people import browser, reader
from treasury.models import Payment

pytestmark = pytest.mark.django_db


def state(purchase: Purchase) -> str:
    return Purchase.objects.get(pk=purchase.pk).state


def alerts(payment: Payment) -> list[str]:
    rows = Alert.objects.filter(code="refund_failed", cause=f"payment:{payment.pk}").order_by("id")
    return list(rows.values_list("state", flat=True))


def waiting(member: Member) -> tuple[Payment, Purchase]:
    """100 USD of a member whose membership is suspended: they stand in 2240."""
    purchase = wish(member, "10")
    members.suspend(member=member, reason="asked", acting=SYSTEM)
    payment = pay(member, "100", purchase_ref=str(purchase.pk))
    assert mint(payment).fate is Fate.WAIT
    return payment, purchase


def sent_back(payment: Payment, key: str) -> Execution:
    return payment_refunds.send_back(payment=payment, reason="not wanted", idempotency_key=key, acting=SYSTEM)


def refused_by_stripe(payment: Payment) -> None:
    """Our refund was begun, and Stripe would not make it."""
    payment_refunds.hold(payment_id=payment.pk, acting=SYSTEM)
    payment_refunds.let_go(payment_id=payment.pk, acting=SYSTEM)
    assert alerts(payment) == ["open"]


# --- once


def test_send_back__asked_by_two_operators__begins_once():
    """The second would be refused by Stripe for good, and raise an alert about money that is with its payer."""
    payment, _ = waiting(buyer())
    first = sent_back(payment, "olga")
    assert sent_back(payment, "olga") == first
    refused(PaymentNotRefundable, lambda: sent_back(payment, "pia"))
    assert Execution.objects.filter(saga="payment_refund").count() == 1


def test_send_back__after_the_first_one_ended__begins_again():
    payment, _ = waiting(buyer())
    first = sent_back(payment, "olga")
    saga_verbs.cancel(execution=first, reason="asked for too early", acting=SYSTEM)
    assert sent_back(payment, "pia") != first


# --- another way than ours


def test_refunded_at_stripe_before_the_mint__is_told_by_the_purchase():
    payment, purchase = waiting(buyer())
    refunded_at_stripe(payment, "40")
    drain()
    assert state(purchase) == "paid"
    refunded_at_stripe(payment, "60")
    drain()
    assert (state(purchase), account("2240"), account("1115")) == ("refunded", 0, 0)
    assert broken_proofs() == []


def test_refund_that_failed_before_the_mint__leaves_the_purchase_waiting_again():
    payment, purchase = waiting(buyer())
    refund_id = refunded_at_stripe(payment, "100")
    drain()
    assert (state(purchase), account("2240")) == ("refunded", 0)

    refunded_at_stripe(payment, "100", status="failed", refund_id=refund_id)
    drain()
    purchase.refresh_from_db()
    assert (purchase.state, purchase.problem != "", account("2240")) == ("paid", True, -100)
    members.reinstate(member=Member.objects.get(pk=purchase.member_id), reason="asked", acting=SYSTEM)
    assert (mint(payment).fate, state(purchase), holds(purchase.member)) == (Fate.MINT, "minted", (10, 0))
    assert broken_proofs() == []


def test_lost_dispute_before_the_mint__is_told_by_the_purchase():
    payment, purchase = waiting(buyer())
    disputed(payment, "lost")
    drain()
    assert state(purchase) == "refunded"


def test_refunded_at_stripe_before_anybody_here_looked__is_told_by_the_purchase():
    """The worker was down: the purchase would wait for ever for a payment that came and went."""
    purchase = wish(buyer(), "10")
    payment = pay(purchase.member, "100", purchase_ref=str(purchase.pk))
    refund_id = refunded_at_stripe(payment, "100")
    drain()
    purchase.refresh_from_db()
    assert (purchase.state, purchase.payment_id, holds(purchase.member)) == ("refunded", payment.pk, (0, 0))
    assert not Execution.objects.filter(saga="payment_refund").exists()

    refunded_at_stripe(payment, "100", status="failed", refund_id=refund_id)
    drain()
    assert (state(purchase), holds(purchase.member)) == ("minted", (10, 0))
    assert broken_proofs() == []


@pytest.mark.parametrize("given", [{"amount": "99"}, {"stranger": True}, {"ref": "77777"}], ids=str)
def test_refunded_payment__of_another_purchase__marks_nobodys(given):
    purchase = wish(buyer(), "10")
    payer = buyer() if given.get("stranger") else purchase.member
    amount = given.get("amount", "100")
    payment = pay(payer, amount, purchase_ref=given.get("ref", str(purchase.pk)))
    refunded_at_stripe(payment, amount)
    drain()
    assert (state(purchase), Purchase.objects.count()) == ("created", 1)


# --- the invoice it was to pay


def paid_for_invoice(member: Member, invoice: Invoice) -> Payment:
    purchase = wish(member, "50", kind=PurchaseKind.INVOICE, invoice=invoice)
    payment = pay(member, "500", purchase_ref=str(purchase.pk))
    assert mint(payment).fate is Fate.WAIT
    return payment


def test_invoice__whose_payment_went_back__is_to_be_paid_again():
    """It went on saying "payment received": nobody could pay it, and it never fell due."""
    check_backing()
    ada = buyer()
    invoice = sent(ada, item("1"))
    suspend()
    first, second = paid_for_invoice(ada, invoice), paid_for_invoice(ada, invoice)
    assert stored_invoice(invoice).payment_received_at is not None

    refunded_at_stripe(first, "500")
    drain()
    assert payable_invoice(ada.pk, invoice.pk) is None
    refunded_at_stripe(second, "500")
    drain()

    assert (stored_invoice(invoice).state, stored_invoice(invoice).payment_received_at) == ("sent", None)
    assert payable_invoice(ada.pk, invoice.pk) == invoice
    verbs = InvoiceChange.objects.filter(invoice=invoice).order_by("id").values_list("verb", flat=True)
    assert list(verbs)[-2:] == ["payment-received", "payment-returned"]


# --- the alert


def test_alert__closes_when_the_money_went_back_by_stripes_dashboard():
    payment, purchase = waiting(buyer())
    refused_by_stripe(payment)
    refunded_at_stripe(payment, "40")
    drain()
    assert alerts(payment) == ["open"]
    refunded_at_stripe(payment, "60")
    drain()
    assert (alerts(payment), state(purchase)) == (["resolved"], "refunded")


def test_alert__is_not_raised_for_money_that_is_with_its_payer():
    payment, _ = waiting(buyer())
    payment_refunds.hold(payment_id=payment.pk, acting=SYSTEM)
    refunded_at_stripe(payment, "100")
    payment_refunds.let_go(payment_id=payment.pk, acting=SYSTEM)
    assert alerts(payment) == []


def test_alert__closes_when_the_money_became_credits_after_all():
    ada = buyer()
    payment, _ = waiting(ada)
    refused_by_stripe(payment)
    ada.refresh_from_db()
    members.reinstate(member=ada, reason="cleared", acting=SYSTEM)
    assert mint(payment).fate is Fate.MINT
    assert alerts(payment) == ["resolved"]


def test_alert__of_late_money__closes_when_it_went_back_by_stripes_dashboard():
    ada = buyer()
    payment = pay(ada, "100")
    refund_id = refunded_at_stripe(payment, "30")
    assert mint(payment).fate is Fate.MINT
    refunded_at_stripe(payment, "30", status="failed", refund_id=refund_id)
    members.expel(member=ada, reason="traded", acting=SYSTEM)
    payment_refunds.hold(payment_id=payment.pk, amount=Decimal(30), acting=SYSTEM)
    payment_refunds.let_go(payment_id=payment.pk, acting=SYSTEM)
    assert alerts(payment) == ["open"]
    refunded_at_stripe(payment, "30")
    drain()
    assert (alerts(payment), holds(ada), account("2240")) == (["resolved"], (7, 0), 0)


def test_page__says_refunded_and_not_that_credits_follow():
    member = reader("0")
    purchase = Purchase.objects.create(member=member, amount=10, usd=100, kind="once", key="k", digest="d")
    payment = pay(member, "100", purchase_ref=str(purchase.pk))
    members.suspend(member=Member.objects.get(pk=member.pk), reason="asked", acting=SYSTEM)
    mint(payment)
    refunded_at_stripe(payment, "100")
    drain()
    page = browser(member).get(f"/cloud/purchases/{purchase.pk}/").content.decode()
    assert "credits follow" not in page
    assert "Refunded." in page
