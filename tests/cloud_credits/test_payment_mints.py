"""Payments become credits once, wait while they may not, and go back when they never can."""

from decimal import Decimal

import pytest

from cloud_credits.actions import payment_mints, payment_refunds, purchases, recurring
from cloud_credits.models import PaymentMint, Purchase
from cloud_credits.policies.purchases import Fate, PurchaseKind
from cloud_credits.reports.payment_mints import late_for
from cloud_credits.workflows import purchases as flow
from habitat.errors import NotAllowed
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.money import plain
from habitat.workflows.models import Execution
from tests.cloud_credits.bought import (
    bought,
    buyer,
    check_backing,
    disputed,
    mint,
    pay,
    refunded_at_stripe,
    resume,
    suspend,
    wish,
)
from tests.cloud_credits.ledger import account, broken_proofs, holds, lines_of, row_counts, told
from tests.factories import actor, make_member
from tests.treasury.money_in import books
from treasury.actions import refunds as treasury_refunds

pytestmark = pytest.mark.django_db


def state(purchase: Purchase) -> str:
    return Purchase.objects.get(pk=purchase.pk).state


def test_payment__becomes_credits_at_the_peg_and_says_how_it_was_paid():
    ada = buyer()
    purchase = wish(ada, "12.345")
    payment = pay(ada, "123.45", purchase_ref=str(purchase.pk))

    minting = mint(payment)

    payment.refresh_from_db()
    assert (minting.fate, payment.state, payment.minted) == (Fate.MINT, "minted", Decimal("123.45"))
    assert holds(ada) == (Decimal("12.345"), 0)
    assert lines_of(minting.mint.transaction) == {("2240", "D", "123.45"), ("2220", "C", "123.45")}
    assert account("2240") == 0
    fact = told("cloud.minted")
    assert (fact["quantity"], fact["amount_paid"], fact["payment_method"]) == ("12.345", "123.45", "card")
    purchase.refresh_from_db()
    assert (purchase.state, purchase.payment_id) == ("minted", payment.pk)
    assert broken_proofs() == []


def test_payment__minted_again__stays_one_mint():
    ada = buyer()
    payment = bought(ada)
    before = row_counts()

    again = mint(payment)

    assert again.mint == PaymentMint.objects.get(payment=payment)
    assert row_counts() == before
    assert holds(ada) == (10, 0)


def test_mint__without_permission__is_refused():
    ada = buyer()
    payment = pay(ada, "100")
    before = row_counts()
    with pytest.raises(NotAllowed):
        payment_mints.mint_for_payment(payment_id=payment.pk, acting=actor(ada))
    assert row_counts() == before


def test_suspended_minting__leaves_the_money_in_2240_and_mints_oldest_first_on_resumption():
    ada, ben = buyer(), buyer()
    suspend()
    wishes = [wish(ada, "1"), wish(ben, "2"), wish(ada, "3")]
    paid = [pay(w.member, plain(w.usd), purchase_ref=str(w.pk)) for w in wishes]

    assert [mint(payment).fate for payment in reversed(paid)] == [Fate.WAIT] * 3

    assert [state(w) for w in wishes] == ["paid"] * 3
    assert account("2240") == -60
    assert told("purchase.waiting")["usd"] == "10"
    assert flow.mint_waiting() == 0
    resume()
    assert flow.mint_waiting() == 3
    order = PaymentMint.objects.order_by("transaction__booked_at").values_list("payment_id", flat=True)
    assert list(order) == [payment.pk for payment in paid]
    assert [state(w) for w in wishes] == ["minted"] * 3
    assert (holds(ada), holds(ben)) == ((4, 0), (2, 0))
    assert broken_proofs() == []


def test_payments_that_go_on_waiting__keep_no_younger_one_from_being_minted(monkeypatch):
    monkeypatch.setattr(flow, "BATCH", 2)
    ada, ben = buyer(), make_member(identity=False)
    for _ in range(5):
        mint(pay(ben, "10"))
    paid = [pay(ada, "20") for _ in range(3)]

    assert flow.mint_waiting() >= 2
    assert flow.mint_waiting() <= 1

    assert PaymentMint.objects.count() == 3
    assert set(PaymentMint.objects.values_list("payment_id", flat=True)) == {payment.pk for payment in paid}


def test_resumption__goes_on_until_nothing_can_be_minted(monkeypatch):
    monkeypatch.setattr(flow, "BATCH", 2)
    woken = []
    monkeypatch.setattr(flow.queue, "wake", woken.append)
    ada = buyer()
    suspend()
    disputed(pay(ada, "20"), "needs_response")
    for _ in range(5):
        mint(pay(ada, "20"))
    assert (flow.drain(), woken) == (0, [])

    resume()

    assert flow.drain() >= 2
    assert woken == [flow.MINTS]


