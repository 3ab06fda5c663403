"""A metered event is priced, redeemed and written down once, or refused and leaves nothing (domain §3, §4)."""

import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from cloud_credits.actions.metering import receive, record, request_late_usage
from cloud_credits.actions.redemptions import redeem
from cloud_credits.errors import (
    EventConflict,
    EventTooLate,
    InsufficientBalance,
    MeteredMemberUnknown,
)
from cloud_credits.models import CloudTransaction, MeteringRefusal, ResourceUsage
from cloud_credits.policies.metering import LATE, parse
from habitat.controls.actions import approvals
from habitat.controls.errors import SecondPersonNeeded
from habitat.controls.reports.service_keys import actor_of
from habitat.errors import HabitatError, NotAllowed, ReasonRequired
from habitat.events.models import Event
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from habitat.statements import rows_of
from tests.cloud_credits.ledger import account, broken_proofs, holds
from tests.cloud_credits.metered import body, event, make_key, meter, refusals, rows
from tests.factories import actor, fund, make_member
from tests.factories import key as unique_key

pytestmark = pytest.mark.django_db

ADMIT = "cloud_credits.admit_late_usage"


# --- the main road


@pytest.mark.parametrize(
    ("primitive", "unit", "quantity", "credits", "dollars"),
    [
        ("compute", "compute-hours", "2.5", "2.5", "25"),
        ("compute", "comp-hr", "0.000001", "0.000001", "0.00001"),
        ("transfer", "gigabytes", "10", "1", "10"),
        ("transfer", "GB", "0.000001", "0.0000001", "0.000001"),
        ("ltm", "gigabyte-months", "3", "0.15", "1.5"),
        ("ltm", "GB-months", "0.000001", "0.00000005", "0.0000005"),
        ("stm", "gigabyte-hours", "4", "2", "20"),
        ("stm", "GB-hr", "0.333333", "0.1666665", "1.666665"),
    ],
)
def test_record__takes_the_price_of_the_card(primitive, unit, quantity, credits, dollars):
    member, key = make_member(credits="100"), make_key()
    outcome = meter(member, key, primitive=primitive, unit=unit, quantity=quantity)
    assert outcome.cloud_cost == Decimal(credits)
    assert outcome.usd_value == Decimal(dollars)
    assert outcome.rate_card_version == 1
    assert outcome.member_balance_after == Decimal(100) - Decimal(credits)
    assert not outcome.replayed
    assert holds(member) == (Decimal(100) - Decimal(credits), 0)


def test_record__writes_usage_redemption_entry_and_event():
    member, key = make_member(credits="100"), make_key()
    before = rows()
    sent = event(member, startTime=(datetime.now(tz=UTC) - timedelta(hours=3)).isoformat())
    outcome = record(event=sent, key_id=key.pk, acting=actor_of(key))
    usage = ResourceUsage.objects.get(pk=outcome.meter_id)
    redemption = CloudTransaction.objects.get(pk=usage.transaction_id)
    assert (usage.member_id, usage.primitive, usage.quantity, usage.unit) == (
        member.pk,
        "compute",
        Decimal("2.5"),
        "compute-hours",
    )
    assert (usage.rate, usage.cost, usage.rate_card.version) == (Decimal(1), Decimal("2.5"), 1)
    assert (usage.service_key, usage.service_name, usage.event_id) == (key, "habitat-api", sent.event_id)
    assert (usage.started_at, usage.metered_at, usage.is_late) == (sent.started_at, sent.ended_at, False)
    assert bytes(usage.digest) == sent.digest
    assert (redemption.type, redemption.state, redemption.amount) == ("redemption", "completed", Decimal("2.5"))
    assert usage.journal_entry_id == redemption.journal_entry_id
    assert account("4420") == Decimal("-25")
    assert account("2220") == Decimal("-975")
    grown = {name: count - before[name] for name, count in rows().items() if count != before[name]}
    assert grown == {
        "CloudTransaction": 1,
        "JournalEntry": 1,
        "JournalLine": 2,
        "Event": 1,
        "ResourceUsage": 1,
    }
    assert broken_proofs() == []


