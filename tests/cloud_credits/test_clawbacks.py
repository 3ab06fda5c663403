"""Credits taken back for money that went back at Stripe's: one total a charge, in every order, never below zero."""

from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_credits.actions import clawbacks, receivables
from cloud_credits.actions.corrections import reverse
from cloud_credits.actions.staking import stake
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import InsufficientBalance, NothingOwed, NotReversible, SettlesTooMuch
from cloud_credits.models import Clawback, CloudTransaction, Receivable
from cloud_credits.policies.purchases import Charge, clawback_due
from habitat.controls.actions import approvals
from habitat.controls.models import Alert, Approval
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits.bought import bought, buyer, disputed, pay, refunded_at_stripe
from tests.cloud_credits.ledger import account, broken_proofs, holds, refused, row_counts, told
from tests.factories import actor, key, make_member

pytestmark = pytest.mark.django_db


def claw(payment) -> tuple[str, ...]:
    """Total, burned, owed, given back of the payment's clawback, after it was brought up to date."""
    clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)
    row = Clawback.objects.get(payment=payment)
    return tuple(
        f"{figure:f}".rstrip("0").rstrip(".") or "0" for figure in (row.total, row.burned, row.owed, row.given_back)
    )


def spend(member, amount: str) -> None:
    transfer(sender=member, recipient=make_member(), amount=cloud(amount), idempotency_key=key(), acting=actor(member))


def test_refund_at_stripe__burns_what_it_stands_for():
    ada = buyer()
    payment = bought(ada, "10")
    refunded_at_stripe(payment, "40")
    assert claw(payment) == ("4", "4", "0", "0")
    assert claw(payment) == ("4", "4", "0", "0")
    assert holds(ada) == (6, 0)
    assert (account("2240"), account("1115"), account("2220"), account("1310")) == (0, 60, -60, 0)
    assert told("cloud.clawed_back")["burned"] == "4"
    assert broken_proofs() == []


def test_spent_credits__become_a_debt_and_an_alert_and_never_a_negative_balance():
    ada = buyer()
    payment = bought(ada, "10")
    spend(ada, "7")
    refunded_at_stripe(payment, "100")
    assert claw(payment) == ("10", "3", "7", "0")
    assert holds(ada) == (0, 0)
    debt = Receivable.objects.get(member=ada)
    assert (debt.amount, debt.settled) == (7, 0)
    assert (account("2240"), account("1115"), account("2220"), account("1310")) == (0, 0, -70, 70)
    assert Alert.objects.get(code="refund_uncovered").state == "open"
    assert broken_proofs() == []


def test_lost_dispute__burns_against_disputed_funds():
    ada = buyer()
    payment = bought(ada, "10")
    spend(ada, "6")
    disputed(payment, "lost")
    assert claw(payment) == ("10", "4", "6", "0")
    # The opening of the dispute is not booked here: its 100 would stand on the other side of 1116.
    assert (account("1116"), account("1310"), account("2220")) == (-100, 60, -60)
    assert broken_proofs() == []


def test_staked_credits__are_never_burned():
    ada = buyer(is_investor=True)
    payment = bought(ada, "10")
    stake(member=ada, amount=cloud("8"), days=90, idempotency_key=key(), acting=actor(ada))
    refunded_at_stripe(payment, "100")
    assert claw(payment) == ("10", "2", "8", "0")
    assert holds(ada) == (0, 8)
    assert broken_proofs() == []


STEPS = {
    "refund 30": lambda payment: refunded_at_stripe(payment, "30"),
    "refund 20": lambda payment: refunded_at_stripe(payment, "20"),
    "lost 50": lambda payment: disputed(payment, "lost", "50"),
    "spend 9": lambda payment: spend(payment.member, "9"),
}


@pytest.mark.parametrize("order", list(permutations(STEPS)), ids=" / ".join)
def test_every_order__ends_in_the_same_total(order):
    ada = buyer()
    payment = bought(ada, "10")
    fund_left = Decimal(10)
    for name in order:
        if name == "spend 9":
            fund_left = min(Decimal(9), holds(ada)[0])
            if fund_left:
                spend(ada, str(fund_left))
            continue
        STEPS[name](payment)
        claw(payment)
        claw(payment)
    row = Clawback.objects.get(payment=payment)
    assert row.total == 10
    assert row.burned + fund_left + holds(ada)[0] == 10
    assert holds(ada)[0] == 0
    owed = sum(Receivable.objects.values_list("amount", flat=True), Decimal(0))
    assert (row.owed, account("1310"), account("2240")) == (owed, 10 * owed, 0)
    assert broken_proofs() == []


def test_more_than_was_paid__takes_no_more_than_was_minted():
    ada = buyer()
    payment = bought(ada, "10")
    refunded_at_stripe(payment, "80")
    disputed(payment, "lost", "100")
    assert claw(payment) == ("10", "10", "0", "0")
    assert broken_proofs() == []


