"""Payments are booked once, gross; minted once and whole; what is taken back never exceeds what was told."""

from decimal import Decimal

import pytest

from habitat.errors import AmountNotPositive, IdempotencyConflict, NotAllowed, ReasonRequired
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from tests.factories import make_member
from tests.treasury.money_in import NOON, books, dispute, minted, movement, received, told
from treasury import errors
from treasury.actions import payments, refunds
from treasury.models import JournalEntry, Payment
from treasury.policies.payments import Judged, judge, split
from treasury.policies.stripe import StripeInvoice, StripePayment

pytestmark = pytest.mark.django_db

D = Decimal
OPERATOR = Actor(kind=ActorKind.MEMBER, id=7, name="Ana", permissions=frozenset({"treasury.identify_payment"}))


def test_receive__books_gross_and_announces():
    payment = received("25.50", purchase_ref="12")

    assert books() == {"1115": D("25.5"), "2240": D("-25.5")}
    [fact] = told("payment.received")
    assert (fact["amount"], fact["left"], fact["purchase_ref"]) == ("25.5", "25.5", "12")
    assert (fact["member_id"], fact["mintable"], fact["problem"]) == (str(payment.member_id), True, "")


def test_receive__twice_is_one_payment():
    first = received(reference="pi_1")
    again = received(reference="pi_1", member=first.member)

    assert again.pk == first.pk
    assert (JournalEntry.objects.count(), len(told("payment.received"))) == (1, 1)


def test_receive__another_amount_is_refused():
    first = received("100", reference="pi_1")

    with pytest.raises(IdempotencyConflict):
        received("101", reference="pi_1", member=first.member)

    assert books() == {"1115": D(100), "2240": D(-100)}


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_receive__nothing_is_refused(amount):
    with pytest.raises(AmountNotPositive):
        received(amount)
    assert (Payment.objects.count(), JournalEntry.objects.count()) == (0, 0)


def test_receive__a_wire_stands_on_the_bank():
    received("40", provider="bank", member=None)
    assert books() == {"1110": D(40), "2240": D(-40)}


def test_receive__a_problem_is_told():
    received("10", member=None, problem="unknown_member")
    [fact] = told("payment.received")
    assert (fact["member_id"], fact["mintable"], fact["problem"]) == ("", False, "unknown_member")


def test_identify__gives_a_wire_its_member_and_announces_again():
    payment = received(provider="bank", member=None)
    member = make_member()

    payments.identify(payment=payment, member=member, reason="Her name stands on the line", acting=OPERATOR)

    payment.refresh_from_db()
    assert payment.member_id == member.pk
    assert told("payment.identified")[0]["reason"] == "Her name stands on the line"
    assert [fact["member_id"] for fact in told("payment.received")] == ["", str(member.pk)]
    with pytest.raises(errors.PaymentIdentified):
        payments.identify(payment=payment, member=member, reason="Again", acting=OPERATOR)


def test_identify__needs_right_and_reason():
    payment = received(provider="bank", member=None)
    with pytest.raises(NotAllowed):
        payments.identify(payment=payment, member=make_member(), reason="x", acting=Actor(ActorKind.MEMBER, 9, "Bo"))
    with pytest.raises(ReasonRequired):
        payments.identify(payment=payment, member=make_member(), reason=" ", acting=OPERATOR)
    payment.refresh_from_db()
    assert payment.member_id is None


def test_consume__once_and_whole():
    payment = received("100")
    with pytest.raises(errors.PaymentAmountWrong):
        payments.consume(payment=payment, amount=D(99), acting=SYSTEM)

    payment = payments.consume(payment=payment, amount=D(100), acting=SYSTEM)
    assert (payment.state, payment.minted) == ("minted", D(100))
    with pytest.raises(errors.PaymentInWrongState):
        payments.consume(payment=payment, amount=D(100), acting=SYSTEM)


def test_consume__takes_what_is_left_after_a_refund_at_stripe():
    payment = received("100")
    refunds.observe(payment=payment, refund_id="re_1", amount=D(30), status="succeeded", is_ours=False, acting=SYSTEM)

    assert books() == {"1115": D(70), "2240": D(-70)}
    assert [fact["left"] for fact in told("payment.received")] == ["100", "70"]
    assert told("payment.refunded") == []
    payment = payments.consume(payment=payment, amount=D(70), acting=SYSTEM)
    assert payment.minted == D(70)


def test_consume__waits_while_a_dispute_is_open():
    payment = received("100")
    dispute(payment, "needs_response", movement("-100", "15"))

    with pytest.raises(errors.PaymentContested):
        payments.consume(payment=payment, amount=D(100), acting=SYSTEM)

    dispute(payment, "won", movement("-100", "15"), movement("100"))
    assert [fact["left"] for fact in told("payment.received")] == ["100", "100"]
    assert payments.consume(payment=payment, amount=D(100), acting=SYSTEM).minted == D(100)


def test_consume__waits_while_a_refund_is_on_its_way():
    payment = received("100")
    refunds.observe(payment=payment, refund_id="re_1", amount=D(30), status="pending", is_ours=False, acting=SYSTEM)
    with pytest.raises(errors.PaymentContested):
        payments.consume(payment=payment, amount=D(100), acting=SYSTEM)


