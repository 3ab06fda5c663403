"""Many events at once: each judged alone, answered in its place, and committed together (issue 4, Metering 1)."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from cloud_credits.actions import metering_batch, movements, staging
from cloud_credits.actions.metering import receive as receive_one
from cloud_credits.errors import BatchBusy, BatchEmpty, BatchTooLarge, BatchUnreadable
from cloud_credits.models import CloudBalance, CloudTransaction, MeteringRefusal, MeteringStage, ResourceUsage
from cloud_credits.policies.metering import parse
from cloud_credits.policies.metering_batch import MOST_BYTES, MOST_EVENTS, BatchForm, Due, read, settle
from cloud_credits.policies.primitives import MEASURES, Primitive
from cloud_credits.reports.rate_cards import adopted_cards
from habitat.controls.actions import service_keys
from habitat.controls.reports.service_keys import actor_of
from habitat.errors import HabitatError
from habitat.events.models import Event
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from tests.cloud_credits.ledger import account, broken_proofs, entry_lines, holds
from tests.cloud_credits.metered import answers, body, dec, make_key, meter, refusals, rows, send, statuses
from tests.factories import fund, make_member, system_member
from treasury.models import JournalEntry

pytestmark = pytest.mark.django_db


# --- the main road


def test_batch__is_charged_as_one_and_answered_each():
    alice, bob, key = make_member(credits="100"), make_member(credits="10"), make_key()
    before = rows()
    sent = [
        body(alice, quantity="2.5"),
        body(bob, primitive="transfer", unit="GB", quantity="10"),
        body(alice, primitive="stm", unit="gigabyte-hours", quantity="0.333333"),
    ]
    outcome = send(key, *sent)
    assert (outcome.accepted, outcome.duplicates, outcome.conflicts, outcome.rejected) == (3, 0, 0, 0)
    told = answers(outcome)
    assert [answer["eventId"] for answer in told] == [each["eventId"] for each in sent]
    assert [
        (
            answer["status"],
            answer["cloudCost"],
            answer["usdValue"],
            answer["rateCardVersion"],
            answer["memberBalanceAfter"],
        )
        for answer in told
    ] == [
        ("accepted", "2.5", "25", 1, "97.5"),
        ("accepted", "1", "10", 1, "9"),
        ("accepted", "0.1666665", "1.666665", 1, "97.3333335"),
    ]
    assert (holds(alice), holds(bob)) == ((dec("97.3333335"), 0), (dec("9"), 0))
    grown = {name: count - before[name] for name, count in rows().items() if count != before[name]}
    assert grown == {"CloudTransaction": 3, "JournalEntry": 1, "JournalLine": 2, "Event": 1, "ResourceUsage": 3}
    assert MeteringStage.objects.count() == 0
    assert broken_proofs() == []


def test_batch__writes_each_row_as_record_writes_it():
    member, key = make_member(credits="100"), make_key()
    started = (datetime.now(tz=UTC) - timedelta(hours=3)).isoformat()
    one = body(member, startTime=started)
    many = one | {"eventId": "many"}
    receive_one(body=one, key_id=key.pk, acting=actor_of(key))
    send(key, many)
    first, second = ResourceUsage.objects.order_by("id")
    for name in ("member_id", "primitive", "quantity", "unit", "rate", "cost", "rate_card_id", "service_key_id",
                 "service_name", "started_at", "metered_at", "is_late", "approval_id"):  # fmt: skip
        assert getattr(first, name) == getattr(second, name), name
    assert bytes(first.digest) == bytes(second.digest) == parse(one).digest
    assert first.received_at < second.received_at
    old, new = first.transaction, second.transaction
    for name in ("type", "state", "from_member_id", "to_member_id", "amount", "purpose", "description", "acting",
                 "from_staked_after", "reverses_id"):  # fmt: skip
        assert getattr(old, name) == getattr(new, name), name
    assert (old.reference, new.reference) == (one["eventId"], "many")
    assert (new.from_sequence, new.from_liquid_after) == (old.from_sequence + 1, old.from_liquid_after - dec("2.5"))
    assert second.journal_entry_id == new.journal_entry_id != first.journal_entry_id
    assert entry_lines(second.journal_entry_id) == entry_lines(first.journal_entry_id)


def test_batch__announces_one_fact_with_each_members_range():
    alice, bob, key = make_member(credits="100"), make_member(credits="10"), make_key()
    send(key, body(alice), body(bob, quantity="1"), body(alice, quantity="1"))
    [fact] = Event.objects.filter(name="cloud.redeemed")
    ranges = sorted(fact.payload.pop("ranges"), key=lambda each: each["member_id"])
    last = CloudTransaction.objects.filter(type="redemption").latest("booked_at")
    assert ranges == [
        {"member_id": alice.pk, "first_sequence": 2, "last_sequence": 3, "count": 2, "quantity": "3.5",
         "balance_after": "96.5"},
        {"member_id": bob.pk, "first_sequence": 2, "last_sequence": 2, "count": 1, "quantity": "1",
         "balance_after": "9"},
    ]  # fmt: skip
    assert fact.payload == {
        "transaction_id": None,
        "member_id": None,
        "quantity": "4.5",
        "credit_value": "45",
        "balance_after": None,
        "journal_entry_id": last.journal_entry_id,
        "timestamp": last.booked_at.isoformat(),
        "primitive": None,
        "resource_units": None,
        "unit": None,
        "service_name": None,
        "meter_id": None,
        "metered_at": None,
        "rate_card_version": None,
    }


def test_batch__a_single_redemption_is_a_range_of_one():
    member, key = make_member(credits="100"), make_key()
    meter(member, key)
    fact = Event.objects.get(name="cloud.redeemed")
    assert fact.payload["ranges"] == [
        {"member_id": member.pk, "first_sequence": 2, "last_sequence": 2, "count": 1, "quantity": "2.5",
         "balance_after": "97.5"}
    ]  # fmt: skip


def test_batch__techne_spends_without_revenue():
    techne, bob, key = system_member(SystemAccount.TECHNE), make_member(credits="10"), make_key()
    fund(techne, "20")
    outcome = send(key, body(techne, quantity="5"), body(bob, quantity="2"))
    assert outcome.accepted == 2
    entry = JournalEntry.objects.latest("id")
    assert entry_lines(entry.pk) == {("2220", "D", "70"), ("1130", "C", "50"), ("4420", "C", "20")}
    assert (account("1130"), account("4420")) == (Decimal(150), Decimal(-20))
    assert broken_proofs() == []


def test_batch__only_techne_needs_two_lines():
    techne, key = system_member(SystemAccount.TECHNE), make_key()
    fund(techne, "20")
    send(key, body(techne, quantity="5"))
    assert entry_lines(JournalEntry.objects.latest("id").pk) == {("2220", "D", "50"), ("1130", "C", "50")}


@pytest.mark.parametrize("form", list(BatchForm))
def test_batch__array_and_lines_are_the_same(form):
    member, key = make_member(credits="100"), make_key()
    assert send(key, body(member), body(member), form=form).accepted == 2
    assert holds(member)[0] == dec("95")


def test_batch__members_of_every_status_but_suspended():
    key = make_key()
    gone, left, held = (make_member(credits="10") for _ in range(3))
    members.expel(member=gone, reason="voted", acting=SYSTEM)
    members.deactivate(member=left, reason="moved", acting=SYSTEM)
    members.suspend(member=held, reason="under review", acting=SYSTEM)
    outcome = send(key, body(gone), body(left), body(held))
    assert statuses(outcome) == ["accepted", "accepted", "rejected"]
    assert answers(outcome)[2]["code"] == "member_not_active"
    assert [holds(each)[0] for each in (gone, left, held)] == [dec("7.5"), dec("7.5"), dec("10")]


# --- once


def test_batch__the_same_batch_again_is_all_duplicates():
    member, key = make_member(credits="100"), make_key()
    sent = [body(member) for _ in range(3)]
    first = send(key, *sent)
    fund(member, "50")
    before = rows()
    again = send(key, *sent)
    assert (again.accepted, again.duplicates) == (0, 3)
    assert answers(again) == [answer | {"status": "duplicate"} for answer in answers(first)]
    assert rows() == before


def test_batch__events_known_from_record_and_the_other_way_round():
    member, key = make_member(credits="100"), make_key()
    one, two = body(member), body(member)
    alone = receive_one(body=one, key_id=key.pk, acting=actor_of(key))
    outcome = send(key, one, two)
    assert statuses(outcome) == ["duplicate", "accepted"]
    assert answers(outcome)[0]["meterId"] == str(alone.meter_id)
    assert answers(outcome)[0]["memberBalanceAfter"] == "97.5"
    replay = receive_one(body=two, key_id=key.pk, acting=actor_of(key))
    assert (replay.replayed, replay.member_balance_after) == (True, dec("95"))


def test_batch__other_content_under_a_known_id_is_a_conflict():
    member, key = make_member(credits="100"), make_key()
    first = body(member)
    send(key, first)
    outcome = send(key, first | {"quantity": "2.6"}, body(member))
    assert statuses(outcome) == ["conflict", "accepted"]
    assert answers(outcome)[0] == {
        "eventId": first["eventId"],
        "status": "conflict",
        "code": "event_conflict",
        "field": "eventId",
        "reason": f"The event “{first['eventId']}” was already recorded with other content. "
        "An id names one usage, for ever: if this is another usage, send it under an id of its own.",
    }
    assert (outcome.conflicts, outcome.rejected) == (1, 0)
    assert refusals() == [("event_conflict", "eventId")]


def test_batch__the_first_of_equal_ids_wins():
    alice, bob, key = make_member(credits="100"), make_member(credits="100"), make_key()
    first = body(alice)
    other_spelling = first | {"quantity": "2.500", "unit": "comp-hr"}
    outcome = send(key, first, first, body(bob), first | {"memberId": str(bob.pk)}, other_spelling)
    assert statuses(outcome) == ["accepted", "duplicate", "accepted", "conflict", "duplicate"]
    told = answers(outcome)
    assert told[1] == told[4] == told[0] | {"status": "duplicate"}
    assert (holds(alice)[0], holds(bob)[0]) == (dec("97.5"), dec("97.5"))
    assert broken_proofs() == []


def test_batch__of_equal_ids_the_first_that_can_be_charged_wins():
    poor, rich, key = make_member(credits="1"), make_member(credits="100"), make_key()
    first = body(poor, eventId="same", quantity="5")
    outcome = send(
        key,
        body(rich, eventId="same", quantity="-1"),
        first,
        body(rich, eventId="same", timestamp="2020-01-01T00:00:00Z"),
        body(rich, eventId="same", quantity="3"),
        first,
        body(rich, eventId="same", timestamp="2020-01-01T00:00:00Z"),
    )
    assert [(answer["status"], answer.get("code")) for answer in answers(outcome)] == [
        ("rejected", "quantity_not_positive"),
        ("rejected", "insufficient_balance"),
        ("rejected", "event_too_late"),
        ("accepted", None),
        ("conflict", "event_conflict"),
        ("conflict", "event_conflict"),
    ]
    assert (holds(poor)[0], holds(rich)[0]) == (dec("1"), dec("97"))


def test_batch__another_service_may_use_the_same_ids():
    member, one, two = make_member(credits="100"), make_key("one"), make_key("two")
    sent = [body(member), body(member)]
    assert (send(one, *sent).accepted, send(two, *sent).accepted) == (2, 2)
    assert holds(member)[0] == dec("90")


# --- too little


def test_short__what_fits_is_taken_and_stops_no_later_smaller_one():
    poor, rich, key = make_member("Poor", credits="5"), make_member(credits="100"), make_key()
    asked = ((poor, "3"), (rich, "50"), (poor, "4"), (poor, "1.5"), (rich, "50"), (poor, "0.6"), (poor, "0.5"))
    sent = [body(who, quantity=quantity) for who, quantity in asked]
    outcome = send(key, *sent)
    assert statuses(outcome) == ["accepted", "accepted", "rejected", "accepted", "accepted", "rejected", "accepted"]
    told = answers(outcome)
    assert [told[2][name] for name in ("code", "reason")] == [
        "insufficient_balance",
        "Poor has 2 CLOUD to spend; this needs 4.",
    ]
    assert told[5]["reason"] == "Poor has 0.5 CLOUD to spend; this needs 0.6."
    assert [told[number]["memberBalanceAfter"] for number in (0, 3, 6)] == ["2", "0.5", "0"]
    assert (holds(poor)[0], holds(rich)[0]) == (0, 0)
    assert broken_proofs() == []


def test_short__a_batch_in_which_nothing_fits_writes_nothing_but_the_log():
    poor, key = make_member(credits="1"), make_key()
    before = rows()
    outcome = send(key, body(poor), body(poor))
    assert (outcome.accepted, outcome.rejected) == (0, 2)
    assert rows() == before
    assert MeteringStage.objects.count() == 0
    assert refusals() == [("insufficient_balance", "")] * 2


# --- refusals

REFUSED = [
    ({"unit": "gigabytes"}, "wrong_unit", "unit"),
    ({"unit": "hours"}, "wrong_unit", "unit"),
    ({"primitive": "gpu"}, "unknown_primitive", "primitive"),
    ({"memberId": "999999999"}, "unknown_member", "memberId"),
    ({"memberId": "member-abc"}, "unknown_member", "memberId"),
    ({"memberId": "9" * 30}, "unknown_member", "memberId"),
    ({"quantity": "0"}, "quantity_not_positive", "quantity"),
    ({"quantity": "0.000000"}, "quantity_not_positive", "quantity"),
    ({"quantity": "0.0000001"}, "too_many_decimals", "quantity"),
    ({"quantity": "NaN"}, "amount_not_a_number", "quantity"),
    ({"quantity": "1e3"}, "amount_not_a_number", "quantity"),
    ({"quantity": "1" + "0" * 30}, "amount_too_large", "quantity"),
    ({"quantity": True}, "amount_not_a_number", "quantity"),
    ({"quantity": None}, "missing_field", "quantity"),
    ({"eventId": ""}, "missing_field", "eventId"),
    ({"eventId": "x" * 201}, "event_id_invalid", "eventId"),
    ({"eventId": "a\x00b"}, "event_id_invalid", "eventId"),
    ({"serviceName": "s" * 101}, "service_name_invalid", "serviceName"),
    ({"timestamp": "yesterday"}, "time_invalid", "timestamp"),
    ({"timestamp": "2026-02-30T00:00:00Z"}, "time_invalid", "timestamp"),
    ({"timestamp": "2026-11-21T09:00:00"}, "time_invalid", "timestamp"),
    ({"timestamp": "0001-01-01T00:00:00+23:59"}, "time_invalid", "timestamp"),
    ({"timestamp": None}, "missing_field", "timestamp"),
    ({"startTime": "2030-01-01T00:00:00Z"}, "start_after_end", "startTime"),
    ({"timestamp": "2026-05-01T00:00:00Z"}, "event_too_late", "timestamp"),
    ({"timestamp": "2036-05-01T00:00:00Z"}, "event_in_future", "timestamp"),
    ({"quantity": "99999999999"}, "insufficient_balance", ""),
]


@pytest.mark.parametrize(("change", "code", "field"), REFUSED)
def test_refusal__is_that_of_record_and_stops_nobody_else(change, code, field):
    member, key = make_member(credits="100"), make_key()
    bad = body(member, **change)
    with pytest.raises(HabitatError) as alone:
        receive_one(body=bad, key_id=key.pk, acting=actor_of(key))
    outcome = send(key, body(member, quantity="1"), bad, body(member, quantity="2"))
    assert statuses(outcome) == ["accepted", "rejected", "accepted"]
    told = answers(outcome)[1]
    assert (told["code"], told.get("field") or "") == (code, field)
    assert alone.value.code == code
    if code != "insufficient_balance":
        assert told["reason"] == alone.value.sentence.encode("utf-8", "replace").decode().replace("\x00", "")
    assert holds(member) == (dec("97"), 0)
    assert refusals() == [(code, field)] * 2
    first, second = MeteringRefusal.objects.order_by("id")
    assert (first.event_id, first.event, first.details.keys()) == (second.event_id, second.event, second.details.keys())
    assert broken_proofs() == []


def test_refusal__no_identity_no_credits():
    nobody, key = make_member("Nobody", identity=False), make_key()
    [told] = answers(send(key, body(nobody)))
    assert (told["code"], "field" in told) == ("no_cloud_identity", False)
    assert told["reason"].startswith("Nobody has no cloud identity")


@pytest.mark.parametrize("item", ["5", "null", '"text"', "[1]", '{"quantity": NaN}', "{}", '{"a": 1, "a": 2}'])
def test_refusal__an_item_that_is_no_event(item):
    member, key = make_member(credits="100"), make_key()
    text = f"[{json.dumps(body(member))},{item},{json.dumps(body(member))}]"
    if "NaN" in item:
        with pytest.raises(BatchUnreadable):
            read(text.encode(), BatchForm.JSON)
        text = text.replace("NaN", "-1")
    outcome = metering_batch.receive(body=text.encode(), form=BatchForm.JSON, key_id=key.pk, acting=actor_of(key))
    assert statuses(outcome) == ["accepted", "rejected", "accepted"]


# Half a character, escaped quotes and backslashes around it, and escapes that JSON does not know.
@pytest.mark.parametrize(
    "text",
    [r"\ud800", r"\udc00\ud800", r"a\ud800\"b", r"\\\ud800", r"\"\\\"\ud800\\", r"[\"},{\ud800]", r"\x", r"\u12"],
)
@pytest.mark.parametrize("form", BatchForm)
def test_refusal__an_event_with_half_a_character_is_refused_alone(text, form):
    member, key = make_member(credits="100"), make_key()
    good, more = (json.dumps(body(member)) for _ in range(2))
    bad = json.dumps(body(member, eventId="EVENT", more=["é", {"of": "it"}])).replace("EVENT", text)
    named = json.dumps(body(member, eventId="é", NAME="x")).replace("NAME", text)
    lines = [good, bad, named, more]
    sent = "\n".join(lines) if form is BatchForm.NDJSON else f"[{lines[0]},\n {lines[1]} , {lines[2]},{lines[3]}\t] "
    outcome = metering_batch.receive(body=sent.encode(), form=form, key_id=key.pk, acting=actor_of(key))
    assert statuses(outcome) == ["accepted", "rejected", "rejected", "accepted"]
    assert {told["code"] for told in answers(outcome)[1:3]} <= {"event_id_invalid", "row_unreadable"}
    assert len(refusals()) == 2
    assert holds(member)[0] == dec("95")


@pytest.mark.parametrize("name", ["quantity", "memberId", "startTime", "serviceName"])
def test_refusal__a_name_that_stands_twice(name):
    """Read as the last by one, as the first by another: what the batch cannot read in one way it does not charge."""
    member, key = make_member(credits="100"), make_key()
    text = json.dumps(body(member))
    twice = text.replace("{", f'{{"{name}": "2026-01-01T00:00:00Z", ', 1)
    if name == "startTime":
        twice = twice.replace("{", '{"startTime": "2026-01-02T00:00:00Z", ', 1)
    hidden = twice.replace(f'"{name}"', f'"\\u00{ord(name[0]):02x}{name[1:]}"', 1)
    for bad in (twice, hidden):
        for sent, form in ((f"[{text},{bad}]", BatchForm.JSON), (f"{text}\n{bad}\n", BatchForm.NDJSON)):
            outcome = metering_batch.receive(body=sent.encode(), form=form, key_id=key.pk, acting=actor_of(key))
            assert answers(outcome)[1]["code"] == "row_unreadable"
    assert holds(member)[0] == dec("97.5")


# --- what parse takes, the batch takes


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 2},
        {"quantity": Decimal("2.5")},
        {"quantity": "+2.5"},
        {"quantity": "2.5000000000"},
        {"quantity": " 2.5 "},
        {"quantity": ".5"},
        {"quantity": "2."},
        {"quantity": "007"},
        {"quantity": "000.000001"},
        {"memberId": int},
        {"memberId": " {} "},
        {"primitive": " compute "},
        {"unit": "comp-hr"},
        {"eventId": 12345},
        {"eventId": 'quote"and\\slash,comma'},
        {"eventId": " padded "},
        {"eventId": "\\N"},
        {"eventId": "null"},
        {"serviceName": "Größe — 測定"},
        {"serviceName": "]\\n["},
        {"serviceName": "a,b\"c\\"},
        {"serviceName": "\\."},
        {"timestamp": "%Y-%m-%d 09:00:00+00:00"},
        {"timestamp": "%Y%m%dT090000Z"},
        {"timestamp": "%Y-%m-%dT09:00:00.123456789Z"},
        {"timestamp": "%Y-%m-%dT09:00:00.1Z"},
        {"timestamp": "%Y-%m-%dT09:00:00.000001-07:30"},
        {"timestamp": "garbage", "endTime": "%Y-%m-%dT09:00:00Z"},
        {"timestamp": None, "endTime": "%Y-%m-%dT09:00:00Z"},
        {"startTime": "%Y-%m-%dT05:00:00.5+05:45"},
        {"startTime": ""},
        {"startTime": None},
        {"extra": {"quantity": "9", "deep": [1, 2, {"x": None}]}},
    ],
)  # fmt: skip
def test_spelling__is_read_as_record_reads_it(change):
    member, key = make_member(credits="1000"), make_key()
    recent = datetime.now(tz=UTC).replace(microsecond=0) - timedelta(days=2)
    sent = body(member, timestamp=recent.isoformat())
    for name, value in change.items():
        text = value(member.pk) if value is int else value
        sent[name] = recent.strftime(text).replace("{}", str(member.pk)) if isinstance(text, str) else text
    event = parse(sent)
    text = json.dumps(sent, default=lambda number: f"@{number}@").replace('"@', "").replace('@"', "")
    outcome = metering_batch.receive(
        body=f"[{text}]".encode(), form=BatchForm.JSON, key_id=key.pk, acting=actor_of(key)
    )
    assert statuses(outcome) == ["accepted"], answers(outcome)
    usage = ResourceUsage.objects.get()
    assert bytes(usage.digest) == event.digest
    stored = (usage.event_id, usage.member_id, usage.quantity, usage.service_name, usage.metered_at, usage.started_at)
    assert stored == (
        event.event_id,
        event.member_id,
        event.quantity,
        event.service_name,
        event.ended_at,
        event.started_at,
    )
    assert receive_one(body=sent, key_id=key.pk, acting=actor_of(key)).replayed
    assert answers(outcome)[0]["eventId"] == event.event_id


_moments = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - the zone is drawn apart
    max_value=datetime(2900, 1, 1),  # noqa: DTZ001
    timezones=st.timezones() | st.just(UTC),
)
_quantities = st.integers(1, 10**18 - 1).map(lambda number: Decimal(number).scaleb(-6))


@given(
    primitive=st.sampled_from(["compute", "transfer", "ltm", "stm"]),
    quantity=_quantities,
    service=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() and text.strip() == text),
    ended=_moments,
    length=st.none() | st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)),
    member=st.integers(1, 10**18 - 1),
)
def test_digest__is_the_same_in_the_database_and_in_python(primitive, quantity, service, ended, length, member):
    unit = MEASURES[Primitive(primitive)].unit
    sent = {
        "eventId": "e", "memberId": str(member), "primitive": primitive, "quantity": f"{quantity:f}", "unit": unit,
        "serviceName": service, "endTime": ended.isoformat(),
    }  # fmt: skip
    if length is not None:
        sent["startTime"] = (ended - length).isoformat()
    batch = read(json.dumps([sent]).encode(), BatchForm.JSON)
    stage = staging.stage(batch.csv, cards=[])
    with connection.cursor() as cursor:
        units = ", ".join(f"('{each.value}', '{measure.unit}')" for each, measure in MEASURES.items())
        cursor.execute(
            f"SELECT {staging.DIGEST} FROM cloud_credits_meteringstage s JOIN (VALUES {units}) AS p(primitive, unit)"
            f" ON p.primitive = s.primitive WHERE {staging.STAGED}",
            stage.parameters,
        )
        [(digest,)] = cursor.fetchall()
    assert bytes(digest) == parse(sent).digest


# --- sizes and shapes


def test_size__more_than_ten_thousand_events_are_too_many():
    member = make_member()
    event = json.dumps(body(member)).encode()
    for text, form in (
        (b"[" + b",".join([event] * (MOST_EVENTS + 1)) + b"]", BatchForm.JSON),
        (b"\n".join([event] * (MOST_EVENTS + 1)), BatchForm.NDJSON),
        (b"[" + b",".join([b"1"] * (MOST_EVENTS + 1)) + b"]", BatchForm.JSON),
        (b"[" + b"1," * 500_000 + b"1]", BatchForm.JSON),
        (b"1\n" * (MOST_EVENTS + 1), BatchForm.NDJSON),
        (b"\n" * 500_000, BatchForm.NDJSON),
    ):
        with pytest.raises(BatchTooLarge):
            read(text, form)
    assert len(read(b"[" + b",".join([event] * MOST_EVENTS) + b"]", BatchForm.JSON)) == MOST_EVENTS


@pytest.mark.parametrize("text", [b"[]", b" [ ] ", b"\n\n"])
def test_size__an_empty_batch_is_refused(text):
    with pytest.raises(BatchEmpty):
        read(text, BatchForm.JSON if b"[" in text else BatchForm.NDJSON)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"{}", b"5", b"nonsense", b"[{]", b"\xff\xfe", b"[" * 100_000, b'["\\ud800"', b'["\\ud800\\"]', b"\\"],
)
def test_size__what_is_no_array_is_unreadable(text):
    with pytest.raises(BatchUnreadable):
        read(text, BatchForm.JSON)


def test_size__lines_that_are_not_json_are_refused_alone():
    member, key = make_member(credits="10"), make_key()
    good = json.dumps(body(member)).encode()
    text = b"\n".join([b"{", b"", b"\xff\xfe", good, b"[" * 60_000, b'{"x": Infinity}', b"\xef\xbb\xbf" + good, b"  "])
    outcome = metering_batch.receive(body=text, form=BatchForm.NDJSON, key_id=key.pk, acting=actor_of(key))
    assert statuses(outcome) == ["rejected", "rejected", "accepted", "rejected", "rejected", "duplicate"]


# --- who gets what


def test_settle__each_alone_in_list_order():
    dues = [Due(number, number, f"e{number}", 1, Decimal(cost)) for number, cost in enumerate(("3", "4", "2", "0.1"))]
    done = settle(dues, {1: Decimal(5)})
    assert [due.id for due in done.charged.values()] == [0, 2]
    assert [(short.due.id, short.available) for short in done.short] == [(1, Decimal(2)), (3, Decimal(0))]


# --- the door


def service(*scopes):
    _, secret = service_keys.create(name="meter", scopes=list(scopes), acting=SYSTEM)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_api__answers_200_with_counts_and_answers_in_order():
    member = make_member(credits="5")
    good, bad = body(member), body(member, quantity="9")
    response = service("metering:write").post("/api/metering/batch", [good, bad, good], format="json")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    told = response.json()
    assert {name: told[name] for name in ("accepted", "duplicates", "conflicts", "rejected")} == {
        "accepted": 1, "duplicates": 1, "conflicts": 0, "rejected": 1
    }  # fmt: skip
    assert [answer["status"] for answer in told["answers"]] == ["accepted", "rejected", "duplicate"]


@pytest.mark.parametrize("media", ["application/x-ndjson", "application/ndjson", "application/x-ndjson; charset=utf-8"])
def test_api__takes_lines(media):
    member = make_member(credits="5")
    text = "".join(json.dumps(body(member)) + "\n" for _ in range(2))
    response = service("metering:write").post("/api/metering/batch", data=text, content_type=media)
    assert response.json()["accepted"] == 2


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        (b"[]", 422, "batch_empty"),
        (b"", 422, "batch_empty"),
        (b"{}", 400, "batch_unreadable"),
        (b"nonsense", 400, "batch_unreadable"),
        (b" " * (MOST_BYTES + 1), 413, "batch_too_large"),
    ],
)
def test_api__names_what_is_wrong_with_a_batch(text, status, code):
    response = service("metering:write").post("/api/metering/batch", data=text, content_type="application/json")
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert response.json()["code"] == code


def test_api__other_media_are_not_taken():
    response = service("metering:write").post("/api/metering/batch", data=b"a,b", content_type="text/csv")
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_api__needs_the_scope():
    assert service("read").post("/api/metering/batch", [], format="json").status_code == 403
    assert APIClient().post("/api/metering/batch", [], format="json").status_code == 401


def test_api__is_described(client):
    schema = client.get("/api/schema/?format=json").json()
    call = schema["paths"]["/api/metering/batch"]["post"]
    assert set(call["requestBody"]["content"]) >= {"application/json", "application/x-ndjson"}


# --- locks and plans


def test_lookup__of_known_ids_uses_their_index():
    """However large the batch and whatever the planner thinks of the stage: one probe of the index an event."""
    member, key = make_member(credits="1000"), make_key()
    sent = [body(member, quantity="0.01") for _ in range(300)]
    send(key, *sent)
    batch = read(json.dumps(sent).encode(), BatchForm.JSON)
    stage = staging.stage(batch.csv, cards=adopted_cards())
    parameters = stage.parameters | {
        "key": key.pk, "every": False, "received": datetime.now(tz=UTC), "ahead": timedelta(0), "late": timedelta(1),
        "spellings": metering_batch._SPELLINGS, "redeemers": staging.REDEEMERS,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + staging._SIFT, parameters)
        [[plan]] = cursor.fetchall()
    scans = {(node["Node Type"], node.get("Relation Name")) for node in _nodes(plan[0]["Plan"])}
    assert ("Index Scan", "cloud_credits_resourceusage") in scans
    assert not {scan for scan in scans if scan == ("Seq Scan", "cloud_credits_resourceusage")}


def _nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def test_batch__costs_the_same_number_of_statements_however_large():
    people, key = [make_member(credits="100") for _ in range(5)], make_key()
    counts = []
    for size in (1, 50):
        with CaptureQueriesContext(connection) as captured:
            send(key, *[body(people[number % 5], quantity="0.1") for number in range(size)])
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 18


def test_busy__after_five_tries_nothing_is_written(monkeypatch):
    member, key = make_member(credits="100"), make_key()
    before, tries = rows(), []

    def overtaken(*_args):
        tries.append(1)
        raise metering_batch._ChangedMeanwhile

    monkeypatch.setattr(metering_batch, "_require_paid", overtaken)
    with pytest.raises(BatchBusy):
        send(key, body(member))
    assert (len(tries), rows(), MeteringStage.objects.count()) == (5, before, 0)


def test_busy__as_long_as_its_prices_are_of_cards_adopted_no_more(monkeypatch):
    member, key = make_member(credits="100"), make_key()
    before = rows()
    monkeypatch.setattr(movements, "_ADOPTED", "{}")
    with pytest.raises(BatchBusy):
        send(key, body(member))
    assert rows() == before


def test_stage__the_application_changes_no_row_of_it(app_connection):
    for sql in ("UPDATE cloud_credits_meteringstage SET quantity = 1", "TRUNCATE cloud_credits_meteringstage"):
        with pytest.raises(Exception, match="permission denied"):
            app_connection.execute(sql)


@pytest.mark.parametrize("number", [2**62, 1])
def test_stage__a_row_that_somebody_left_there_is_in_nobodys_batch(number):
    member, victim, key = make_member(credits="100"), make_member(credits="100"), make_key()
    left = {"event_id": "left", "member_id": victim.pk, "primitive": "compute", "quantity": "7", "unit": "comp-hr"}
    MeteringStage.objects.create(id=number, service_name="x", said_at=datetime.now(tz=UTC), **left)
    outcome = send(key, body(member, quantity="1"), body(member, quantity="200"), body(member, quantity="2"))
    assert statuses(outcome) == ["accepted", "rejected", "accepted"]
    assert (holds(member)[0], holds(victim)[0]) == (97, 100)
    assert not ResourceUsage.objects.filter(event_id="left").exists()
    assert MeteringStage.objects.values_list("id", "cost").get() == (number, None)


def test_balance__version_and_last_transaction_stand_at_the_last_row():
    member, key = make_member(credits="100"), make_key()
    send(key, *[body(member, quantity="0.1", eventId=f"z{9 - number}") for number in range(9)])
    balance = CloudBalance.objects.get(member=member)
    history = list(CloudTransaction.objects.filter(from_member=member).order_by("from_sequence"))
    assert [row.reference for row in history] == [f"z{9 - number}" for number in range(9)]
    assert (balance.version, balance.last_transaction_id) == (10, history[-1].pk)
    assert [row.booked_at for row in history] == sorted(row.booked_at for row in history)