def test_refund_that_fails_later__gives_the_credits_back():
    ada = buyer()
    payment = bought(ada, "10")
    refund = refunded_at_stripe(payment, "40")
    claw(payment)
    refunded_at_stripe(payment, "40", status="failed", refund_id=refund)
    assert claw(payment) == ("4", "4", "0", "4")
    assert claw(payment) == ("4", "4", "0", "4")
    assert holds(ada) == (10, 0)
    assert (account("2240"), account("1115"), account("2220")) == (0, 100, -100)
    assert broken_proofs() == []


def test_refund_that_fails_later__settles_the_debt_it_made():
    ada = buyer()
    payment = bought(ada, "10")
    spend(ada, "7")
    refund = refunded_at_stripe(payment, "100")
    claw(payment)
    refunded_at_stripe(payment, "100", status="failed", refund_id=refund)
    assert claw(payment) == ("10", "3", "7", "10")
    debt = Receivable.objects.get(member=ada)
    assert (holds(ada), debt.settled) == ((3, 0), 7)
    assert (account("2240"), account("1115"), account("1310"), account("2220")) == (0, 100, 0, -100)
    assert Alert.objects.get(code="refund_uncovered").state == "resolved"
    assert broken_proofs() == []


def test_never_minted_payment__has_no_clawback():
    payment = pay(buyer(), "100")
    refunded_at_stripe(payment, "100")
    before = row_counts()
    assert clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM) is None
    assert row_counts() == before


def test_mint_of_a_payment__is_not_reversed_by_hand():
    ada = buyer()
    bought(ada, "10")
    row = CloudTransaction.objects.get(to_member=ada)
    refusal = refused(
        NotReversible, lambda: reverse(original=row, reason="wrong", idempotency_key=key(), acting=SYSTEM)
    )
    assert "refund the payment instead" in refusal.sentence


# --- what is owed


def debtor(owed: str = "7"):
    ada = buyer()
    payment = bought(ada, "10")
    spend(ada, "10")
    refunded_at_stripe(payment, str(Decimal(owed) * 10))
    claw(payment)
    return ada, Receivable.objects.get(member=ada)


def test_debt__is_settled_from_a_later_purchase():
    ada, debt = debtor("7")
    bought(ada, "10")
    receivables.settle_from_liquid(receivable=debt, amount=cloud("7"), reason="agreed by e-mail", acting=SYSTEM)
    debt.refresh_from_db()
    assert (debt.settled, holds(ada), account("1310")) == (7, (3, 0), 0)
    assert Alert.objects.get(code="refund_uncovered").state == "resolved"
    assert broken_proofs() == []


def test_debt__above_what_is_left_or_what_can_be_spent__is_refused():
    ada, debt = debtor("7")

    def settle(amount: str):
        return lambda: receivables.settle_from_liquid(
            receivable=debt, amount=cloud(amount), reason="agreed", acting=SYSTEM
        )

    refused(SettlesTooMuch, settle("7.5"))
    refused(InsufficientBalance, settle("7"))


def test_write_off__needs_a_second_person_and_posts_the_loss():
    ada, debt = debtor("7")
    asker, second = make_member(), make_member()
    may = "cloud_credits.write_off_receivable"
    receivables.request_write_off(receivable=debt, amount=cloud("7"), reason="cannot pay", acting=actor(asker, may))
    approval = Approval.objects.get(kind=receivables.WRITE_OFF_KIND)
    assert account("1310") == 70
    approvals.grant(approval=approval, reason="seen", acting=actor(second, may))
    debt.refresh_from_db()
    assert (debt.settled, account("1310")) == (7, 0)
    assert Alert.objects.get(code="refund_uncovered").state == "resolved"
    refused(
        NothingOwed,
        lambda: receivables.request_write_off(receivable=debt, amount=cloud("1"), reason="again", acting=SYSTEM),
    )
    assert broken_proofs() == []


# --- the rule itself

amounts = st.decimals(min_value=0, max_value=20, places=3)


@given(minted=amounts, refunded=amounts, lost=amounts, steps=st.lists(st.tuples(amounts, amounts), max_size=5))
def test_clawback_due__converges_whatever_was_heard_before(minted, refunded, lost, steps):
    taken_refunds = taken_disputes = Decimal(0)
    known_lost = Decimal(0)
    for part_refunded, part_lost in [*steps, (refunded, lost)]:
        # A lost dispute stays lost; what refunds add up to may fall when one fails.
        known_lost = max(known_lost, part_lost)
        due = clawback_due(Charge(minted, part_refunded, known_lost, taken_refunds, taken_disputes))
        assert due.give_back == 0 or due.for_refunds == due.for_disputes == 0
        taken_refunds += due.for_refunds - due.give_back - due.shift
        taken_disputes += due.for_disputes + due.shift
        assert taken_refunds >= 0
        assert taken_refunds + taken_disputes <= minted
    assert taken_refunds + taken_disputes == min(minted, refunded + known_lost)
