"""Deliveries through a real RabbitMQ: confirmed, persistent, harmless when repeated, unharmed by a killed broker."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import kombu
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from habitat.events.actions.outbox import emit
from habitat.events.errors import BusUnreachable
from habitat.events.gateways.rabbitmq import QUEUES, Notice, RabbitMQ
from habitat.events.models import Delivery
from habitat.events.reports.proofs import PROOFS
from habitat.events.workflows import queue, relay
from habitat.members.policies.actors import SYSTEM
from tests.events.broker import Broker, mortal_broker
from tests.events.facts import BellRang, effects, heard_by, ring_up

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.rabbitmq]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bus(rabbitmq_url: str, settings) -> Iterator[str]:
    """The shared broker, its queues empty."""
    settings.EVENT_BUS_URL = rabbitmq_url
    with kombu.Connection(rabbitmq_url) as broker, broker.channel() as channel:
        for each in QUEUES:
            each(channel).declare()
            each(channel).purge()
    with heard_by("notifications", ring_up), heard_by("treasury", ring_up):
        yield rabbitmq_url


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this module's own, to be killed."""
    with mortal_broker(tmp_path_factory.mktemp("mortal")) as mortal:
        yield mortal


@pytest.fixture
def mortal_bus(broker: Broker, settings) -> Iterator[Broker]:
    settings.EVENT_BUS_URL = broker.url
    with heard_by("notifications", ring_up), heard_by("treasury", ring_up):
        yield broker


def announce(count: int) -> list[int]:
    with transaction.atomic():
        return emit(*(BellRang(amount=str(number)) for number in range(count)), acting=SYSTEM)


def make_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_delivery SET due_at = now() WHERE state IN ('pending', 'delivering')")


def until_delivered(seconds: float = 30) -> Callable[[], bool]:
    """Goes on until everything is delivered, or fails after `seconds`."""
    end = time.monotonic() + seconds

    def going_on() -> bool:
        assert time.monotonic() < end, list(Delivery.objects.values_list("state", "attempts", "error"))
        return Delivery.objects.exclude(state="delivered").exists()

    return going_on


def waiting(url: str) -> dict[str, int]:
    with kombu.Connection(url) as broker, broker.channel() as channel:
        return {each.name: each(channel).queue_declare(passive=True).message_count for each in QUEUES}


def test_relay__publishes_a_persistent_message_for_each_delivery_and_consumers_do_them_once(bus: str) -> None:
    ids = announce(3)
    assert queue.drain("deliveries") == 9
    assert queue.drain("deliveries") == 0
    assert waiting(bus) == {
        "cloud.notifications": 3,
        "cloud.treasury": 3,
        "cloud.sync": 0,
        "cloud.analytics": 3,
    }
    assert set(Delivery.objects.values_list("state", "attempts")) == {("delivering", 0)}
    with kombu.Connection(bus) as broker, broker.channel() as channel:
        message = QUEUES[0](channel).get()
        delivery = Delivery.objects.get(pk=int(message.properties["message_id"]))
        assert (delivery.event_id, delivery.subscriber) == (ids[0], "notifications")
        assert message.properties["delivery_mode"] == 2
        assert message.delivery_info["exchange"] == "cloud"
        assert message.delivery_info["routing_key"] == "notifications.bell.rang"
        assert message.payload == {"delivery": str(delivery.pk), "event": str(ids[0]), "name": "bell.rang"}
        message.requeue()

    relay.consume(until_delivered())
    assert effects() == dict.fromkeys(ids, 2)
    assert set(Delivery.objects.values_list("state", "attempts")) == {("delivered", 1)}
    assert set(waiting(bus).values()) == {0}


def test_repeated_message__does_nothing_twice(bus: str) -> None:
    ids = announce(1)
    notices = [Notice(d.pk, d.event_id, "bell.rang", d.subscriber) for d in Delivery.objects.all()]
    for _ in range(3):
        assert RabbitMQ(bus).publish(notices) == notices
    relay.consume(until_delivered())
    end = time.monotonic() + 3
    relay.consume(lambda: time.monotonic() < end and any(waiting(bus).values()))
    assert effects() == {ids[0]: 2}
    assert set(waiting(bus).values()) == {0}