def test_record__announces_what_the_briefs_ask():
    member, key = make_member(credits="100"), make_key()
    sent = event(member)
    outcome = record(event=sent, key_id=key.pk, acting=actor_of(key))
    usage = ResourceUsage.objects.get()
    fact = Event.objects.filter(name="cloud.redeemed").get()
    assert fact.actor == f"service:{key.pk}"
    assert fact.payload == {
        "transaction_id": usage.transaction_id,
        "member_id": member.pk,
        "quantity": "2.5",
        "credit_value": "25",
        "balance_after": "97.5",
        "journal_entry_id": usage.journal_entry_id,
        "timestamp": usage.transaction.booked_at.isoformat(),
        "ranges": [
            {
                "member_id": member.pk,
                "first_sequence": 2,
                "last_sequence": 2,
                "count": 1,
                "quantity": "2.5",
                "balance_after": "97.5",
            }
        ],
        "primitive": "compute",
        "resource_units": "2.5",
        "unit": "compute-hours",
        "service_name": "habitat-api",
        "meter_id": outcome.meter_id,
        "metered_at": sent.ended_at.isoformat(),
        "rate_card_version": 1,
    }


def test_record__the_last_credit_may_be_spent():
    member, key = make_member(credits="2.5"), make_key()
    assert meter(member, key).member_balance_after == 0


@pytest.mark.parametrize("verb", [members.deactivate, members.withdraw, members.expel])
def test_record__all_but_suspended_may_redeem(verb):
    member, key = make_member(credits="10"), make_key()
    verb(member=member, reason="leaves", acting=SYSTEM)
    assert meter(member, key).member_balance_after == Decimal("7.5")


# --- once


def test_record__the_same_event_again_is_a_replay():
    member, key = make_member(credits="100"), make_key()
    sent = event(member)
    first = record(event=sent, key_id=key.pk, acting=actor_of(key))
    fund(member, "50")
    before = rows()
    again = record(event=sent, key_id=key.pk, acting=actor_of(key))
    assert again.replayed
    assert (again.meter_id, again.cloud_cost, again.usd_value) == (first.meter_id, first.cloud_cost, first.usd_value)
    assert again.member_balance_after == first.member_balance_after == Decimal("97.5")
    assert rows() == before


def test_record__a_replay_needs_no_credits_left():
    member, key = make_member(credits="2.5"), make_key()
    sent = event(member)
    record(event=sent, key_id=key.pk, acting=actor_of(key))
    assert record(event=sent, key_id=key.pk, acting=actor_of(key)).replayed


def test_record__the_same_content_in_other_spelling_is_the_same_event():
    member = make_member()
    first = body(member, quantity="2.5", unit="compute-hours", timestamp="2026-11-21T09:00:00Z")
    second = first | {"quantity": "2.500000", "unit": "comp-hr", "timestamp": "2026-11-21T11:00:00+02:00"}
    assert parse(first).digest == parse(second).digest


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": "2.6"},
        {"primitive": "stm", "unit": "gigabyte-hours"},
        {"serviceName": "other"},
        {"timestamp": "2026-11-20T00:00:00Z"},
        {"startTime": "2026-11-20T00:00:00Z"},
    ],
)
def test_record__the_same_id_with_other_content_is_a_conflict(change):
    member, key = make_member(credits="100"), make_key()
    first = body(member)
    receive(body=first, key_id=key.pk, acting=actor_of(key))
    before = rows()
    with pytest.raises(EventConflict) as refusal:
        receive(body=first | change, key_id=key.pk, acting=actor_of(key))
    assert (refusal.value.code, refusal.value.status, refusal.value.field) == ("event_conflict", 409, "eventId")
    assert rows() == before
    assert refusals() == [("event_conflict", "eventId")]


def test_record__another_service_may_use_the_same_id():
    member, first, second = make_member(credits="100"), make_key("one"), make_key("two")
    sent = event(member)
    one = record(event=sent, key_id=first.pk, acting=actor_of(first))
    two = record(event=sent, key_id=second.pk, acting=actor_of(second))
    assert one.meter_id != two.meter_id
    assert two.member_balance_after == Decimal(95)


