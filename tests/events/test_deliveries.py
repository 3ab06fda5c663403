"""Deliveries: once each, retried with patience, dead at the end, replayed by a person."""

import threading
from collections import Counter
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from habitat.controls.models import Alert
from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.actions import deliveries
from habitat.events.actions.outbox import emit
from habitat.events.errors import DeliveryNotDead
from habitat.events.models import Delivery, Event, EventCount
from habitat.events.policies.registry import DeliveredEvent
from habitat.events.policies.states import EDGES, DeliveryState, backoff, error_text
from habitat.events.reports.queue import queues
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from tests.events.facts import BellRang, NobodyListens, heard_by

OLGA = Actor(ActorKind.MEMBER, 3, "Olga", frozenset({"events.replay_delivery"}))
ANNA = Actor(ActorKind.MEMBER, 7, "Anna")


def make_due() -> None:
    """As if the waits and leases had run out."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_delivery SET due_at = now() - interval '1 s' WHERE state <> 'delivered'")


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (8, 640), (10, 2560), (11, 3600)]
)
def test_backoff__doubles_up_to_an_hour(attempts: int, seconds: int) -> None:
    assert backoff(attempts, jitter=0) == timedelta(seconds=seconds)
    assert backoff(attempts, jitter=1) == timedelta(seconds=seconds * 0.75)


def test_backoff__does_not_overflow() -> None:
    assert backoff(30_000, jitter=0) == timedelta(hours=1)


def test_error_text__keeps_the_kind_and_the_first_line() -> None:
    assert error_text(ValueError("no\nsecret: hunter2")) == "ValueError: no"
    assert error_text(KeyError()) == "KeyError"
    assert len(error_text(ValueError("x" * 9000))) == 500


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("no route to amqp://cloud:hunter2@bus.example/", "no route to amqp://cloud:…@bus.example/"),
        ("password=hunter2 refused", "password=… refused"),
        ("Authorization: hunter2", "Authorization: …"),
        ("key hbt_abc_hunter2 unknown", "key … unknown"),
        ("Invalid key sk_live_hunter2", "Invalid key …"),
        ("account 2220 is closed", "account 2220 is closed"),
    ],
)
def test_error_text__veils_secrets(said: str, kept: str) -> None:
    assert error_text(ValueError(said)) == f"ValueError: {kept}"


def test_edges__delivered_is_the_end() -> None:
    assert EDGES[DeliveryState.DELIVERED] == frozenset()
    assert EDGES[DeliveryState.DEAD] == {DeliveryState.PENDING}


@pytest.mark.django_db
def test_drain__delivers_each_event_once_to_each_subscriber() -> None:
    heard: list[tuple[str, str]] = []
    with (
        heard_by("treasury", lambda event: heard.append(("treasury", event.payload["amount"]))),
        heard_by("notifications", lambda event: heard.append(("notifications", event.payload["amount"]))),
    ):
        emit(BellRang(amount="1"), BellRang(amount="2"), acting=SYSTEM)
        assert queue.drain("deliveries") == 6
        assert queue.drain("deliveries") == 0
    assert sorted(heard) == [("notifications", "1"), ("notifications", "2"), ("treasury", "1"), ("treasury", "2")]
    assert set(Delivery.objects.values_list("state", "attempts", "error")) == {("delivered", 1, "")}


@pytest.mark.django_db
def test_handler__is_given_the_fact_as_written() -> None:
    heard: list[DeliveredEvent] = []
    with heard_by("sync", heard.append):
        (event_id,) = emit(BellRang(amount="0.00000001", times=2), acting=ANNA)
        queue.drain("deliveries")
    assert heard == [
        DeliveredEvent(
            id=event_id,
            name="bell.rang",
            payload={"amount": "0.00000001", "times": 2},
            actor="member:7",
            occurred_at=Event.objects.get(pk=event_id).occurred_at,
        )
    ]


@pytest.mark.django_db
def test_handlers_of_one_subscriber__share_a_delivery_and_a_transaction() -> None:
    heard: list[str] = []

    def second(event: DeliveredEvent) -> None:
        heard.append("second")
        if len(heard) < 4:
            raise ValueError("not yet")

    def first(event: DeliveredEvent) -> None:
        heard.append("first")
        EventCount.objects.create(day=timezone.now().date(), name=f"first-{len(heard)}", count=1)

    with heard_by("sync", first), heard_by("sync", second):
        emit(BellRang(amount="1"), acting=SYSTEM)
        queue.drain("deliveries")
        assert not EventCount.objects.filter(name__startswith="first").exists()
        make_due()
        queue.drain("deliveries")
    assert heard == ["first", "second", "first", "second"]
    assert list(EventCount.objects.filter(name__startswith="first").values_list("name", flat=True)) == ["first-3"]


@pytest.mark.django_db
def test_analytics__counts_each_event_of_a_day() -> None:
    emit(BellRang(amount="1"), BellRang(amount="2"), NobodyListens(), acting=SYSTEM)
    queue.drain("deliveries")
    today = Event.objects.first().occurred_at.date()
    assert set(EventCount.objects.values_list("day", "name", "count")) == {
        (today, "bell.rang", 2),
        (today, "bell.silent", 1),
    }


@pytest.mark.django_db
def test_failing_subscriber__blocks_nobody_and_its_effects_are_rolled_back() -> None:
    heard: list[int] = []

    def broken(event: DeliveredEvent) -> None:
        EventCount.objects.create(day=timezone.now().date(), name="half done", count=1)
        raise RuntimeError("the printer is out of paper\nsecret")

    with heard_by("notifications", broken), heard_by("treasury", lambda event: heard.append(event.id)):
        ids = emit(BellRang(amount="1"), BellRang(amount="2"), acting=SYSTEM)
        queue.drain("deliveries")
    assert heard == ids
    assert not EventCount.objects.filter(name="half done").exists()
    failed = Delivery.objects.filter(subscriber="notifications")
    assert set(failed.values_list("state", "attempts", "error", "lease_until")) == {
        ("pending", 1, "RuntimeError: the printer is out of paper", None)
    }
    now = timezone.now()
    assert all(now + timedelta(seconds=2) < delivery.due_at <= now + timedelta(seconds=6) for delivery in failed)


@pytest.mark.django_db
def test_dead_letter__after_the_last_attempt_with_one_alert_and_replay_by_a_person() -> None:
    healthy = False
    heard: list[int] = []

    def moody(event: DeliveredEvent) -> None:
        if not healthy:
            raise RuntimeError("down")
        heard.append(event.id)

    with heard_by("notifications", moody):
        ids = emit(BellRang(amount="1"), BellRang(amount="2"), acting=SYSTEM)
        for _ in range(8):
            make_due()
            queue.drain("deliveries")
        dead = Delivery.objects.filter(subscriber="notifications", event_id__in=ids)
        assert set(dead.values_list("state", "attempts", "error")) == {("dead", 8, "RuntimeError: down")}
        make_due()
        assert queue.drain("deliveries") == 0
        alert = Alert.objects.get(code="outbox_stuck")
        assert (alert.state, alert.cause, alert.times) == ("open", "subscriber:notifications", 2)
        assert Event.objects.filter(name="alert.raised").count() == 1
        assert {row.subscriber: (row.waiting, row.dead) for row in queues()} == {
            "notifications": (0, 2),
            "treasury": (0, 0),
            "sync": (0, 0),
            "analytics": (0, 0),
        }

        first, _second = dead.order_by("id")
        for wrong, actor, reason in (
            (NotAllowed, ANNA, "please"),
            (ReasonRequired, OLGA, "  "),
        ):
            with pytest.raises(wrong):
                deliveries.replay(delivery=first, reason=reason, acting=actor)
            with pytest.raises(wrong):
                deliveries.replay_all(subscriber="notifications", reason=reason, acting=actor)
        assert dead.dead().count() == 2

        healthy = True
        deliveries.replay(delivery=first, reason="paper is back", acting=OLGA)
        first = Delivery.objects.get(pk=first.pk)
        assert (first.state, first.attempts) == ("pending", 0)
        assert first.error.startswith("Replayed by member:3: paper is back.")
        queue.drain("deliveries")
        assert heard == ids[:1]
        assert Alert.objects.get(pk=alert.pk).state == "open"
        with pytest.raises(DeliveryNotDead):
            deliveries.replay(delivery=first, reason="again", acting=OLGA)

        assert deliveries.replay_all(subscriber="notifications", reason="paper is back", acting=OLGA) == 1
        queue.drain("deliveries")
        assert heard == ids
        assert Alert.objects.get(pk=alert.pk).state == "resolved"


@pytest.mark.django_db
def test_delivery__whose_handler_is_gone_ends_dead_and_is_never_lost() -> None:
    with heard_by("sync", print):
        emit(BellRang(amount="1"), acting=SYSTEM)
    for _ in range(8):
        make_due()
        queue.drain("deliveries")
    lost = Delivery.objects.get(subscriber="sync")
    assert (lost.state, lost.error) == ("dead", "NoHandler: sync has no handler for bell.rang any more.")


@pytest.mark.django_db
def test_stale_fence__is_refused_and_nothing_happens() -> None:
    heard: list[int] = []
    with heard_by("treasury", lambda event: heard.append(event.id)):
        emit(BellRang(amount="1"), acting=SYSTEM)
        (slow,) = deliveries.claim(subscriber="treasury", limit=5, acting=SYSTEM)
        assert deliveries.claim(subscriber="treasury", limit=5, acting=SYSTEM) == []
        make_due()
        (quick,) = deliveries.claim(subscriber="treasury", limit=5, acting=SYSTEM)
        assert (slow.fence, quick.fence) == (1, 2)

        assert deliveries.deliver(claim=slow, acting=SYSTEM) is False
        assert heard == []
        assert deliveries.deliver(claim=quick, acting=SYSTEM) is True
        assert deliveries.deliver(claim=quick, acting=SYSTEM) is False
    assert len(heard) == 1
    assert Delivery.objects.get(subscriber="treasury").attempts == 2


@pytest.mark.django_db
def test_claim__takes_what_a_dead_worker_left_one_at_a_time() -> None:
    with heard_by("treasury", print):
        emit(*(BellRang(amount=str(number)) for number in range(4)), acting=SYSTEM)
        left = [claim.event_id for claim in deliveries.claim(subscriber="treasury", limit=4, acting=SYSTEM)]
        make_due()
        (fresh,) = emit(BellRang(amount="5"), acting=SYSTEM)
    assert len(left) == 4
    taken = deliveries.claim(subscriber="treasury", limit=4, acting=SYSTEM)
    assert [claim.event_id for claim in taken] == [fresh, left[0]]


@pytest.mark.django_db
def test_poison__that_kills_its_worker_every_time_ends_dead_without_running_again() -> None:
    heard: list[int] = []
    with heard_by("treasury", lambda event: heard.append(event.id)):
        emit(BellRang(amount="1"), acting=SYSTEM)
        for _ in range(8):
            make_due()
            deliveries.claim(subscriber="treasury", limit=1, acting=SYSTEM)
        make_due()
        queue.drain("deliveries")
    poison = Delivery.objects.get(subscriber="treasury")
    assert (poison.state, poison.attempts, heard) == ("dead", 9, [])
    assert poison.error == "Every attempt ended with the death of its worker."


@pytest.mark.django_db
def test_hand_back__returns_the_attempt() -> None:
    with heard_by("treasury", print):
        emit(BellRang(amount="1"), acting=SYSTEM)
    claims = deliveries.claim(subscriber="treasury", limit=5, acting=SYSTEM)
    deliveries.hand_back(claims=claims, acting=SYSTEM)
    delivery = Delivery.objects.get(subscriber="treasury")
    assert (delivery.state, delivery.attempts, delivery.lease_until) == ("pending", 0, None)


@pytest.mark.django_db(transaction=True)
def test_two_workers__drain_five_hundred_deliveries_each_once() -> None:
    heard: Counter[int] = Counter()
    guard = threading.Lock()

    def count(event: DeliveredEvent) -> None:
        with guard:
            heard[event.id] += 1

    def work() -> None:
        try:
            queue.drain("deliveries")
        finally:
            connections.close_all()

    with heard_by("treasury", count):
        with transaction.atomic():
            ids = emit(*(BellRang(amount=str(number)) for number in range(500)), acting=SYSTEM)
        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert heard == Counter(ids)
    assert set(Delivery.objects.values_list("state", "attempts", "fence")) == {("delivered", 1, 1)}
    assert EventCount.objects.get(name="bell.rang").count == 500


@pytest.mark.django_db(transaction=True)
def test_claim__steps_over_what_another_worker_is_taking(app_connection: psycopg.Connection) -> None:
    with heard_by("treasury", print), transaction.atomic():
        first, second = emit(BellRang(amount="1"), BellRang(amount="2"), acting=SYSTEM)
    with app_connection.transaction(), connection.cursor() as cursor:
        app_connection.execute(
            "SELECT 1 FROM events_delivery WHERE event_id = %s AND subscriber = 'treasury' FOR UPDATE", [first]
        )
        cursor.execute("SET lock_timeout = '2s'")
        taken = deliveries.claim(subscriber="treasury", limit=5, acting=SYSTEM)
        cursor.execute("RESET lock_timeout")
    assert [claim.event_id for claim in taken] == [second]
