"""Usage that services leave for later: taken in at once, charged in batches, once whatever dies (brief 129 §3)."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models.signals import post_init
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cloud_credits.actions import metering_batch, metering_queue
from cloud_credits.errors import BatchEmpty
from cloud_credits.models import MeteringStage, MeteringSubmission, ResourceUsage
from cloud_credits.policies.jobs import JOBS
from cloud_credits.policies.metering_batch import BatchForm
from cloud_credits.workflows.metering import drain, watch_queue
from habitat.controls.models import Alert
from habitat.events.models import Event
from habitat.events.workflows import queue
from habitat.members.policies.roles import Role
from habitat.workflows.policies.jobs import Every
from tests.cloud_credits.ledger import broken_proofs, holds
from tests.cloud_credits.metered import body, dec, make_key, rows
from tests.cloud_credits.test_metering_batch import service
from tests.factories import fund, make_member
from tests.members.people import trusted

pytestmark = pytest.mark.django_db


def leave(key, *bodies):
    return metering_queue.submit(body=json.dumps(bodies).encode(), form=BatchForm.JSON, key_id=key.pk)


def stored(submission):
    return MeteringSubmission.objects.get(pk=submission.pk)


def answers(submission):
    return [(answer["eventId"], answer["status"]) for answer in json.loads(stored(submission).answers)]


# --- the main road


def test_submit__charges_nothing_yet():
    member, key = make_member(credits="10"), make_key()
    before = rows()
    left = leave(key, body(member), body(member))
    assert (left.state, left.events, rows()) == ("queued", 2, before)


def test_drain__charges_many_submissions_as_one_batch_and_answers_each():
    alice, bob, key = make_member(credits="10"), make_member(credits="3"), make_key()
    one = leave(key, body(alice, eventId="a"), body(bob, eventId="b", quantity="1"))
    two = leave(key, body(bob, eventId="c", quantity="5"))
    three = leave(key, body(alice, eventId="a", quantity="2.5"), body(bob, eventId="d", quantity="2"))
    assert drain() == 3
    assert answers(one) == [("a", "accepted"), ("b", "accepted")]
    assert answers(two) == [("c", "rejected")]
    assert answers(three)[1] == ("d", "accepted")
    done = stored(three)
    assert (done.state, done.accepted, done.duplicates, done.conflicts, done.rejected) == ("done", 1, 0, 1, 0)
    assert (bytes(done.body), done.done_at >= done.received_at) == (b"", True)
    assert Event.objects.filter(name="cloud.redeemed").count() == 1
    assert (holds(alice)[0], holds(bob)[0]) == (dec("7.5"), 0)
    assert MeteringStage.objects.count() == 0
    assert broken_proofs() == []
    assert drain() == 0


def test_drain__one_service_at_a_time():
    member, first, second = make_member(credits="100"), make_key("one"), make_key("two")
    sent = body(member)
    left = [leave(key, sent) for key in (first, second, first)]
    assert drain() == 3
    assert [answers(each)[0][1] for each in left] == ["accepted", "accepted", "duplicate"]
    assert set(ResourceUsage.objects.values_list("service_key_id", flat=True)) == {first.pk, second.pk}


def test_drain__no_more_than_a_batch_at_a_time(monkeypatch):
    member, key = make_member(credits="100"), make_key()
    monkeypatch.setattr(metering_queue, "MOST_EVENTS", 5)
    for size in (2, 2, 2, 5, 1):
        leave(key, *[body(member, quantity="1") for _ in range(size)])
    turns = []
    while tried := metering_queue.charge_next():
        turns.append(tried)
    assert turns == [2, 1, 1, 1]
    assert holds(member)[0] == 88


@pytest.fixture
def bodies_read():
    """The submissions that were loaded with their body since the test began, by id."""
    read = []

    def loaded(sender, instance, **_):
        if instance.pk and "body" in instance.__dict__:
            read.append(instance.pk)

    post_init.connect(loaded, sender=MeteringSubmission)
    yield read
    post_init.disconnect(loaded, sender=MeteringSubmission)


def test_drain__no_more_than_a_bodys_bytes_at_a_time(monkeypatch, bodies_read):
    member, key = make_member(credits="100"), make_key()
    left = [leave(key, body(member, eventId=f"n{number}", quantity="1")) for number in range(5)]
    size = max(len(stored(each).body) for each in left)
    bodies_read.clear()
    monkeypatch.setattr(metering_queue, "MOST_BYTES", 2 * size)
    assert metering_queue.charge_next() == 2
    assert sorted(bodies_read) == [left[0].pk, left[1].pk]
    assert [metering_queue.charge_next() for _ in range(3)] == [2, 1, 0]
    assert holds(member)[0] == 95


def test_drain__reads_no_body_of_another_service(bodies_read):
    member, first, second = make_member(credits="100"), make_key("one"), make_key("two")
    left = [leave(key, body(member)) for key in (first, second, first)]
    bodies_read.clear()
    assert metering_queue.charge_next() == 2
    assert sorted(bodies_read) == [left[0].pk, left[2].pk]


def test_drain__a_body_larger_than_all_others_together_is_charged_alone(monkeypatch):
    member, key = make_member(credits="100"), make_key()
    monkeypatch.setattr(metering_queue, "MOST_BYTES", 1)
    for _ in range(2):
        leave(key, body(member))
    assert [metering_queue.charge_next() for _ in range(3)] == [1, 1, 0]


def test_queue__is_registered_and_tick_wakes_it():
    assert metering_queue.USAGE in queue.names()
    member, key = make_member(credits="100"), make_key()
    leave(key, body(member))
    assert queue.drain(metering_queue.USAGE) == 1


# --- the clock is that of the receipt


def test_time__early_and_late_are_measured_when_the_house_had_them(house_clock):
    member, key = make_member(credits="100"), make_key()
    edge = house_clock.at(datetime.now(tz=UTC) - timedelta(days=3))
    early = leave(key, body(member, eventId="early", timestamp=(edge + timedelta(minutes=9)).isoformat()))
    late = leave(key, body(member, eventId="late", timestamp=(edge - timedelta(days=34)).isoformat()))
    gone = leave(key, body(member, eventId="gone", timestamp=(edge - timedelta(days=36)).isoformat()))
    house_clock.back()
    leave(key, body(member, eventId="today"))
    drain()
    told = {each["eventId"]: each.get("code") or each["status"] for one in MeteringSubmission.objects.all()
            for each in json.loads(one.answers)}  # fmt: skip
    assert told == {"early": "event_in_future", "late": "accepted", "gone": "event_too_late", "today": "accepted"}
    usage = ResourceUsage.objects.get(event_id="late")
    assert (usage.received_at, usage.is_late) == (stored(late).received_at, False)
    assert stored(early).rejected == stored(gone).rejected == 1


@pytest.fixture
def settled(monkeypatch):
    """A closed vote waits to be settled: whether each settlement began inside a transaction."""
    inside = []
    monkeypatch.setattr("cloud_credits.reports.rate_cards.vote_waits", lambda: not inside)
    monkeypatch.setattr(
        "cloud_credits.actions.rate_cards.settle_due", lambda: inside.append(connection.in_atomic_block)
    )
    return inside


@pytest.mark.django_db(transaction=True)
def test_votes__are_settled_before_the_batchs_own_transaction(settled):
    member, key = make_member(credits="100"), make_key()
    left = leave(key, body(member))
    assert metering_queue.charge_next() == 1
    assert (settled, stored(left).state) == ([False], "done")


@pytest.mark.django_db(transaction=True)
def test_votes__are_settled_before_a_submission_is_tried_alone(settled, monkeypatch):
    left = leave(make_key(), body(make_member(credits="100")))
    real = metering_batch.record

    def once(**given):
        monkeypatch.setattr(metering_batch, "record", real)
        settled.clear()
        raise RuntimeError

    settled.append(False)
    monkeypatch.setattr(metering_batch, "record", once)
    assert metering_queue.charge_next() == 1
    assert (settled, stored(left).state) == ([False], "done")


# --- what goes wrong


def test_failure__of_one_holds_up_no_other(monkeypatch, house_clock):
    member, key = make_member(credits="100"), make_key()
    bad, good = leave(key, body(member, eventId="bad")), leave(key, body(member, eventId="good"))
    real = metering_batch.record

    def sometimes(*, batch, **rest):
        if any(item.event_id == "bad" for item in batch.items):
            raise RuntimeError("the disk is full: token=abc")
        return real(batch=batch, **rest)

    monkeypatch.setattr(metering_batch, "record", sometimes)
    assert drain() == 2
    assert (stored(good).state, stored(bad).state, stored(bad).attempts) == ("done", "queued", 1)
    assert stored(bad).error == "RuntimeError: the disk is full: token=…"
    assert stored(bad).due_at > timezone.now() + timedelta(seconds=2)
    assert drain() == 0
    monkeypatch.setattr(metering_batch, "record", real)
    house_clock.at(datetime.now(tz=UTC) + timedelta(seconds=30))
    assert drain() == 1
    assert (stored(bad).state, holds(member)[0]) == ("done", dec("95"))


def test_failure__of_one_that_never_goes_through_is_told_and_settled_when_it_does(monkeypatch, house_clock):
    member, key = make_member(credits="100"), make_key()
    bad = leave(key, body(member))
    start = datetime.now(tz=UTC)
    with monkeypatch.context() as patch:
        patch.setattr(metering_batch, "record", lambda **_: 1 / 0)
        drain()
    leave(key, body(member))
    watch_queue(house_clock.at(start + timedelta(minutes=29)))
    assert not Alert.objects.exists()
    house_clock.at(start + timedelta(minutes=40, seconds=1))
    for _ in range(2):
        watch_queue(timezone.now())
    alert = Alert.objects.get()
    assert (alert.code, alert.cause, alert.state, alert.times) == ("outbox_stuck", "waiting:usage", "open", 2)
    assert alert.message == (
        "2 submissions of usage wait, the oldest for 40 minutes. Attempt 1 failed: ZeroDivisionError: division by zero"
    )
    assert alert.details["submission"] == str(bad.pk)
    drain()
    watch_queue(timezone.now())
    assert (stored(bad).state, Alert.objects.get().state) == ("done", "resolved")


def test_watch__runs_by_the_clock():
    [watching] = [job for job in JOBS if job.name == "cloud_credits.watch_usage_queue"]
    assert (watching.run, watching.every) == ("cloud_credits.workflows.metering.watch_queue", Every.FIVE_MINUTES)


def test_failure__before_the_commit_leaves_all_of_it_waiting(monkeypatch):
    member, key = make_member(credits="100"), make_key()
    left = leave(key, body(member))
    before = rows()

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(metering_queue, "_finish", die)
        with pytest.raises(Killed), transaction.atomic():
            drain()
    assert (stored(left).state, rows()) == ("queued", before)
    drain()
    assert (stored(left).state, holds(member)[0]) == ("done", dec("97.5"))


@pytest.mark.django_db(transaction=True)
def test_claim__what_another_worker_holds_is_passed_over(superuser_dsn):
    member, key = make_member(credits="100"), make_key()
    held, free = leave(key, body(member)), leave(key, body(member))
    with psycopg.connect(superuser_dsn) as other:
        other.execute("SELECT FROM cloud_credits_meteringsubmission WHERE id = %s FOR UPDATE", [held.pk])
        assert drain() == 1
        assert (stored(held).state, stored(free).state) == ("queued", "done")
    assert drain() == 1
    assert holds(member)[0] == dec("95")


def test_submit__an_empty_body_is_no_submission():
    key = make_key()
    with pytest.raises(BatchEmpty):
        leave(key)
    assert MeteringSubmission.objects.count() == 0


# --- the database


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE cloud_credits_meteringsubmission SET body = '[]'",
        "UPDATE cloud_credits_meteringsubmission SET events = 5",
        "UPDATE cloud_credits_meteringsubmission SET received_at = now() + interval '1 day'",
        "UPDATE cloud_credits_meteringsubmission SET state = 'done'",
        "DELETE FROM cloud_credits_meteringsubmission",
        "INSERT INTO cloud_credits_meteringsubmission (service_key_id, form, body, events, state, received_at, due_at,"
        " attempts, error, answers) SELECT service_key_id, form, body, events, 'done', received_at, due_at, 0, '', ''"
        " FROM cloud_credits_meteringsubmission",
    ],
)
@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.django_db(transaction=True)
def test_database__refuses_for_both_roles(sql, role, request):
    key = make_key()
    leave(key, body(make_member()))
    with pytest.raises(psycopg.Error), psycopg.connect(request.getfixturevalue(f"{role}_dsn")) as rude:
        rude.execute(sql)


@pytest.mark.parametrize(
    ("span", "is_taken"),
    [("-100 days", False), ("-2 minutes", False), ("-50 seconds", True), ("50 seconds", True), ("2 minutes", False)],
)
def test_database__a_submission_is_received_when_it_is_taken_in(span, is_taken):
    """Usage of any age would pass as received with one that is dated back, and that no worker ever takes."""
    key = make_key()

    def plant() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO cloud_credits_meteringsubmission (service_key_id, form, body, events, state, received_at,"
                " due_at, attempts, error, answers) VALUES (%s, 'json', '[]', 1, 'queued',"
                " clock_timestamp() + %s::interval, '2999-01-01', 0, '', '')",
                [key.pk, span],
            )

    if is_taken:
        plant()
    else:
        with pytest.raises(DatabaseError, match="is received when it is taken in"):
            plant()
    assert MeteringSubmission.objects.count() == is_taken


def test_database__an_answer_is_never_rewritten():
    member, key = make_member(credits="100"), make_key()
    left = leave(key, body(member))
    drain()
    with pytest.raises(DatabaseError, match="keeps its events"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE cloud_credits_meteringsubmission SET answers = '[]' WHERE id = %s", [left.pk])


# --- the door


def test_api__takes_one_event_or_many_and_tells_what_became_of_them():
    member, client = make_member(credits="5"), service("metering:write")
    single, many = body(member, eventId="one"), [body(member, eventId="two"), body(member, eventId="three")]
    first = client.post("/api/cloud/metering", single, format="json")
    second = client.post("/api/cloud/metering", many, format="json")
    assert (first.status_code, second.status_code) == (202, 202)
    told = first.json()
    assert told == {"trackingId": told["trackingId"], "state": "queued", "events": 1}
    assert first["Location"] == f"/api/cloud/metering/{told['trackingId']}"
    waiting = client.get(first["Location"]).json()
    assert (waiting["state"], "answers" in waiting) == ("queued", False)
    drain()
    done = client.get(second["Location"]).json()
    assert [done[name] for name in ("state", "events", "accepted", "rejected")] == ["done", 2, 1, 1]
    assert [answer["status"] for answer in done["answers"]] == ["accepted", "rejected"]
    assert done["doneAt"].endswith("Z")
    assert holds(member)[0] == 0


def test_api__tells_a_service_that_charging_failed_and_when_it_is_tried_next(monkeypatch):
    member, client = make_member(credits="5"), service("metering:write")
    where = client.post("/api/cloud/metering", body(member), format="json")["Location"]
    fresh = client.get(where).json()
    assert (fresh["attempts"], fresh["dueAt"], "note" in fresh) == (0, fresh["receivedAt"], False)
    with monkeypatch.context() as patch:
        patch.setattr(metering_batch, "record", lambda **_: [][0])
        drain()
    stuck = client.get(where).json()
    assert (stuck["state"], stuck["attempts"]) == ("queued", 1)
    assert stuck["dueAt"] > fresh["dueAt"]
    assert "failed and is tried again" in stuck["note"]
    assert "IndexError" not in str(stuck)
    MeteringSubmission.objects.update(due_at=fresh["receivedAt"])
    drain()
    assert (client.get(where).json().keys() & {"attempts", "dueAt", "note"}, holds(member)[0]) == (set(), dec("2.5"))


def test_api__tells_that_it_waits_without_reading_the_body(bodies_read):
    client = service("metering:write")
    where = client.post("/api/cloud/metering", body(make_member()), format="json")["Location"]
    bodies_read.clear()
    assert client.get(where).json()["state"] == "queued"
    assert bodies_read == []


@pytest.mark.parametrize("page", ["", "export/csv/", "{}/change/"])
def test_admin__no_list_or_export_loads_bodies_and_answers(bodies_read, page):
    key, person = make_key(), trusted(Role.OPERATIONS)
    left = leave(key, body(make_member(credits="5"), eventId="shown-in-answers"))
    drain()
    client = Client()
    client.force_login(person.user)
    bodies_read.clear()
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(f"/admin/cloud_credits/meteringsubmission/{page.format(left.pk)}")
    assert answer.status_code == 200
    asked = [query["sql"] for query in captured if "cloud_credits_meteringsubmission" in query["sql"]]
    assert not [sql for sql in asked if '"body"' in sql]
    assert bool([sql for sql in asked if '"answers"' in sql]) == page.endswith("change/")
    assert ("shown-in-answers" in answer.content.decode()) == page.endswith("change/")


def test_api__another_services_submission_is_not_found():
    member = make_member(credits="5")
    mine, other = service("metering:write"), service("metering:write")
    where = mine.post("/api/cloud/metering", body(member), format="json")["Location"]
    assert mine.get(where).status_code == 200
    assert (other.get(where).status_code, other.get(where).json()["code"]) == (404, "not_found")
    assert other.get("/api/cloud/metering/999999").status_code == 404


@pytest.mark.parametrize(("text", "status", "code"), [(b"[]", 422, "batch_empty"), (b"{", 400, "batch_unreadable")])
def test_api__refuses_what_is_no_batch(text, status, code):
    response = service("metering:write").post("/api/cloud/metering", data=text, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert MeteringSubmission.objects.count() == 0


def test_api__a_refused_event_may_be_sent_again_once_there_are_credits():
    member, client = make_member(credits="1"), service("metering:write")
    sent = body(member)
    where = [client.post("/api/cloud/metering", sent, format="json")["Location"]]
    drain()
    fund(member, "5")
    where.append(client.post("/api/cloud/metering", sent, format="json")["Location"])
    drain()
    assert [client.get(each).json()["answers"][0]["status"] for each in where] == ["rejected", "accepted"]
    assert holds(member)[0] == Decimal("3.5")