# --- refusals


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"unit": "gigabytes"}, "wrong_unit", "unit"),
        ({"unit": "hours"}, "wrong_unit", "unit"),
        ({"primitive": "gpu"}, "unknown_primitive", "primitive"),
        ({"memberId": "999999999"}, "unknown_member", "memberId"),
        ({"memberId": "member-abc"}, "unknown_member", "memberId"),
        ({"memberId": "0"}, "unknown_member", "memberId"),
        ({"memberId": "9" * 30}, "unknown_member", "memberId"),
        ({"quantity": "0"}, "quantity_not_positive", "quantity"),
        ({"quantity": "-1"}, "quantity_not_positive", "quantity"),
        ({"quantity": "0.0000001"}, "too_many_decimals", "quantity"),
        ({"quantity": "1.0000001"}, "too_many_decimals", "quantity"),
        ({"quantity": "NaN"}, "amount_not_a_number", "quantity"),
        ({"quantity": "Infinity"}, "amount_not_a_number", "quantity"),
        ({"quantity": "1e30"}, "amount_not_a_number", "quantity"),
        ({"quantity": "1" + "0" * 30}, "amount_too_large", "quantity"),
        ({"quantity": 2.5}, "amount_not_a_number", "quantity"),
        ({"quantity": True}, "amount_not_a_number", "quantity"),
        ({"quantity": ""}, "missing_field", "quantity"),
        ({"quantity": None}, "missing_field", "quantity"),
        ({"eventId": ""}, "missing_field", "eventId"),
        ({"eventId": "x" * 201}, "event_id_invalid", "eventId"),
        ({"eventId": "a\x00b"}, "event_id_invalid", "eventId"),
        ({"serviceName": "s" * 101}, "service_name_invalid", "serviceName"),
        ({"timestamp": "yesterday"}, "time_invalid", "timestamp"),
        ({"timestamp": "2026-11-21T09:00:00"}, "time_invalid", "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+23:59"}, "time_invalid", "timestamp"),
        ({"timestamp": None}, "missing_field", "timestamp"),
        ({"startTime": "2030-01-01T00:00:00Z"}, "start_after_end", "startTime"),
        ({"quantity": "99999999999"}, "insufficient_balance", ""),
    ],
)
def test_refusal__names_code_and_field_and_leaves_no_row(change, code, field):
    member, key = make_member(credits="100"), make_key()
    before = rows()
    with pytest.raises(HabitatError) as refusal:
        receive(body=body(member, **change), key_id=key.pk, acting=actor_of(key))
    assert (refusal.value.code, refusal.value.field or "") == (code, field)
    assert refusal.value.status == (402 if code == "insufficient_balance" else 422)
    assert rows() == before
    assert holds(member) == (Decimal(100), 0)
    assert refusals() == [(code, field)]


def test_refusal__is_logged_with_its_sentence_and_numbers():
    member, key = make_member(credits="1"), make_key()
    sent = body(member)
    with pytest.raises(InsufficientBalance):
        receive(body=sent, key_id=key.pk, acting=actor_of(key))
    logged = MeteringRefusal.objects.get()
    assert logged.service_key == key
    assert logged.event_id == sent["eventId"]
    assert logged.sentence == f"{member.display_name} has 1 CLOUD to spend; this needs 2.5."
    assert logged.event["quantity"] == "2.5"


def test_refusal__the_event_may_be_sent_again():
    member, key = make_member(credits="1"), make_key()
    sent = body(member)
    with pytest.raises(InsufficientBalance):
        receive(body=sent, key_id=key.pk, acting=actor_of(key))
    fund(member, "1.5")
    outcome = receive(body=sent, key_id=key.pk, acting=actor_of(key))
    assert (outcome.replayed, outcome.member_balance_after) == (False, 0)
    assert broken_proofs() == []


def test_refusal__suspended_members_redeem_nothing():
    member, key = make_member(credits="100"), make_key()
    members.suspend(member=member, reason="under review", acting=SYSTEM)
    before = rows()
    with pytest.raises(HabitatError) as refusal:
        meter(member, key)
    assert (refusal.value.code, refusal.value.field) == ("member_not_active", "memberId")
    assert rows() == before


