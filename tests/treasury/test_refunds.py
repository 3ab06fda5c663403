"""Refunds asked for here and refunds made at Stripe, in every order, with exact books after each step."""

from decimal import Decimal

import pytest

from habitat.errors import AmountNotPositive
from habitat.members.policies.actors import SYSTEM
from tests.treasury.money_in import books, dispute, minted, movement, received, told
from treasury import errors
from treasury.actions import payments, refunds
from treasury.models import Refund

pytestmark = pytest.mark.django_db

D = Decimal


def begin(payment, amount):
    return refunds.begin(payment=payment, amount=D(amount), acting=SYSTEM)


def sent(payment, amount, refund_id="re_1"):
    return refunds.record_sent(payment=payment, refund_id=refund_id, amount=D(amount), acting=SYSTEM)


def heard(payment, amount, status, *, ours=False, refund_id="re_1", **more):
    return refunds.observe(
        payment=payment, refund_id=refund_id, amount=D(amount), status=status, is_ours=ours, acting=SYSTEM, **more
    )


def test_unminted__goes_back_whole():
    payment = received("100")
    assert begin(payment, "100").state == "refunding"
    sent(payment, "100")
    assert books() == {"1115": D(100), "2240": D(-100)}

    refunds.settle(refund_id="re_1", acting=SYSTEM)
    refunds.settle(refund_id="re_1", acting=SYSTEM)

    payment.refresh_from_db()
    assert (payment.state, payment.refunded, books()) == ("refunded", D(100), {})
    assert told("payment.refund_settled") == [{"payment_id": str(payment.pk), "refund_id": "re_1", "amount": "100"}]
    assert told("payment.refunded") == []


def test_unminted__no_part_of_it():
    payment = received("100")
    with pytest.raises(errors.RefundTooLarge):
        begin(payment, "99")
    with pytest.raises(AmountNotPositive):
        begin(payment, "0")
    payment.refresh_from_db()
    assert payment.state == "received"


def test_unminted__cannot_be_minted_while_it_goes_back():
    payment = begin(received("100"), "100")
    with pytest.raises(errors.PaymentInWrongState):
        payments.consume(payment=payment, amount=D(100), acting=SYSTEM)


def test_unminted__called_off_when_stripe_refuses():
    payment = begin(received("100"), "100")
    assert refunds.call_off(payment=payment, acting=SYSTEM).state == "received"
    assert refunds.call_off(payment=payment, acting=SYSTEM).state == "received"


def test_unminted__a_refund_that_fails_waits_again():
    payment = begin(received("100"), "100")
    sent(payment, "100")
    refunds.fail(refund_id="re_1", acting=SYSTEM)
    refunds.fail(refund_id="re_1", acting=SYSTEM)

    payment.refresh_from_db()
    assert (payment.state, payment.refunded) == ("received", D(0))
    assert books() == {"1115": D(100), "2240": D(-100)}
    assert len(told("payment.refund_failed")) == 1


def test_unminted__a_refund_that_fails_after_it_had_succeeded():
    payment = begin(received("100"), "100")
    sent(payment, "100")
    refunds.settle(refund_id="re_1", acting=SYSTEM)
    refunds.fail(refund_id="re_1", acting=SYSTEM)

    payment.refresh_from_db()
    assert (payment.state, payment.refunded) == ("received", D(0))
    assert books() == {"1115": D(100), "2240": D(-100)}
    with pytest.raises(errors.RefundInWrongState):
        refunds.settle(refund_id="re_1", acting=SYSTEM)


def test_wire__goes_back_from_the_bank():
    payment = begin(received("100", provider="bank"), "100")
    assert sent(payment, "100", "bank:9").origin == "bank"
    refunds.settle(refund_id="bank:9", acting=SYSTEM)
    assert books() == {}


def test_other_currency__the_difference_is_ours():
    payment = begin(received("100", problem="wrong_currency"), "100")
    sent(payment, "100")
    refunds.settle(refund_id="re_1", taken=D("101.25"), acting=SYSTEM)
    assert books() == {"1115": D("-1.25"), "5930": D("1.25")}


def test_minted__at_most_what_is_left_and_not_on_its_way():
    payment = minted("100")
    begin(payment, "70")
    sent(payment, "70")
    with pytest.raises(errors.RefundTooLarge) as refused:
        begin(payment, "31")
    assert refused.value.details["left"] == "30"
    assert begin(payment, "30").state == "minted"


