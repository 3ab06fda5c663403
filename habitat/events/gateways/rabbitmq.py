"""RabbitMQ, spoken through kombu: a durable topic exchange, one durable queue a subscriber, confirmed publishing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

import kombu
from amqp.exceptions import AMQPError, MessageNacked
from kombu.exceptions import OperationalError

from habitat.events.errors import BusUnreachable
from habitat.events.policies.registry import Subscriber

EXCHANGE_NAME: Final = "cloud"
CONNECT_SECONDS: Final = 5
CONFIRM_SECONDS: Final = 10
HEARTBEAT_SECONDS: Final = 60
IDLE_SECONDS: Final = 1
PERSISTENT: Final = 2
PREFETCH: Final = 10

BROKEN: Final = (AMQPError, MessageNacked, OperationalError, OSError)

EXCHANGE: Final = kombu.Exchange(EXCHANGE_NAME, type="topic", durable=True)
QUEUES: Final = tuple(
    kombu.Queue(f"{EXCHANGE_NAME}.{subscriber.value}", EXCHANGE, routing_key=f"{subscriber.value}.#", durable=True)
    for subscriber in Subscriber
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What travels: that there is a delivery, and of what. The facts stay in the database."""

    delivery_id: int
    event_id: int
    event_name: str
    subscriber: str


class Bus(Protocol):
    """A broker that takes notices for keeps."""

    def publish(self, notices: list[Notice]) -> list[Notice]:
        """Those the broker confirmed to hold durably. Raises BusUnreachable when it confirmed none."""
        ...

    def consume(self, handle: Callable[[int], None], *, going_on: Callable[[], bool]) -> None:
        """Calls `handle(delivery id)` for each message and acknowledges it afterwards, while `going_on()`."""
        ...


class RabbitMQ:
    """The real one, at an `amqp://` address."""

    def __init__(self, url: str) -> None:
        self._url = url

    def publish(self, notices: list[Notice]) -> list[Notice]:
        confirmed: list[Notice] = []
        try:
            with self._connected() as connection, connection.channel() as channel:
                _declare(channel)
                producer = kombu.Producer(channel, exchange=EXCHANGE, serializer="json")
                for notice in notices:
                    _publish(producer, notice)
                    confirmed.append(notice)
        except BusUnreachable:
            if not confirmed:
                raise
        return confirmed

    def consume(self, handle: Callable[[int], None], *, going_on: Callable[[], bool]) -> None:
        def on_message(body: object, message: kombu.Message) -> None:
            # When `handle` raises, the message stays unacknowledged and the broker gives it to somebody again.
            handle(int(message.properties["message_id"]))
            message.ack()

        with self._connected() as connection, connection.channel() as channel:
            _declare(channel)
            consumer = kombu.Consumer(channel, queues=list(QUEUES), callbacks=[on_message], accept=["json"])
            consumer.qos(prefetch_count=PREFETCH)
            with consumer:
                while going_on():
                    with suppress(TimeoutError):
                        connection.drain_events(timeout=IDLE_SECONDS)
                    connection.heartbeat_check()

    @contextmanager
    def _connected(self) -> Iterator[kombu.Connection]:
        connection = kombu.Connection(
            self._url,
            connect_timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            transport_options={"confirm_publish": True},
        )
        try:
            connection.connect()
            yield connection
        except BROKEN as error:
            # The address holds a password: only the kind of failure is told.
            raise BusUnreachable(why=type(error).__name__) from None
        finally:
            # A broker that died cannot say goodbye.
            with suppress(*BROKEN):
                connection.release()


def _declare(channel: Any) -> None:
    for queue in QUEUES:
        queue(channel).declare()


def _publish(producer: kombu.Producer, notice: Notice) -> None:
    producer.publish(
        {"delivery": str(notice.delivery_id), "event": str(notice.event_id), "name": notice.event_name},
        routing_key=f"{notice.subscriber}.{notice.event_name}",
        message_id=str(notice.delivery_id),
        delivery_mode=PERSISTENT,
        mandatory=True,
        confirm_timeout=CONFIRM_SECONDS,
    )
