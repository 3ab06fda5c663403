"""Rate cards: v1 as data, the price of a moment, and what the database keeps of them (domain §4)."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from cloud_credits.actions import rate_cards
from cloud_credits.errors import NoCardInForce
from cloud_credits.models import RateCard, RateCardHistory
from cloud_credits.policies.governance import RULES, below_floors
from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.rate_cards import (
    EDGES,
    Card,
    CardState,
    Standing,
    in_force,
    may_move,
    standing,
)
from cloud_credits.reports import rate_cards as reports
from tests.cloud_credits.governed import adopt_for, make_stewards, open_vote, steward, terms
from tests.cloud_credits.governed import draft as governed_draft
from tests.cloud_credits.metered import answers, body, make_key, meter, send
from tests.factories import make_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_memory():
    reports.forget()
    yield
    reports.forget()


def card(version: int, effective: date, compute: str = "1") -> Card:
    rates = {name: Decimal("1") for name in ("transfer_rate", "ltm_rate", "stm_rate")}
    return Card(id=version, version=version, effective_date=effective, compute_rate=Decimal(compute), **rates)


JULY = date(2026, 7, 1)


def draft(**fields) -> RateCard:
    """A draft as somebody wrote it, whole but for its notice."""
    chosen = {
        "compute_rate": Decimal("1.2"),
        "transfer_rate": Decimal("0.1"),
        "ltm_rate": Decimal("0.05"),
        "stm_rate": Decimal("0.5"),
        "effective_date": JULY,
        "compute_cost": Decimal("0.05"),
        "transfer_cost": Decimal("0.01"),
        "ltm_cost": Decimal("0.02"),
        "stm_cost": Decimal("0.05"),
        "target_margin": Decimal("90"),
        "reserve_buffer": Decimal("10"),
        "capacity_assumptions": "As it is.",
        "justification": "Compute costs more.",
        "created_by": "system:0",
    } | fields
    return RateCard.objects.create(**chosen)


@pytest.fixture
def adopted(house_clock):
    """Version 2, in force from 2026-07-01: proposed, voted for, settled. The clock runs as before afterwards."""
    card = adopt_for(house_clock, make_stewards(2), effective_date=JULY, compute_rate="1.2")
    house_clock.at(datetime(2026, 11, 1, tzinfo=UTC))
    return card


def refused_by_database(change) -> str:
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        change()
    return str(caught.value)


# --- v1


def test_v1__is_there_as_decided():
    v1 = RateCard.objects.get(version=1)
    assert v1.state == "approved"
    assert (v1.notice_date, v1.effective_date) == (date(2026, 3, 1), date(2026, 4, 1))
    assert (v1.compute_rate, v1.transfer_rate) == (Decimal("1.0"), Decimal("0.1"))
    assert (v1.ltm_rate, v1.stm_rate) == (Decimal("0.05"), Decimal("0.5"))
    assert (v1.compute_cost, v1.transfer_cost) == (Decimal("0.0416"), Decimal("0.01"))
    assert (v1.ltm_cost, v1.stm_cost) == (Decimal("0.023"), Decimal("0.05"))


def test_v1__names_no_provider():
    v1 = RateCard.objects.get(version=1)
    text = f"{v1.justification} {v1.notes} {v1.capacity_assumptions}".lower()
    assert not [name for name in ("aws", "ec2", "s3", "cloudflare", "redis") if name in text]


# --- the price of a moment


@pytest.mark.parametrize(
    ("at", "version"),
    [
        (datetime(2026, 4, 1, 0, 0, 0, tzinfo=UTC), 1),
        (datetime(2026, 6, 30, 23, 59, 59, 999999, tzinfo=UTC), 1),
        (datetime(2026, 7, 1, 0, 0, 0, tzinfo=UTC), 2),
        # the same moments, told in other zones: the UTC day decides
        (datetime(2026, 7, 1, 1, 59, tzinfo=timezone(timedelta(hours=2))), 1),
        (datetime(2026, 6, 30, 20, 0, tzinfo=timezone(timedelta(hours=-4))), 2),
        (datetime(2030, 1, 1, tzinfo=UTC), 2),
    ],
)
def test_card_in_force__changes_at_midnight_utc(at, version, adopted):
    assert reports.card_in_force(at).version == version
    assert reports.card_at(at).version == version


@pytest.mark.parametrize(
    "at", [datetime(2026, 3, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)]
)
def test_card_in_force__none_before_the_first(at):
    with pytest.raises(NoCardInForce) as refusal:
        reports.card_at(at)
    assert refusal.value.field == "timestamp"
    assert refusal.value.code == "no_card_in_force"


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_card_in_force__only_adopted_cards_price(steps, house_clock):
    people = make_stewards(2)
    house_clock.at(datetime(2026, 5, 1, tzinfo=UTC))
    card = governed_draft(people[0], effective_date=JULY)
    if steps:
        card = rate_cards.propose(card_id=card.pk, acting=steward(people[0]))
    if steps == 2:
        house_clock.forward(days=14)
        open_vote(house_clock, card, people[0])
    reports.forget()
    assert reports.card_at(datetime(2026, 8, 1, tzinfo=UTC)).version == 1


def test_card_in_force__a_state_told_late_changes_no_price(adopted):
    august, may = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    before = reports.card_at(august)
    assert rate_cards.follow_dates() == 2
    assert list(RateCard.objects.order_by("version").values_list("state", flat=True)) == ["superseded", "active"]
    reports.forget()
    assert reports.card_at(august) == before
    assert reports.card_at(may).version == 1


def test_usage__is_priced_by_the_card_of_its_day_though_no_worker_ran_since(adopted):
    member, key = make_member(credits="100"), make_key()
    assert RateCard.objects.get(version=2).state == "approved"
    june, october = "2026-06-30T23:59:59Z", "2026-10-31T12:00:00Z"
    alone = meter(member, key, quantity="1", timestamp=october)
    [batched, late] = answers(send(key, *[body(member, quantity="1", timestamp=day) for day in (october, june)]))
    assert (alone.cloud_cost, alone.rate_card_version) == (Decimal("1.2"), 2)
    assert (batched["cloudCost"], batched["rateCardVersion"]) == ("1.2", 2)
    assert late["code"] == "event_too_late"


def test_card_in_force__remembered_rows_are_sorted_by_date_at_each_call(adopted, django_assert_num_queries):
    reports.adopted_cards()
    with django_assert_num_queries(0):
        assert reports.card_at(datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)).version == 1
        assert reports.card_at(datetime(2026, 7, 1, tzinfo=UTC)).version == 2


def test_in_force__takes_the_latest_begun_whatever_the_order():
    cards = [card(3, date(2027, 1, 1)), card(1, date(2026, 4, 1)), card(2, date(2026, 7, 1))]
    assert in_force(cards, datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == cards[2]
    assert in_force(cards, datetime(2026, 3, 31, tzinfo=UTC)) is None


def test_standing__scheduled_in_force_past():
    first, second = card(1, date(2026, 4, 1)), card(2, date(2026, 7, 1))
    june, july = datetime(2026, 6, 30, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert [standing(each, [first, second], june) for each in (first, second)] == [
        Standing.IN_FORCE,
        Standing.SCHEDULED,
    ]
    assert [standing(each, [first, second], july) for each in (first, second)] == [Standing.PAST, Standing.IN_FORCE]


def test_below_floor__names_the_primitives():
    found = below_floors(terms(compute_rate="0.5", ltm_rate="0.04999999"), RULES)
    assert [each.field for each in found] == [f"{Primitive.LTM.value}_rate"]


# --- what the database keeps


def test_states__database_and_policy_know_the_same_edges():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'rate_card_states'")
        known = cursor.fetchone()[0]
    edges = {f"{source.value}>{target.value}" for source, targets in EDGES.items() for target in targets}
    assert set(re.findall(r"[a-z]+>[a-z]+", known)) == edges


@pytest.mark.parametrize("target", [state for state in CardState if not may_move(CardState.DRAFT, state)])
def test_states__a_draft_leaves_by_its_notice_alone(target):
    row = draft()
    if target is not CardState.DRAFT:
        assert "cannot go from draft" in refused_by_database(
            lambda: RateCard.objects.filter(pk=row.pk).update(state=target.value)
        )


def test_states__every_state_has_edges():
    assert set(EDGES) == set(CardState)


@pytest.mark.parametrize("state", [state.value for state in CardState if state is not CardState.DRAFT])
def test_states__no_card_is_born_late(state):
    assert "cannot be born" in refused_by_database(
        lambda: draft(state=state, approved_at=datetime(2026, 6, 1, tzinfo=UTC))
    )


@pytest.mark.parametrize(
    "change",
    [
        {"compute_rate": Decimal("2")},
        {"effective_date": date(2026, 8, 1)},
        {"notice_date": date(2026, 5, 1)},
        {"compute_cost": Decimal("1")},
        {"justification": "Because."},
        {"version": 9},
        {"is_emergency": True},
        {"approved_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
)
def test_frozen__nothing_changes_once_adopted(change, adopted):
    assert "stays as it was proposed" in refused_by_database(
        lambda: RateCard.objects.filter(pk=adopted.pk).update(**change)
    )


def test_frozen__a_draft_may_be_edited():
    row = draft()
    assert RateCard.objects.filter(pk=row.pk).update(compute_rate=Decimal("1.1"), notes="cheaper") == 1


@pytest.mark.parametrize(
    ("field", "rate", "constraint"),
    [
        ("compute_rate", "0.49999999", "rate_card_compute_floor"),
        ("transfer_rate", "0.09999999", "rate_card_transfer_floor"),
        ("ltm_rate", "0.04999999", "rate_card_ltm_floor"),
        ("stm_rate", "0.00999999", "rate_card_stm_floor"),
        ("compute_rate", "0", "rate_card_compute_floor"),
    ],
)
def test_floor__a_rate_below_is_refused(field, rate, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        draft(**{field: Decimal(rate)})


@pytest.mark.parametrize(
    "fields", [{"version": 2}, {"notice_date": date(2026, 6, 1)}, {"proposed_by": "member:1"}, {"content_hash": "0x"}]
)
def test_draft__was_put_before_nobody(fields):
    assert "rate_card_draft_is_bare" in refused_by_database(lambda: draft(**fields))


def test_history__keeps_every_version_and_is_kept():
    row = draft()
    RateCard.objects.filter(pk=row.pk).update(compute_rate=Decimal("1.1"))
    kept = RateCardHistory.objects.filter(pgh_obj=row).order_by("pgh_id").values_list("pgh_label", "compute_rate")
    assert list(kept) == [("insert", Decimal("1.2")), ("update", Decimal("1.1"))]
    assert "denied" in refused_by_database(lambda: RateCardHistory.objects.update(compute_rate=1))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM cloud_credits_ratecard",
        "TRUNCATE cloud_credits_ratecard CASCADE",
        "DELETE FROM cloud_credits_ratecardhistory",
    ],
)
def test_kept__neither_role_deletes(sql, owner_connection, app_connection):
    for role in (owner_connection, app_connection):
        with pytest.raises(psycopg.Error):
            role.execute(sql)
    assert RateCard.objects.count() == 1
