"""Wakes: at most two a second, whoever rings; sent over a connection of their own; worth nothing but a minute."""

import threading
import time

import pytest
from django.db import connection, transaction
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from habitat.events.actions.outbox import emit
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM
from tests.events.facts import BellRang


def wait_until_idle(timer: queue.Timer) -> None:
    end = time.monotonic() + 5
    while timer._running and time.monotonic() < end:
        time.sleep(0.01)


def test_timer__sends_the_first_ring_at_once_and_the_rest_together() -> None:
    sent: list[tuple[str, float]] = []
    timer = queue.Timer(lambda name: sent.append((name, time.monotonic())), quiet=0.2)
    start = time.monotonic()
    threads = [threading.Thread(target=timer.ring, args=("deliveries",)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    timer.ring("emails")
    wait_until_idle(timer)
    names = [name for name, _ in sent]
    assert names[0] == "deliveries"
    assert names.count("deliveries") <= 2
    assert names.count("emails") == 1
    assert sent[0][1] - start < 0.15
    timer.ring("deliveries")
    wait_until_idle(timer)
    assert [name for name, _ in sent][-1] == "deliveries"


def test_timer__survives_a_failing_send() -> None:
    sent: list[str] = []

    def send(name: str) -> None:
        sent.append(name)
        if len(sent) == 1:
            raise ConnectionError("no database")

    timer = queue.Timer(send, quiet=0.01)
    timer.ring("deliveries")
    wait_until_idle(timer)
    timer.ring("deliveries")
    wait_until_idle(timer)
    assert sent == ["deliveries", "deliveries"]


@pytest.mark.django_db(transaction=True)
def test_commit__puts_one_wake_without_data_into_the_task_queue(settings) -> None:
    settings.EVENT_WAKE = "timer"
    for _ in range(20):
        with transaction.atomic():
            emit(BellRang(amount="1"), acting=SYSTEM)
    wait_until_idle(queue._TIMER)
    tasks = [SignedPackage.loads(row.payload) for row in OrmQ.objects.all()]
    assert 1 <= len(tasks) <= 2
    assert {(task["func"], task["args"]) for task in tasks} == {(queue.DRAIN, ("deliveries",))}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
def test_send__puts_no_more_wakes_of_a_queue_than_there_are_workers(settings) -> None:
    for _ in range(30):
        queue.send("deliveries")
    assert OrmQ.objects.count() == queue.waiting("deliveries") == settings.Q_CLUSTER["workers"] == 2


@pytest.mark.django_db(transaction=True)
def test_send__keeps_places_for_every_queue() -> None:
    for _ in range(30):
        queue.send("deliveries")
    queue.send("emails")
    assert queue.waiting("emails") == 1


@pytest.mark.django_db(transaction=True)
def test_send__does_not_count_a_wake_that_a_worker_took() -> None:
    """It may have begun before the commit that rings now: it may have seen nothing of it."""
    for _ in range(2):
        queue.send("deliveries")
    assert get_broker().dequeue()
    queue.send("deliveries")
    assert (queue.waiting("deliveries"), OrmQ.objects.count()) == (2, 3)


@pytest.mark.django_db
def test_wake__is_silent_when_the_settings_say_so(settings) -> None:
    settings.EVENT_WAKE = "none"
    queue.wake("deliveries")
    assert not queue._TIMER._running