def test_refusal__a_member_without_a_cloud_identity_holds_nothing():
    member, key = make_member(identity=False), make_key()
    with pytest.raises(HabitatError) as refusal:
        meter(member, key)
    assert refusal.value.code == "no_cloud_identity"


def test_refusal__unknown_member_is_a_422_here():
    key = make_key()
    member = make_member()
    with pytest.raises(MeteredMemberUnknown) as refusal:
        receive(body=body(member, memberId="123456789"), key_id=key.pk, acting=actor_of(key))
    assert refusal.value.status == 422


# --- time


@pytest.mark.parametrize(
    ("ahead", "right"), [(timedelta(minutes=4, seconds=50), True), (timedelta(minutes=5, seconds=10), False)]
)
def test_time__a_clock_may_run_five_minutes_ahead(ahead, right):
    member, key = make_member(credits="100"), make_key()
    sent = body(member, timestamp=(datetime.now(tz=UTC) + ahead).isoformat())
    if right:
        assert not receive(body=sent, key_id=key.pk, acting=actor_of(key)).replayed
        return
    with pytest.raises(HabitatError) as refusal:
        receive(body=sent, key_id=key.pk, acting=actor_of(key))
    assert (refusal.value.code, refusal.value.field) == ("event_in_future", "timestamp")
    assert ResourceUsage.objects.count() == 0


@pytest.mark.parametrize(("short_by", "right"), [(timedelta(minutes=1), True), (timedelta(minutes=-1), False)])
def test_time__late_by_more_than_35_days_is_refused(short_by, right):
    member, key = make_member(credits="100"), make_key()
    sent = body(member, timestamp=(datetime.now(tz=UTC) - LATE + short_by).isoformat())
    if right:
        receive(body=sent, key_id=key.pk, acting=actor_of(key))
        assert not ResourceUsage.objects.get().is_late
        return
    with pytest.raises(EventTooLate) as refusal:
        receive(body=sent, key_id=key.pk, acting=actor_of(key))
    assert (refusal.value.code, refusal.value.field) == ("event_too_late", "timestamp")
    assert ResourceUsage.objects.count() == 0


def test_late__two_people_let_it_in_at_its_own_price():
    member, key = make_member(credits="100"), make_key()
    olga, ben = actor(make_member(), ADMIT), actor(make_member(), ADMIT)
    sent = event(member, timestamp="2026-05-01T12:00:00Z")
    asked = request_late_usage(event=sent, key_id=key.pk, reason="the meter was offline", acting=olga)
    assert ResourceUsage.objects.count() == 0
    with pytest.raises(SecondPersonNeeded):
        approvals.grant(approval=asked, reason="my own", acting=olga)
    approvals.grant(approval=asked, reason="seen in the logs", acting=ben)
    usage = ResourceUsage.objects.get()
    assert (usage.is_late, usage.approval_id, usage.cost) == (True, asked.pk, Decimal("2.5"))
    assert usage.metered_at == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert record(event=sent, key_id=key.pk, acting=actor_of(key)).replayed
    assert broken_proofs() == []


@pytest.mark.django_db(transaction=True)
def test_late__let_in_twice_at_once_counts_once():
    """The same event was asked for twice, and both requests are granted at the same time."""
    member, key = make_member(credits="100"), make_key()
    olga, ben = actor(make_member(), ADMIT), actor(make_member(), ADMIT)
    sent = event(member, timestamp="2026-05-01T12:00:00Z")
    one, two = (request_late_usage(event=sent, key_id=key.pk, reason="offline", acting=olga) for _ in range(2))
    failed: list[BaseException] = []

    def grant_other():
        try:
            approvals.grant(approval=two, reason="seen", acting=ben)
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    other = threading.Thread(target=grant_other)
    with transaction.atomic():
        approvals.grant(approval=one, reason="seen", acting=ben)
        other.start()
        for _ in range(200):
            if rows_of("SELECT count(*) FROM pg_locks WHERE NOT granted", [])[0][0]:
                break
            time.sleep(0.05)
    other.join(timeout=30)
    assert failed == []
    two.refresh_from_db()
    assert (two.state, ResourceUsage.objects.get().approval_id) == ("granted", one.pk)
    assert holds(member)[0] == Decimal("97.5")
    assert broken_proofs() == []


