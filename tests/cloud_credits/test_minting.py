"""Credits are made only while minting is on; without new cash only as far as what is owed stays covered."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Event as Signal

import pytest
from django.db import connection, transaction

from cloud_credits.actions import movements
from cloud_credits.actions.burns import burn
from cloud_credits.actions.corrections import correct, reverse
from cloud_credits.actions.grants import grant
from cloud_credits.actions.mints import request_manual_mint
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.transfers import transfer
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from tests.cloud_credits.ledger import account, refused, stored
from tests.factories import actor, fund, hold_dollars, key, make_member, system_member
from treasury.actions.backing import suspend_minting
from treasury.errors import BackingWouldBreak, MintingSuspended
from treasury.models import BankAccount

pytestmark = pytest.mark.django_db


def up(member, amount: str) -> object:
    return correct(to_member=member, amount=cloud(amount), reason="x", idempotency_key=key(), acting=SYSTEM)


def paid_mint(member, amount: str = "1") -> object:
    movement = Movement(type=TransactionType.MINT, amount=Decimal(amount), purpose=Purpose.PAYMENT, to_member=member.pk)
    with transaction.atomic():
        return movements.apply([movement], acting=SYSTEM)


def stop() -> None:
    suspend_minting(reason="audit", acting=SYSTEM)


def asked_mint(member, amount: str = "1"):
    asker = actor(member, "cloud_credits.mint_credits")
    row = request_manual_mint(
        member=member, amount=cloud(amount), reason="x", idempotency_key=key(), acting=asker
    ).transaction
    return row, Approval.objects.latest("id")


def grant_it(approval, second) -> None:
    approvals.grant(approval=approval, reason="seen", acting=actor(second, "cloud_credits.approve_mint"))


def test_without_cash__down_to_exactly_what_is_owed_and_not_a_digit_further():
    ada = make_member()
    hold_dollars("100")
    up(ada, "4")
    refused(BackingWouldBreak, lambda: up(ada, "6.00000001"))
    up(ada, "6")
    error = refused(BackingWouldBreak, lambda: up(ada, "0.00000001"))
    assert error.details == {"held": "100", "required": "100", "more": "0.0000001"}
    assert account("2220") == Decimal(-100)


def test_manual_mint__refused_for_want_of_cover__stays_asked_and_is_granted_later():
    ada, ben = make_member(), make_member()
    hold_dollars("5")
    row, approval = asked_mint(ada, "1")
    refused(BackingWouldBreak, lambda: grant_it(approval, ben))
    assert (stored(row).state, Approval.objects.get(pk=approval.pk).state) == ("pending", "requested")
    hold_dollars("10")
    grant_it(approval, ben)
    assert (stored(row).state, account("2220")) == ("completed", Decimal(-10))


def test_suspended__makes_no_credits_of_any_kind():
    ada, ben = make_member(credits="5"), make_member()
    row, approval = asked_mint(ada)
    stop()
    for attempt in (lambda: paid_mint(ada), lambda: up(ada, "1"), lambda: grant_it(approval, ben)):
        refused(MintingSuspended, attempt)
    assert stored(row).state == "pending"


def test_suspended__what_makes_no_credits_goes_on():
    ada, ben, pool = make_member(credits="20"), make_member(), system_member(SystemAccount.POOL)
    fund(pool, "5")
    used = redeem(member=ada, amount=cloud("2"), idempotency_key=key(), acting=SYSTEM).transaction
    stop()
    transfer(sender=ada, recipient=ben, amount=cloud("1"), idempotency_key=key(), acting=SYSTEM)
    burn(member=ada, amount=cloud("1"), reason="x", idempotency_key=key(), acting=SYSTEM)
    grant(giver=pool, recipient=ben, amount=cloud("1"), reason="x", idempotency_key=key(), acting=SYSTEM)
    correct(from_member=ada, amount=cloud("1"), reason="x", idempotency_key=key(), acting=SYSTEM)
    reverse(original=used, reason="charged by mistake", idempotency_key=key(), acting=SYSTEM)
    assert stored(used).state == "reversed"


def test_paid_for__needs_no_cover_of_its_own():
    ada = make_member()
    hold_dollars("0")
    [applied] = paid_mint(ada, "3")
    assert (applied.to_after.liquid, account("2240")) == (Decimal(3), Decimal(30))


def test_no_balance_ever_read__credits_without_cash_are_refused():
    ada = make_member()
    BankAccount.objects.update(is_backing=False)
    refused(MintingSuspended, lambda: up(ada, "1"))


@pytest.mark.django_db(transaction=True)
def test_suspending__waits_for_a_mint_in_flight_and_stops_the_next():
    ada = make_member()
    minted, let_go = Signal(), Signal()

    def mint() -> None:
        try:
            with transaction.atomic():
                paid_mint(ada)
                minted.set()
                assert let_go.wait(20)
        finally:
            connection.close()

    def suspend() -> None:
        try:
            stop()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(mint)
        assert minted.wait(20)
        second = pool.submit(suspend)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)
        let_go.set()
        first.result(20)
        second.result(20)
    refused(MintingSuspended, lambda: paid_mint(ada))
    assert account("2220") == Decimal(-10)


@pytest.mark.django_db(transaction=True)
def test_two_mints_without_cash__room_for_one__make_one():
    people = [make_member() for _ in range(4)]
    hold_dollars("10")

    def mint(member) -> str:
        try:
            up(member, "1")
        except BackingWouldBreak as refusal:
            return refusal.code
        finally:
            connection.close()
        return "made"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(mint, people))
    assert outcomes == ["backing_would_break"] * 3 + ["made"]
    assert account("2220") == Decimal(-10)