def test_one_payment_that_fails__stops_no_other(monkeypatch):
    ada = buyer()
    first, second = pay(ada, "10"), pay(ada, "20")
    real = payment_mints.mint_for_payment

    def broken(*, payment_id, acting):
        if payment_id == first.pk:
            raise RuntimeError("broken")
        return real(payment_id=payment_id, acting=acting)

    monkeypatch.setattr(payment_mints, "mint_for_payment", broken)
    assert flow.mint_waiting() == 1
    assert holds(ada) == (2, 0)
    second.refresh_from_db()
    assert second.state == "minted"


@pytest.mark.parametrize("verb", ["suspend", "deactivate"])
def test_membership_that_may_come_back__leaves_the_money_waiting(verb):
    ada = buyer()
    purchase = wish(ada)
    getattr(members, verb)(member=ada, reason="asked", acting=SYSTEM)
    payment = pay(ada, "100", purchase_ref=str(purchase.pk))

    assert mint(payment).fate is Fate.WAIT
    assert (state(purchase), holds(ada), account("2240")) == ("paid", (0, 0), -100)
    ada.refresh_from_db()
    members.reinstate(member=ada, reason="cleared", acting=SYSTEM)
    assert flow.mint_waiting() == 1
    assert (state(purchase), holds(ada)) == ("minted", (10, 0))


@pytest.mark.parametrize("verb", ["withdraw", "expel"])
def test_ended_membership__sends_the_payment_back(verb):
    ada = buyer()
    purchase = wish(ada)
    getattr(members, verb)(member=ada, reason="left", acting=SYSTEM)
    payment = pay(ada, "100", purchase_ref=str(purchase.pk))

    assert mint(payment).fate is Fate.REFUND
    assert mint(payment).fate is Fate.REFUND

    execution = Execution.objects.get(saga="payment_refund")
    assert execution.input == {
        "payment_id": payment.pk,
        "reference": payment.reference,
        "amount": "100",
        "why": "the membership has ended",
        "whole": False,
    }
    assert holds(ada) == (0, 0)
    assert state(purchase) == "paid"
    assert broken_proofs() == []


def test_another_amount_than_asked__goes_back():
    ada = buyer()
    purchase = wish(ada, "10")
    payment = pay(ada, "99.99", purchase_ref=str(purchase.pk))
    assert mint(payment).why == "the amount paid is not the amount of the purchase"
    assert (holds(ada), state(purchase)) == ((0, 0), "created")


def test_another_members_purchase__goes_back():
    ada, ben = buyer(), buyer()
    purchase = wish(ada, "10")
    payment = pay(ben, "100", purchase_ref=str(purchase.pk))
    assert mint(payment).why == "the payer is not who began the purchase"
    assert (holds(ada), holds(ben), state(purchase)) == ((0, 0), (0, 0), "created")


def test_problem_that_treasury_found__goes_back():
    payment = pay(None, "100", problem="other_customer")
    assert (mint(payment).fate, mint(payment).why) == (Fate.REFUND, "other customer")


def test_unknown_sender__waits_for_identification():
    payment = pay(None, "100", provider="bank")
    assert mint(payment).fate is Fate.WAIT
    assert not Execution.objects.exists()


def test_wire_of_an_ended_membership__waits_for_the_bank():
    ada = buyer()
    members.expel(member=ada, reason="traded", acting=SYSTEM)
    assert mint(pay(ada, "100", provider="bank")).fate is Fate.REFUND
    assert not Execution.objects.exists()


def test_wire__gets_a_purchase_of_its_own():
    ada = buyer()
    payment = pay(ada, "123.40", provider="bank", method="wire")
    assert mint(payment).why == "wires wait while the reserve is low"
    check_backing()
    assert mint(payment).fate is Fate.MINT
    purchase = Purchase.objects.get(member=ada)
    assert (purchase.amount, purchase.state, purchase.payment_id) == (Decimal("12.34"), "minted", payment.pk)


def test_second_payment_of_one_checkout__is_a_second_purchase():
    ada = buyer()
    purchase = wish(ada, "10")
    for _ in range(2):
        mint(pay(ada, "100", purchase_ref=str(purchase.pk)))
    assert holds(ada) == (20, 0)
    assert Purchase.objects.filter(member=ada, state="minted").count() == 2


def test_no_cloud_identity__waits():
    ada = make_member(identity=False)
    assert mint(pay(ada, "50")).why == "the member has no cloud identity yet"


def test_refunded_in_part_before_the_mint__mints_the_rest():
    ada = buyer()
    purchase = wish(ada, "10")
    payment = pay(ada, "100", purchase_ref=str(purchase.pk))
    refunded_at_stripe(payment, "30")
    assert mint(payment).fate is Fate.MINT
    assert holds(ada) == (7, 0)
    assert account("2240") == 0
    assert broken_proofs() == []