def test_late__before_the_first_card_nobody_can_let_it_in():
    member, key = make_member(credits="100"), make_key()
    olga, ben = actor(make_member(), ADMIT), actor(make_member(), ADMIT)
    sent = event(member, timestamp="2026-03-31T23:59:59.999999Z")
    asked = request_late_usage(event=sent, key_id=key.pk, reason="old tapes", acting=olga)
    before = rows()
    with pytest.raises(HabitatError) as refusal:
        approvals.grant(approval=asked, reason="seen", acting=ben)
    assert (refusal.value.code, refusal.value.field) == ("no_card_in_force", "timestamp")
    asked.refresh_from_db()
    assert (asked.state, rows()) == ("requested", before)


def test_late__needs_the_right_and_a_reason():
    member, key = make_member(), make_key()
    sent = event(member, timestamp="2026-05-01T12:00:00Z")
    with pytest.raises(NotAllowed):
        request_late_usage(event=sent, key_id=key.pk, reason="please", acting=actor(member))
    with pytest.raises(ReasonRequired):
        request_late_usage(event=sent, key_id=key.pk, reason=" ", acting=actor(member, ADMIT))


# --- at once


def at_once(*calls):
    """Runs the calls in threads of their own, all let go together; answers results and errors in order."""
    gate = threading.Barrier(len(calls))
    results: list[object] = [None] * len(calls)

    def run(index, call):
        try:
            gate.wait()
            results[index] = call()
        except HabitatError as refusal:
            results[index] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("credits", ["100", "2.5"])
def test_race__the_same_event_sixteen_times_is_one_effect(credits):
    member, key = make_member(credits=credits), make_key()
    sent = event(member)
    outcomes = at_once(*[lambda: record(event=sent, key_id=key.pk, acting=actor_of(key))] * 16)
    assert [type(outcome).__name__ for outcome in outcomes] == ["MeteringOutcome"] * 16
    assert sorted(outcome.replayed for outcome in outcomes) == [False] + [True] * 15
    assert {outcome.member_balance_after for outcome in outcomes} == {Decimal(credits) - Decimal("2.5")}
    assert ResourceUsage.objects.count() == 1
    assert MeteringRefusal.objects.count() == 0
    assert broken_proofs() == []


@pytest.mark.django_db(transaction=True)
def test_race__one_id_with_sixteen_contents_is_one_effect_and_fifteen_conflicts():
    people, key = [make_member(credits="10") for _ in range(16)], make_key()
    sent = [event(member, eventId="the-one") for member in people]
    outcomes = at_once(*[lambda e=each: record(event=e, key_id=key.pk, acting=actor_of(key)) for each in sent])
    assert sum(isinstance(outcome, EventConflict) for outcome in outcomes) == 15
    assert sorted(holds(member)[0] for member in people) == [Decimal("7.5")] + [Decimal(10)] * 15
    assert broken_proofs() == []


@pytest.mark.django_db(transaction=True)
def test_race__sixteen_events_never_overspend():
    member, key = make_member(credits="25"), make_key()
    sent = [event(member) for _ in range(16)]
    outcomes = at_once(*[lambda e=each: record(event=e, key_id=key.pk, acting=actor_of(key)) for each in sent])
    assert sum(isinstance(outcome, InsufficientBalance) for outcome in outcomes) == 6
    assert holds(member) == (0, 0)
    assert ResourceUsage.objects.count() == 10
    assert MeteringRefusal.objects.count() == 6
    assert broken_proofs() == []


# --- past the verbs