def test_minted__our_refund_is_not_clawed_back():
    payment = minted("100")
    begin(payment, "70")
    # The webhook comes before the saga wrote down what it sent.
    heard(payment, "70", "succeeded", ours=True)
    sent(payment, "70")
    refunds.settle(refund_id="re_1", acting=SYSTEM)

    payment.refresh_from_db()
    assert (payment.state, payment.refunded) == ("minted", D(70))
    # The burn of 70 (2220 / 2240) is the upper floor's.
    assert books() == {"1115": D(30), "2240": D(-30)}
    assert (told("payment.refunded"), len(told("payment.refund_settled"))) == ([], 1)


def test_minted__no_refund_while_a_dispute_is_open():
    payment = minted("100")
    dispute(payment, "needs_response", movement("-100", "15"))
    with pytest.raises(errors.PaymentContested):
        begin(payment, "10")


def test_sent__same_id_for_something_else_is_refused():
    one, two = minted("100"), minted("100")
    sent(one, "70")
    with pytest.raises(errors.RefundOfOtherPayment):
        sent(two, "70")
    with pytest.raises(errors.RefundOfOtherPayment):
        sent(one, "71")
    assert Refund.objects.count() == 1
    with pytest.raises(errors.RefundUnknown):
        refunds.settle(refund_id="re_none", acting=SYSTEM)


def test_at_stripe__several_parts_are_one_total():
    payment = minted("100")
    for number, amount in enumerate(("20", "30", "50")):
        for _ in range(2):
            heard(payment, amount, "succeeded", refund_id=f"re_{number}")
    assert [fact["refunded"] for fact in told("payment.refunded")] == ["20", "50", "100"]


def test_at_stripe__all_of_an_unminted_payment():
    payment = received("100")
    heard(payment, "100", "succeeded")
    payment.refresh_from_db()
    assert (payment.state, books()) == ("refunded", {})
    # No credits follow it; whoever waits for the payment must know all the same.
    assert [(fact["refunded"], fact["disputed_lost"]) for fact in told("payment.refunded")] == [("0", "0")]
    heard(payment, "100", "failed")
    payment.refresh_from_db()
    assert payment.state == "received"
    assert [fact["left"] for fact in told("payment.received")] == ["100", "100"]


def test_at_stripe__pending_then_failed_frees_the_payment():
    payment = received("100")
    heard(payment, "40", "pending")
    heard(payment, "40", "failed")
    assert [fact["left"] for fact in told("payment.received")] == ["100", "100"]
    assert payments.consume(payment=payment, amount=D(100), acting=SYSTEM).minted == D(100)


@pytest.mark.parametrize("first", ["refund", "dispute"])
def test_beyond_the_payment__is_the_cooperatives_loss(first):
    payment = minted("100")
    taken = movement("-100", "15")

    def lose():
        dispute(payment, "lost", taken)

    def refund():
        heard(payment, "60", "succeeded")

    for step in (refund, lose) if first == "refund" else (lose, refund):
        step()

    last = told("payment.refunded")[-1]
    assert D(last["refunded"]) + D(last["disputed_lost"]) == D(100)
    assert books()["5930"] == D(60)
    # What is taken back from credits, burned or owed, covers the rest exactly.
    wanted = D(last["refunded"]), D(last["disputed_lost"])
    if wanted[0]:
        payments.book_clawback(payment=payment, burned=D(0), owed=wanted[0], cause="refund", acting=SYSTEM)
    payments.book_clawback(payment=payment, burned=D(0), owed=wanted[1], cause="dispute", acting=SYSTEM)
    # 100 came, 60 and 100 and the fee of 15 went.
    assert books() == {"1115": D(-75), "5910": D(15), "5930": D(60), "1310": D(100), "2240": D(-100)}


def test_beyond_before_the_mint__covered_by_what_came_back_is_no_loss_for_one_made_after_it():
    """Y went back wholly beyond the payment; X and Z came back and covered it. One after the mint finds no loss."""
    payment = received("100")
    for refund_id, usd in (("re_x", "60"), ("re_z", "40"), ("re_y", "50")):
        heard(payment, usd, "succeeded", refund_id=refund_id)
    dispute(payment, "lost", movement("-10", "15"), amount="10")
    assert books() == {"1115": D(-75), "5910": D(15), "5930": D(60)}
    heard(payment, "60", "failed", refund_id="re_x")
    heard(payment, "40", "failed", refund_id="re_z")
    payment.refresh_from_db()
    assert (payment.state, payment.left, books()) == ("received", 40, {"1115": D(25), "2240": D(-40), "5910": D(15)})
    payments.consume(payment=payment, amount=D(40), acting=SYSTEM)
    before = books()

    heard(payment, "20", "succeeded", refund_id="re_after")
    heard(payment, "20", "failed", refund_id="re_after")

    assert books() == before
    assert not Refund.objects.exclude(reclaim=0).exclude(refund_id="re_after").exists()
