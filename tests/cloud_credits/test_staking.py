"""Stakes: the curve, what is locked and released, when, and who is settled with first."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from cloud_credits.actions.corrections import reverse
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.staking import stake, unstake
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import (
    InsufficientBalance,
    LockOutOfRange,
    MemberNotActive,
    NotAnInvestor,
    PositionNotActive,
    StakeAboveCap,
    StillLocked,
)
from cloud_credits.models import CloudTransaction, Receivable, StakingPosition
from cloud_credits.policies.staking import share_percent, stakeable
from habitat.controls.actions import settings
from habitat.errors import IdempotencyConflict, NotAllowed
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits.ledger import Clock, account, broken_proofs, commit_checks, holdings, lines_of, refused, told
from tests.factories import actor, key, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def proven():
    yield
    commit_checks()
    assert broken_proofs() == []


def locked(member, amount: str, days: int = 30) -> StakingPosition:
    row = stake(member=member, amount=cloud(amount), days=days, idempotency_key=key(), acting=SYSTEM).transaction
    return StakingPosition.objects.get(stake_transaction=row)


def release(position: StakingPosition, **more):
    return unstake(**({"position": position, "idempotency_key": key(), "acting": SYSTEM} | more))


@pytest.mark.parametrize(
    ("days", "percent"),
    [(30, "0.82"), (31, "0.85"), (90, "2.47"), (180, "4.93"), (364, "9.97"), (365, "10.00")],
)
def test_curve__is_days_over_365_times_ten(days, percent):
    assert share_percent(days) == Decimal(percent)


@pytest.mark.parametrize("days", [29, 366, 0, -30, True])
def test_curve__ends_at_30_and_365_days(days):
    with pytest.raises(LockOutOfRange):
        share_percent(days)


@pytest.mark.parametrize(
    ("liquid", "staked", "cap", "allowed"),
    [
        ("100", "0", "50", "50"),
        ("50", "50", "50", "0"),
        ("10", "90", "50", "0"),
        ("1", "0", "33", "0.33"),
        ("7", "3", "100", "7"),
    ],
)
def test_cap__leaves_so_much_to_stake(liquid, staked, cap, allowed):
    given = {"liquid": Decimal(liquid), "staked": Decimal(staked), "cap_percent": Decimal(cap)}
    assert stakeable(**given) == Decimal(allowed)


def test_stake__locks_credits_without_touching_the_books():
    ada = make_member(credits="50", is_investor=True)
    row = stake(member=ada, amount=cloud("20"), days=90, idempotency_key=key(), acting=actor(ada)).transaction
    position = StakingPosition.objects.get()
    assert holdings(ada) == [("30", "20")]
    assert (row.from_sequence, row.to_sequence, row.journal_entry_id) == (2, 2, None)
    assert (position.share_percent, position.state, position.days) == (Decimal("2.47"), "active", 90)
    assert position.unlock_at - position.staked_at == timedelta(days=90)
    assert position.staked_at == row.booked_at
    payload = told("cloud.staked")
    assert (payload["quantity"], payload["revenue_share_percent"]) == ("20", "2.47")
    assert (payload["balance_after"], payload["staked_after"], payload["position_id"]) == ("30", "20", position.pk)
    assert account("2220") == -500


def test_stake__refusals_leave_nothing():
    ada, ben = make_member(credits="50", is_investor=True), make_member(credits="50")
    ask = partial(stake, member=ada, amount=cloud("20"), days=90, idempotency_key=key(), acting=SYSTEM)
    refused(NotAnInvestor, partial(ask, member=ben))
    refused(NotAllowed, partial(ask, acting=actor(ben)))
    refused(LockOutOfRange, partial(ask, days=29))
    refused(InsufficientBalance, partial(ask, amount=cloud("51")))
    members.suspend(member=ada, reason="test", acting=SYSTEM)
    refused(MemberNotActive, ask)


def test_stake__above_the_cap_says_what_is_allowed():
    ada = make_member(credits="50", is_investor=True)
    settings.change(key="staking.cap_percent", value="40", reason="caution", acting=SYSTEM)
    ask = partial(stake, member=ada, days=90, idempotency_key=key(), acting=SYSTEM)
    assert refused(StakeAboveCap, partial(ask, amount=cloud("20.00000001"))).details["allowed"] == "20"
    ask(amount=cloud("20"))


def test_unstake__before_its_time_is_refused__to_the_second(superuser_dsn):
    ada = make_member(credits="50", is_investor=True)
    position = locked(ada, "20")
    refused(StillLocked, lambda: release(position))
    with Clock(superuser_dsn) as clock:
        clock.forward(days=29, hours=23, minutes=59)
        assert refused(StillLocked, lambda: release(position)).status == 409
        clock.forward(minutes=1, seconds=1)
        row = release(position, acting=actor(ada)).transaction
        position = StakingPosition.objects.get(pk=position.pk)
        assert holdings(ada) == [("50", "0")]
        assert (position.state, position.unstake_transaction_id) == ("unstaked", row.pk)
        assert position.released_at == row.booked_at >= position.unlock_at
        payload = told("cloud.unstaked")
        assert (payload["balance_after"], payload["staked_after"]) == ("50", "0")
        refused(PositionNotActive, lambda: release(position))


@pytest.mark.parametrize("verb", ["suspend", "deactivate", "withdraw", "expel"])
def test_unstake__is_open_to_who_left(verb, superuser_dsn):
    ada = make_member(credits="50", is_investor=True)
    position = locked(ada, "20")
    getattr(members, verb)(member=ada, reason="test", acting=SYSTEM)
    with Clock(superuser_dsn) as clock:
        clock.forward(days=31)
        release(position, acting=actor(ada))
    assert holdings(ada) == [("50", "0")]


def test_unstake__refusals_and_replays(superuser_dsn):
    ada, ben = make_member(credits="50", is_investor=True), make_member()
    first, second = locked(ada, "20"), locked(ada, "10")
    with Clock(superuser_dsn) as clock:
        clock.forward(days=31)
        refused(NotAllowed, lambda: release(first, acting=actor(ben)))
        done = release(first, idempotency_key="k")
        again = release(first, idempotency_key="k")
        assert (done.replayed, again.replayed) == (False, True)
        assert again.transaction.pk == done.transaction.pk
        refused(IdempotencyConflict, lambda: release(second, idempotency_key="k"))
    assert holdings(ada) == [("40", "10")]


def _owing(debtor, amount: str) -> None:
    """The debtor got `amount` more, spent it, and the gift was undone."""
    giver = make_member(credits=amount)
    gift = transfer(sender=giver, recipient=debtor, amount=cloud(amount), idempotency_key=key(), acting=SYSTEM)
    redeem(member=debtor, amount=cloud(amount), idempotency_key=key(), acting=SYSTEM)
    reverse(original=gift.transaction, reason="a mistake", idempotency_key=key(), acting=SYSTEM)


@pytest.mark.parametrize(
    ("debts", "liquid", "settled", "left"),
    [
        (["3"], "17", ["3"], "0"),
        (["3", "5"], "12", ["3", "5"], "0"),
        (["8", "20"], "0", ["8", "12"], "80"),
        (["20", "1"], "0", ["20", "0"], "10"),
    ],
)
def test_unstake__settles_what_is_owed_first__oldest_first(debts, liquid, settled, left, superuser_dsn):
    ada = make_member(credits="20", is_investor=True)
    position = locked(ada, "20")
    for amount in debts:
        _owing(ada, amount)
    with Clock(superuser_dsn) as clock:
        clock.forward(days=31)
        release(position)
    assert holdings(ada) == [(liquid, "0")]
    assert list(Receivable.objects.order_by("id").values_list("settled", flat=True)) == [Decimal(s) for s in settled]
    assert account("1310") == Decimal(left)
    burns = CloudTransaction.objects.filter(type="burn", purpose="receivable").order_by("id")
    paid = [amount for amount in settled if amount != "0"]
    assert [lines_of(row) for row in burns] == [
        {("2220", "D", f"{10 * int(amount)}"), ("1310", "C", f"{10 * int(amount)}")} for amount in paid
    ]
    assert told("cloud.burned")["quantity"] == paid[-1]


def test_unstake__leaves_other_liquid_credits_alone(superuser_dsn):
    """Only the released stake settles: at most its amount, though the member holds more."""
    ada = make_member(credits="5", is_investor=True)
    position = locked(ada, "5")
    _owing(ada, "9")
    transfer(sender=make_member(credits="50"), recipient=ada, amount=cloud("50"), idempotency_key=key(), acting=SYSTEM)
    with Clock(superuser_dsn) as clock:
        clock.forward(days=31)
        release(position)
    assert holdings(ada) == [("50", "0")]
    assert account("1310") == 40
