"""Disputes: each posting with its numbers, in whatever order it is heard."""

from decimal import Decimal
from itertools import permutations

import pytest

from habitat.members.policies.actors import SYSTEM
from tests.treasury.money_in import books, dispute, minted, movement, received, told
from treasury.actions import payments
from treasury.errors import ForeignSettlement
from treasury.models import Dispute

pytestmark = pytest.mark.django_db

D = Decimal


def test_opened__amount_to_1116_and_the_fee():
    payment = minted("100")
    dispute(payment, "needs_response", movement("-100", "15"))

    assert books() == {"1115": D(-15), "1116": D(100), "5910": D(15), "2240": D(-100)}
    assert told("payment.dispute_opened")[0]["amount"] == "100"


def test_inquiry__moves_nothing():
    payment = received("100")
    dispute(payment, "warning_needs_response")
    row = dispute(payment, "warning_closed")
    assert (row.state, books()) == ("won", {"1115": D(100), "2240": D(-100)})
    assert payments.consume(payment=payment, amount=D(100), acting=SYSTEM).minted == D(100)


def test_won__comes_back_with_or_without_the_fee():
    payment = minted("100")
    taken = movement("-100", "15")
    dispute(payment, "needs_response", taken)
    row = dispute(payment, "won", taken)
    # The word comes first, the money later.
    assert books()["1116"] == D(100)
    row = dispute(payment, "won", taken, movement("100", "-15"))
    assert (row.state, books()) == ("won", {"1115": D(100), "2240": D(-100)})
    assert told("payment.dispute_closed")[0]["outcome"] == "won"
    assert told("payment.refunded") == []


def test_lost_before_the_mint__from_money_held():
    payment = received("100")
    taken = movement("-40", "15")
    dispute(payment, "lost", taken, amount="40")

    assert books() == {"1115": D(45), "5910": D(15), "2240": D(-60)}
    assert [fact["left"] for fact in told("payment.received")] == ["100", "60"]
    assert told("payment.refunded") == []


def test_lost_before_the_mint__whole():
    payment = received("100")
    dispute(payment, "lost", movement("-100", "15"))
    payment.refresh_from_db()
    assert (payment.state, payment.disputed) == ("refunded", D(100))
    assert books() == {"1115": D(-15), "5910": D(15)}


def test_order__never_matters():
    taken, given = movement("-100", "15"), movement("100")
    steps = {
        "created": ("needs_response", taken),
        "updated": ("under_review", taken),
        "closed": ("won", taken),
        "reinstated": ("won", taken, given),
    }
    for order in permutations(steps):
        payment = minted("100")
        before = books()
        for name in order:
            status, *moves = steps[name]
            dispute(payment, status, *moves)
        row = Dispute.objects.get(payment=payment)
        after = books()
        assert row.state == "won", order
        assert after["1115"] - before["1115"] == D(-15), order
        assert after.get("1116", D(0)) == 0, order


def test_another_currency__is_refused_and_nothing_changes():
    payment = minted("100")
    with pytest.raises(ForeignSettlement):
        dispute(payment, "needs_response", movement("-100", "15", currency="eur"))
    assert Dispute.objects.count() == 0