@pytest.mark.parametrize("changes", [{"problem": "wrong_currency"}, {"member": None}])
def test_consume__never_what_is_nobodys_or_has_a_problem(changes):
    payment = received("100", **changes)
    with pytest.raises(errors.PaymentNotMintable):
        payments.consume(payment=payment, amount=D(100), acting=SYSTEM)
    payment.refresh_from_db()
    assert (payment.state, payment.minted) == ("received", D(0))


def test_clawback__of_a_refund_made_at_stripe():
    payment = minted("100")
    refunds.observe(payment=payment, refund_id="re_1", amount=D(60), status="succeeded", is_ours=False, acting=SYSTEM)
    [fact] = told("payment.refunded")
    assert (fact["refunded"], fact["disputed_lost"]) == ("60", "0")
    assert books() == {"1115": D(100), "2240": D(-100)}

    payments.book_clawback(payment=payment, burned=D(45), owed=D(15), cause="refund", acting=SYSTEM)

    # The burn of 45 (2220 / 2240) is the upper floor's.
    assert books() == {"1115": D(40), "2240": D(-55), "1310": D(15)}
    with pytest.raises(errors.ClawbackTooLarge):
        payments.book_clawback(payment=payment, burned=D("0.01"), owed=D(0), cause="refund", acting=SYSTEM)


def test_clawback__of_a_lost_dispute_books_only_what_is_owed():
    payment = minted("100")
    taken = movement("-100", "15")
    dispute(payment, "needs_response", taken)
    dispute(payment, "lost", taken)
    [fact] = told("payment.refunded")
    assert (fact["refunded"], fact["disputed_lost"]) == ("0", "100")
    assert books() == {"1115": D(-15), "1116": D(100), "5910": D(15), "2240": D(-100)}

    entry = payments.book_clawback(payment=payment, burned=D(80), owed=D(20), cause="dispute", acting=SYSTEM)

    assert entry is not None
    assert books() == {"1115": D(-15), "1116": D(80), "5910": D(15), "1310": D(20), "2240": D(-100)}


def test_giveback__when_the_refund_fails_later():
    payment = minted("100")
    told_refund = {"payment": payment, "refund_id": "re_1", "amount": D(60), "is_ours": False, "acting": SYSTEM}
    refunds.observe(status="succeeded", **told_refund)
    payments.book_clawback(payment=payment, burned=D(45), owed=D(15), cause="refund", acting=SYSTEM)
    with pytest.raises(errors.ClawbackTooLarge):
        payments.book_giveback(payment=payment, burned=D(45), owed=D(15), acting=SYSTEM)

    refunds.observe(status="failed", **told_refund)

    assert [fact["refunded"] for fact in told("payment.refunded")] == ["60", "0"]
    payments.book_giveback(payment=payment, burned=D(45), owed=D(15), acting=SYSTEM)
    payment.refresh_from_db()
    assert books() == {"1115": D(100), "2240": D(-100)}
    assert (payment.refunded, payment.clawed_back) == (D(0), D(0))


@pytest.mark.parametrize(
    ("amount", "left", "within", "beyond"),
    [("10", "10", "10", "0"), ("10", "4", "4", "6"), ("10", "0", "0", "10"), ("3", "10", "3", "0")],
)
def test_split__what_the_payment_covers(amount, left, within, beyond):
    assert split(D(amount), D(left)) == (D(within), D(beyond))


def a_payment(**changes):
    given = {
        "id": "pi_1", "status": "succeeded", "amount": D(10), "amount_received": D(10), "currency": "usd",
        "customer_id": "cus_1", "customer_member": "5", "method": "card", "created": NOON, "livemode": False,
        "metadata": {"habitat_member_id": "5"},
    }  # fmt: skip
    return StripePayment(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "judged"),
    [
        ({}, Judged("5", "")),
        ({"metadata": {}}, Judged("5", "")),
        ({"customer_id": "", "customer_member": ""}, Judged("5", "")),
        ({"customer_member": "6"}, Judged("", "other_customer")),
        ({"customer_member": ""}, Judged("", "other_customer")),
        ({"customer_member": "", "customer_deleted": True}, Judged("5", "")),
        ({"metadata": {}, "customer_member": "", "customer_deleted": True}, Judged("", "unknown_member")),
        ({"currency": "eur"}, Judged("5", "wrong_currency")),
        ({"metadata": {}, "customer_member": ""}, Judged("", "unknown_member")),
        ({"metadata": {}, "customer_member": "5 OR 1"}, Judged("5 OR 1", "unknown_member")),
    ],
)
def test_judge__whose_it_is_and_what_stands_against_it(changes, judged):
    assert judge(a_payment(**changes)) == judged


def test_judge__a_renewal_has_its_subscriptions_marks():
    invoice = StripeInvoice(
        id="in_1", number="1", status="paid", amount=D(10), currency="usd", customer_id="cus_1",
        subscription_id="sub_1", payment_ids=("pi_1",), page_url="", pdf_url="", created=NOON,
        metadata={"habitat_member_id": "6"},
    )  # fmt: skip
    assert judge(a_payment(metadata={}), invoice) == Judged("", "other_customer")