def again(usage: ResourceUsage, **changes) -> ResourceUsage:
    """The usage written once more past the action, with a redemption of its own cost: only `changes` are wrong."""
    fresh = redeem(
        member=usage.member, amount=cloud(usage.cost), idempotency_key=unique_key(), acting=SYSTEM
    ).transaction
    fields = {field.attname: getattr(usage, field.attname) for field in usage._meta.concrete_fields}
    fields |= {"id": None, "event_id": "again", "transaction_id": fresh.pk, "journal_entry_id": fresh.journal_entry_id}
    return ResourceUsage.objects.create(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({"event_id": "original"}, "usage_event_once"),
        ({"quantity": Decimal("0"), "cost": Decimal("0.00000001")}, "usage_quantity_positive"),
        ({"cost": Decimal("2.4")}, "usage_cost_is_quantity_times_rate"),
        ({"quantity": Decimal("2.4")}, "usage_cost_is_quantity_times_rate"),
        ({"unit": "gigabytes"}, "usage_unit_of_primitive"),
        ({"is_late": True}, "usage_late_has_approval"),
        ({"quantity": Decimal("2"), "cost": Decimal("2")}, "no completed redemption"),
        ({"metered_at": datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)}, "usage_old_is_late"),
        ({"primitive": "transfer", "unit": "gigabytes"}, "not priced by the rate card"),
        ({"quantity": Decimal("1.25"), "rate": Decimal("2")}, "not priced by the rate card"),
    ],
)
def test_database__refuses_usage_that_is_not_right(changes, guard):
    member, key = make_member(credits="100"), make_key()
    usage = ResourceUsage.objects.get(pk=meter(member, key, eventId="original").meter_id)
    assert again(usage).pk
    with pytest.raises(DatabaseError, match=guard), transaction.atomic():
        again(usage, **({"event_id": "other"} | changes))


@pytest.mark.parametrize("field", ["member_id", "transaction_id", "journal_entry_id"])
def test_database__refuses_usage_with_somebody_elses_redemption(field):
    member, other, key = make_member(credits="100"), make_member(credits="100"), make_key()
    usage = ResourceUsage.objects.get(pk=meter(member, key).meter_id)
    foreign = redeem(member=other, amount=cloud("2.5"), idempotency_key=unique_key(), acting=SYSTEM).transaction
    theirs = {"member_id": other.pk, "transaction_id": foreign.pk, "journal_entry_id": foreign.journal_entry_id}
    with pytest.raises(DatabaseError, match="no completed redemption"), transaction.atomic():
        again(usage, **{field: theirs[field]})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE cloud_credits_resourceusage SET cost = cost",
        "UPDATE cloud_credits_resourceusage SET cost = cost WHERE false",
        "DELETE FROM cloud_credits_resourceusage",
        "TRUNCATE cloud_credits_resourceusage",
        "UPDATE cloud_credits_meteringrefusal SET code = ''",
        "DELETE FROM cloud_credits_meteringrefusal",
        "TRUNCATE cloud_credits_meteringrefusal",
    ],
)
def test_database__usage_and_refusals_are_insert_only_for_both_roles(sql, owner_connection, app_connection):
    meter(make_member(credits="100"), make_key())
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner_connection.execute(sql)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app_connection.execute(sql)
    assert ResourceUsage.objects.count() == 1


def test_database__usage_names_its_redemption_whole():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE conname = 'usage_is_redeemed'"
        )
        assert cursor.fetchall() == [
            (
                "FOREIGN KEY (transaction_id, movement, member_id, cost, journal_entry_id)"
                " REFERENCES cloud_credits_cloudtransaction(id, type, from_member_id, amount, journal_entry_id)"
                " DEFERRABLE INITIALLY DEFERRED",
                True,
            )
        ]


def test_database__the_ledger_has_five_indexes_on_every_row():
    """One more than four: `transaction_as_charged`, which `usage_is_redeemed` needs (decision 009)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'cloud_credits_cloudtransaction'"
            # Of corrections alone.
            " AND indexname <> 'transaction_reversed_once'"
        )
        assert len(cursor.fetchall()) == 5


def test_database__usage_has_four_indexes():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'cloud_credits_resourceusage'"
            # Of late usage alone, which comes one by one: no batch writes into it.
            " AND indexname <> 'usage_approval_once'"
        )
        assert len(cursor.fetchall()) == 4
