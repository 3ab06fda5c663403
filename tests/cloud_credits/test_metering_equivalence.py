"""A batch and its events one by one are the same thing: the same answers, balances and books (issue 4, must show)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloud_credits.actions import metering, metering_batch, spending
from cloud_credits.errors import EventConflict
from cloud_credits.models import CloudBalance, CloudTransaction, MeteringRefusal, MeteringStage, ResourceUsage, SpendCap
from cloud_credits.policies.metering_batch import BatchForm
from habitat.controls.reports.service_keys import actor_of
from habitat.errors import HabitatError
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud, plain
from tests.cloud_credits.governed import adopt_for, make_stewards
from tests.cloud_credits.ledger import account, broken_proofs
from tests.cloud_credits.metered import make_key
from tests.factories import actor, fund, make_member, system_member

pytestmark = pytest.mark.django_db

UNITS = {"compute": "compute-hours", "transfer": "GB", "ltm": "GB-months", "stm": "gigabyte-hours"}
ACCOUNTS = ("1130", "2220", "4420")
# The last moment of the first card and the first of the second, which came into force ten days ago.
EVE, DAWN = timedelta(microseconds=-1), timedelta(0)


@pytest.fixture
def dawn(house_clock):
    """The midnight since which a second card prices, so that events of one batch have their prices from two."""
    day = datetime.now(tz=UTC).date() - timedelta(days=10)
    adopt_for(house_clock, make_stewards(4), effective_date=day, compute_rate="1.5", transfer_rate="0.12")
    house_clock.back()
    return datetime.combine(day, time.min, tzinfo=UTC)


class People:
    """Somebody short of credits, somebody with just enough, somebody rich, and those who may not spend."""

    def __init__(self, dawn: datetime | None = None) -> None:
        self.dawn = dawn
        self.poor, self.some, self.rich = (make_member(credits=credits) for credits in ("3", "10", "100000"))
        self.held, self.nobody = make_member(credits="50"), make_member(identity=False)
        self.techne = system_member(SystemAccount.TECHNE)
        fund(self.techne, "5")
        self.capped = make_member(credits="9")
        spending.set_limits(member=self.capped, monthly_cap=cloud("1.5"), low_balance=None, acting=actor(self.capped))
        members.suspend(member=self.held, reason="under review", acting=SYSTEM)
        self.key = make_key()
        self.now = datetime.now(tz=UTC)

    def number_of(self, who: str) -> str:
        return str(getattr(self, who).pk) if who != "stranger" else "987654321"

    def body(self, drawn: dict[str, Any]) -> dict[str, Any]:
        who, primitive, ended = drawn["who"], drawn["primitive"], self.now - drawn["ago"]
        if self.dawn is not None and drawn["around"] is not None:
            ended = self.dawn + drawn["around"]
        sent = {
            "eventId": drawn["event"],
            "memberId": self.number_of(who),
            "primitive": primitive,
            "quantity": drawn["quantity"],
            "unit": UNITS[primitive],
            "serviceName": "meter",
            "timestamp": ended.isoformat(),
        }
        if drawn["started"] is not None:
            sent["startTime"] = (ended - drawn["started"]).isoformat()
        return sent | drawn["odd"]


plenty = st.sampled_from(
    ["capped", "capped", "poor", "poor", "some", "some", "rich", "rich", "techne", "held", "nobody", "stranger"]
)
ODD = [
    {}, {}, {}, {}, {}, {}, {}, {},
    {"unit": "hours"}, {"quantity": "x"}, {"quantity": 2}, {"quantity": "+1.50"}, {"quantity": "0"}, {"memberId": None},
    {"primitive": "gpu"}, {"serviceName": "Größe"}, {"startTime": "2099-01-01T00:00:00Z"}, {"extra": {"a": [1]}},
]  # fmt: skip
events = st.fixed_dictionaries(
    {
        "event": st.sampled_from([f"e{number}" for number in range(12)]),
        "who": plenty,
        "primitive": st.sampled_from(["compute", "compute", "transfer", "ltm", "stm"]),
        "quantity": st.sampled_from(["1", "1", "0.5", "2.25", "4", "0.000001", "30"]),
        "ago": st.sampled_from(
            [timedelta(minutes=1)] * 6 + [timedelta(days=36), timedelta(days=-1), timedelta(days=34)]
        ),
        "around": st.sampled_from([None, None, None, EVE, DAWN]),
        "started": st.sampled_from([None, None, timedelta(hours=1), timedelta(hours=-1)]),
        "odd": st.sampled_from(ODD),
    }
)
batches = st.lists(st.lists(events, min_size=1, max_size=14), min_size=1, max_size=3)


def drawn(event: str, who: str, quantity: str = "1", **more: Any) -> dict[str, Any]:
    """An event as it might be drawn."""
    plain_one = {"primitive": "compute", "ago": timedelta(minutes=1), "around": None, "started": None, "odd": {}}
    return {"event": event, "who": who, "quantity": quantity} | plain_one | more


# One of each kind, so that every run sees them all whatever else it draws.
EACH_KIND = [
    [drawn("a", "capped", "4"), drawn("b", "capped", "4"), drawn("c", "poor", "2.25"), drawn("d", "poor", "2.25")],
    [
        drawn("a", "capped", "4"),
        drawn("c", "poor", "0.5"),
        drawn("e", "rich", ago=timedelta(days=36)),
        drawn("f", "rich", ago=timedelta(days=-1)),
        drawn("g", "held"),
        drawn("h", "nobody"),
        drawn("i", "stranger"),
        drawn("j", "rich", odd={"unit": "hours"}),
        drawn("k", "rich", started=timedelta(hours=-1)),
        drawn("l", "some", "30"),
        drawn("l", "rich", "30"),
        drawn("l", "rich", "30"),
        drawn("m", "rich", "2.25", around=EVE),
        drawn("n", "rich", "2.25", around=DAWN),
        drawn("m", "rich", "2.25", around=EVE),
        drawn("n", "rich", "2.25", around=DAWN),
    ],
]


def as_batches(people: People, lists: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for bodies in lists:
        outcome = metering_batch.receive(
            body=json.dumps(bodies).encode(), form=BatchForm.JSON, key_id=people.key.pk, acting=actor_of(people.key)
        )
        told += [json.loads(line) for line in outcome.answers]
    for answer in told:
        answer.pop("meterId", None)
    return told


def one_by_one(people: People, lists: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [_alone(people, body) for bodies in lists for body in bodies]


def _alone(people: People, body: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"eventId": body["eventId"]}
    try:
        outcome = metering.receive(body=body, key_id=people.key.pk, acting=actor_of(people.key))
    except HabitatError as refusal:
        told["status"] = "conflict" if isinstance(refusal, EventConflict) else "rejected"
        told |= {"code": refusal.code, "reason": refusal.sentence}
        return told | ({"field": refusal.field} if refusal.field else {})
    return told | {
        "status": "duplicate" if outcome.replayed else "accepted",
        "cloudCost": plain(outcome.cloud_cost),
        "usdValue": plain(outcome.usd_value),
        "rateCardVersion": outcome.rate_card_version,
        "memberBalanceAfter": plain(outcome.member_balance_after),
    }


def books(people: People) -> dict[str, Any]:
    """All that is left behind, but numbers, times, and how many entries it took."""
    usage = ResourceUsage.objects.order_by("event_id").values_list(
        "event_id", "member_id", "primitive", "quantity", "unit", "rate", "cost", "rate_card_id", "digest",
        "started_at", "metered_at", "transaction__from_sequence", "transaction__from_liquid_after",
        "transaction__description", "transaction__amount", "transaction__acting",
    )  # fmt: skip
    return {
        "balances": list(CloudBalance.objects.order_by("id").values_list("member_id", "liquid", "staked", "version")),
        "usage": [tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row) for row in usage],
        "accounts": {code: account(code) for code in ACCOUNTS},
        "rows": CloudTransaction.objects.count(),
        "refused": sorted(MeteringRefusal.objects.values_list("event_id", "code", "field", "sentence")),
        "staged": MeteringStage.objects.count(),
        "caps": list(SpendCap.objects.order_by("pk").values_list("pk", "month", "spent", "told_for")),
        "broken": broken_proofs(),
    }


class _TakenBack(Exception):
    pass


def trial(people: People, way: Callable[..., list[dict[str, Any]]], lists: Any) -> tuple[Any, Any]:
    """What a way of sending answers and leaves behind; then nothing of it is left."""
    found: list[Any] = []
    try:
        with transaction.atomic():
            found = [way(people, lists), books(people)]
            # What COMMIT would ask.
            connection.check_constraints()
            raise _TakenBack
    except _TakenBack:
        return found[0], found[1]


def test_batches__and_their_events_one_by_one_are_the_same(dawn):
    people = People(dawn)
    seen: dict[str, int] = {}

    @settings(max_examples=150)
    @given(many=batches)
    @example(many=EACH_KIND)
    def holds(many):
        lists = [[people.body(each) for each in batch] for batch in many]
        told, left = trial(people, as_batches, lists)
        expected, alone = trial(people, one_by_one, lists)
        assert told == expected
        assert left == alone
        assert left["broken"] == []
        for answer in told:
            kind = answer.get("code") or f"{answer['status']} v{answer['rateCardVersion']}"
            seen[kind] = seen.get(kind, 0) + 1

    holds()
    assert {
        "accepted v1", "accepted v2", "duplicate v1", "duplicate v2", "event_conflict", "insufficient_balance",
        "event_too_late", "event_in_future", "spend_cap_reached", "member_not_active", "no_cloud_identity",
        "unknown_member", "wrong_unit", "start_after_end",
    } <= seen.keys()  # fmt: skip


def test_order__within_and_between_batches_changes_no_final_balance_unless_somebody_is_short():
    people = People()

    @settings(max_examples=40)
    @given(
        quantities=st.lists(st.sampled_from(["1", "0.25", "7.5", "0.000001"]), min_size=2, max_size=12),
        cut=st.integers(1, 11),
        order=st.randoms(use_true_random=False),
    )
    def holds(quantities, cut, order):
        bodies = [
            people.body(drawn(f"o{number}", "rich", quantity)) for number, quantity in enumerate(quantities)
        ]  # fmt: skip
        _, left = trial(people, as_batches, [bodies])
        order.shuffle(bodies)
        _, shuffled = trial(people, as_batches, [part for part in (bodies[:cut], bodies[cut:]) if part])
        assert left["balances"] == shuffled["balances"]
        assert left["accounts"] == shuffled["accounts"]
        assert [row[:8] for row in left["usage"]] == [row[:8] for row in shuffled["usage"]]

    holds()
    assert CloudBalance.objects.get(member=people.rich).liquid == Decimal(100000)
