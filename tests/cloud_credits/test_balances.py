"""A balance at any past moment, against a replay of the rows; and how it went day by day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_credits.actions.corrections import correct, reverse
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.staking import stake
from cloud_credits.actions.transfers import transfer
from cloud_credits.models import CloudTransaction
from cloud_credits.reports.balances import EMPTY, balance_at, balance_of, history, outstanding
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits.ledger import Clock
from tests.factories import fund, key, make_member

pytestmark = pytest.mark.django_db

MOVES = st.lists(
    st.tuples(st.sampled_from(["up", "send", "take", "redeem", "stake", "undo"]), st.integers(1, 9)), max_size=12
)


def replayed(member_id: int, at: datetime) -> tuple[Decimal, Decimal]:
    """Liquid and staked as the rows up to `at` add up, in plain Python."""
    liquid = staked = Decimal(0)
    for row in CloudTransaction.objects.booked().filter(booked_at__lte=at):
        if row.type in {"stake", "unstake"}:
            if row.from_member_id == member_id:
                sign = 1 if row.type == "stake" else -1
                liquid, staked = liquid - sign * row.amount, staked + sign * row.amount
            continue
        liquid += row.amount * ((row.to_member_id == member_id) - (row.from_member_id == member_id))
    return liquid, staked


def act(move: str, amount: int, ada, ben) -> None:
    given = {"amount": cloud(amount), "idempotency_key": key(), "acting": SYSTEM}
    if move == "up":
        correct(to_member=ada, reason="x", **given)
    elif move == "send":
        transfer(sender=ada, recipient=ben, **given)
    elif move == "take":
        transfer(sender=ben, recipient=ada, **given)
    elif move == "redeem":
        redeem(member=ada, **given)
    elif move == "stake":
        stake(member=ada, days=30, **given)
    else:
        last = CloudTransaction.objects.filter(state="completed", type="transfer").order_by("-id").first()
        if last:
            reverse(original=last, reason="x", idempotency_key=key(), acting=SYSTEM)


def test_balance_at__any_moment_is_the_replay_up_to_it():
    ada, ben = make_member(credits="100", is_investor=True), make_member(credits="100")

    @settings(max_examples=20)
    @given(MOVES)
    def check(moves):
        with transaction.atomic():
            for move, amount in moves:
                act(move, amount, ada, ben)
            times = list(CloudTransaction.objects.values_list("booked_at", flat=True))
            tick = timedelta(microseconds=1)
            for at in [moment for time in times for moment in (time - tick, time, time + tick)]:
                for member in (ada, ben):
                    figures = balance_at(member.pk, at)
                    assert (figures.liquid, figures.staked) == replayed(member.pk, at)
            now = balance_of(ada.pk)
            assert (now.liquid, now.staked) == replayed(ada.pk, datetime.now(tz=UTC) + timedelta(days=1))
            assert now == balance_at(ada.pk, now.at)
            transaction.set_rollback(True)

    check()


def test_balance_at__before_anything_happened_is_nothing():
    ada = make_member(credits="5")
    assert balance_at(ada.pk, datetime(2026, 1, 1, tzinfo=UTC)) == EMPTY
    assert balance_of(make_member(identity=False).pk) == EMPTY


def test_figures__carry_dollars_at_the_peg():
    ada = make_member(credits="5.00000001", is_investor=True)
    stake(member=ada, amount=cloud("2"), days=30, idempotency_key=key(), acting=SYSTEM)
    figures = balance_of(ada.pk)
    assert (figures.liquid_usd, figures.staked_usd) == (Decimal("30.0000001"), Decimal(20))
    assert (figures.total, figures.total_usd) == (Decimal("5.00000001"), Decimal("50.0000001"))
    assert outstanding() == Decimal("5.00000001")


def test_history__is_the_balance_at_the_end_of_each_utc_day(superuser_dsn):
    ada = make_member()
    today = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with Clock(superuser_dsn) as clock:
        clock.forward(seconds=(today + timedelta(days=2) - datetime.now(tz=UTC)).total_seconds() - 60)
        fund(ada, "7")  # a minute before midnight, on the second day
        clock.forward(minutes=2)
        fund(ada, "1")  # a minute after, on the third
        clock.forward(days=2)
        redeem(member=ada, amount=cloud("3"), idempotency_key=key(), acting=SYSTEM)  # on the fifth
        days = history(ada.pk, end=datetime.now(tz=UTC), days=5)
    assert [day.day for day in days] == [today + timedelta(days=number) for number in range(5)]
    assert [day.liquid for day in days] == [0, 7, 8, 8, 5]
    assert [day.total for day in days] == [0, 7, 8, 8, 5]