def test_failing_handler__is_retried_through_the_relay(bus: str) -> None:
    failures: list[int] = []

    def moody(event) -> None:
        if not failures:
            failures.append(event.id)
            raise RuntimeError("first time")

    with heard_by("sync", moody):
        announce(1)
        queue.drain("deliveries")
        end = time.monotonic() + 20
        relay.consume(
            lambda: (
                time.monotonic() < end
                and not Delivery.objects.filter(subscriber="sync", attempts=1).exists()
                or Delivery.objects.filter(subscriber="sync", state="delivering").exists()
            )
        )
        failed = Delivery.objects.get(subscriber="sync")
        assert (failed.state, failed.attempts, failed.error) == ("pending", 1, "RuntimeError: first time")
        make_due()
        queue.drain("deliveries")
        relay.consume(until_delivered())
    assert Delivery.objects.get(subscriber="sync").attempts == 2


def test_consumer_killed_in_a_handler__gets_its_message_to_another(bus: str) -> None:
    ids = announce(2)
    queue.drain("deliveries")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "habitat.settings.test", "EVENT_BUS_URL": bus}
    consumer = subprocess.Popen(
        [sys.executable, "-m", "tests.events.crashing", "consuming"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert consumer.stdout is not None
    try:
        assert consumer.stdout.readline().strip() == "consuming"
    finally:
        os.kill(consumer.pid, signal.SIGKILL)
        consumer.wait(timeout=10)
        consumer.stdout.close()
    assert effects() == {}
    relay.consume(until_delivered())
    assert effects() == dict.fromkeys(ids, 2)
    assert max(Delivery.objects.values_list("attempts", flat=True)) == 2


def test_consume_events__is_refused_without_a_bus(settings) -> None:
    settings.EVENT_BUS_URL = ""
    with pytest.raises(CommandError, match="EVENT_BUS_URL"):
        call_command("consume_events")


@pytest.mark.slow
def test_broker_down__costs_no_attempts_and_nothing_is_lost(mortal_bus: Broker) -> None:
    ids = announce(2)
    mortal_bus.kill()
    assert queue.drain("deliveries") == 0
    assert set(Delivery.objects.values_list("state", "attempts")) == {("pending", 0)}
    with pytest.raises(BusUnreachable) as refused:
        RabbitMQ(mortal_bus.url).publish([Notice(1, 1, "bell.rang", "sync")])
    assert "guest" not in refused.value.sentence

    mortal_bus.start()
    make_due()
    assert queue.drain("deliveries") == 6
    relay.consume(until_delivered())
    assert effects() == dict.fromkeys(ids, 2)


@pytest.mark.slow
def test_broker_killed_with_confirmed_messages__still_has_them_after_its_restart(mortal_bus: Broker) -> None:
    ids = announce(20)
    assert queue.drain("deliveries") == 60
    mortal_bus.kill()
    mortal_bus.start()
    relay.consume(until_delivered())
    assert effects() == dict.fromkeys(ids, 2)
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.slow
def test_broker_killed_while_the_relay_publishes__every_event_arrives_once(mortal_bus: Broker) -> None:
    ids = announce(400)
    published: list[int] = []

    def publish() -> None:
        try:
            published.append(queue.drain("deliveries"))
        finally:
            connections.close_all()

    relaying = threading.Thread(target=publish)
    relaying.start()
    while not Delivery.objects.filter(state="delivering").exists():
        time.sleep(0.005)
    time.sleep(0.1)
    mortal_bus.kill()
    relaying.join(timeout=60)
    assert published
    assert published[0] < 1200
    assert Delivery.objects.filter(state="pending", attempts=0).exists()

    mortal_bus.start()
    make_due()
    while queue.drain("deliveries"):
        pass
    relay.consume(until_delivered(90))
    assert effects() == dict.fromkeys(ids, 2)
    assert all(proof.run().ok for proof in PROOFS)