def test_open_dispute__waits_and_a_won_one_mints():
    ada = buyer()
    payment = pay(ada, "100")
    disputed(payment, "needs_response")
    assert mint(payment).fate is Fate.WAIT
    disputed(payment, "won")
    assert mint(payment).fate is Fate.MINT
    assert holds(ada) == (10, 0)


def test_late_payment__wins_over_an_expired_checkout():
    ada = buyer()
    purchase = wish(ada, "10")
    purchases.fail(purchase_id=purchase.pk, problem="declined", acting=SYSTEM)
    assert state(purchase) == "failed"
    mint(pay(ada, "100", purchase_ref=str(purchase.pk)))
    assert (state(purchase), holds(ada)) == ("minted", (10, 0))


def test_money_that_went_back_and_returned__is_minted_and_its_purchase_says_so():
    ada = buyer()
    purchase = wish(ada, "10")
    members.suspend(member=ada, reason="so", acting=SYSTEM)
    payment = pay(ada, "100", purchase_ref=str(purchase.pk))
    mint(payment)
    refunded_at_stripe(payment, "100", refund_id="re_1")
    payment_refunds.note_outcome(payment_id=payment.pk, refund_id="re_1", succeeded=True, acting=SYSTEM)
    assert state(purchase) == "refunded"
    refunded_at_stripe(payment, "100", refund_id="re_1", status="failed")
    members.reinstate(member=ada, reason="so", acting=SYSTEM)
    mint(payment)
    assert (holds(ada), state(purchase)) == ((10, 0), "minted")


def test_first_month__told_before_its_subscription__pays_the_page_that_asked_for_it():
    check_backing()
    ada = buyer()
    purchase = wish(ada, "2", kind=PurchaseKind.RECURRING)
    mint(pay(ada, "20", purchase_ref="sub_9"))
    assert (Purchase.objects.count(), state(purchase)) == (1, "minted")

    recurring.activate(recurring_id=purchase.recurring_id, subscription_id="sub_9", acting=SYSTEM)
    mint(pay(ada, "20", purchase_ref="sub_9"))
    months = Purchase.objects.order_by("pk").values_list("kind", "state", "recurring")
    assert list(months) == [("recurring", "minted", purchase.recurring_id)] * 2


# --- a refund made before the mint that fails after it


def came_back_after_the_mint(ada):
    """30 of 100 USD were refunded at Stripe before the mint; 70 became credits; then the 30 came back."""
    payment = pay(ada, "100")
    refund_id = refunded_at_stripe(payment, "30")
    assert mint(payment).mint.amount == 7
    refunded_at_stripe(payment, "30", status="failed", refund_id=refund_id)
    payment.refresh_from_db()
    assert (payment.minted, payment.late) == (70, 30)
    return payment


def test_came_back_after_the_mint__is_credits_by_a_correction_once():
    ada = buyer()
    payment = came_back_after_the_mint(ada)
    assert mint(payment).fate is Fate.MINT
    assert mint(payment).fate is Fate.MINT
    payment.refresh_from_db()
    assert (holds(ada)[0], payment.minted, payment.late) == (10, 100, 0)
    [given] = late_for(payment)
    assert given.amount == 3
    assert books() == {"1115": 100, "2220": -100}


def test_came_back_after_the_mint__waits_while_minting_is_suspended():
    ada = buyer()
    payment = came_back_after_the_mint(ada)
    suspend()
    assert mint(payment).fate is Fate.WAIT
    assert (holds(ada)[0], books()["2240"]) == (7, -30)
    resume()
    assert flow.mint_waiting() == 1
    assert (holds(ada)[0], books().get("2240")) == (10, None)


def test_came_back_after_the_mint__of_an_ended_membership__goes_back_once():
    ada = buyer()
    payment = came_back_after_the_mint(ada)
    members.expel(member=ada, reason="traded", acting=SYSTEM)
    assert mint(payment).fate is Fate.REFUND
    assert mint(payment).fate is Fate.REFUND
    execution = Execution.objects.get(saga="payment_refund")
    assert execution.input["amount"] == "30"
    payment_refunds.hold(payment_id=payment.pk, amount=Decimal(30), acting=SYSTEM)
    payment_refunds.record_sent(payment_id=payment.pk, refund_id="re_late", amount=Decimal(30), acting=SYSTEM)
    treasury_refunds.settle(refund_id="re_late", acting=SYSTEM)
    payment.refresh_from_db()
    assert (holds(ada)[0], payment.minted, payment.late, payment.refunded) == (7, 70, 0, 30)
    assert books() == {"1115": 70, "2220": -70}
    assert payment.refunds.get(refund_id="re_late").origin == "held"
