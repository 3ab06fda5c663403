"""RabbitMQ, spoken through kombu: a durable topic exchange, one durable queue a subscriber, confirmed publishing."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import kombu
from amqp.exceptions import AMQPError
from kombu.exceptions import OperationalError

from habitat.events.errors import BusUnreachable
from habitat.events.policies.registry import Subscriber

EXCHANGE_NAME: Final = "cloud"
CONNECT_SECONDS: Final = 5
CONFIRM_SECONDS: Final = 10
PREFETCH: Final = 10

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

    def consume(self, handle: Callable[[int], None], *, idle_seconds: float) -> int:
        """Calls `handle(delivery id)` for each message and acknowledges it afterwards, until none came for so long."""
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

    def consume(self, handle: Callable[[int], None], *, idle_seconds: float) -> int:
        handled = 0

        def on_message(body: Any, message: kombu.Message) -> None:  # noqa: ANN401, ARG001
            nonlocal handled
            # A handler that raises leaves the message unacknowledged: the broker gives it to somebody again.
            handle(int(message.properties["message_id"]))
            message.ack()
            handled += 1

        with self._connected() as connection, connection.channel() as channel:
            _declare(channel)
            consumer = kombu.Consumer(channel, queues=list(QUEUES), callbacks=[on_message], accept=["json"])
            consumer.qos(prefetch_count=PREFETCH)
            with consumer:
                while True:
                    try:
                        connection.drain_events(timeout=idle_seconds)
                    except TimeoutError:
                        return handled

    @contextmanager
    def _connected(self) -> Iterator[kombu.Connection]:
        connection = kombu.Connection(
            self._url,
            connect_timeout=CONNECT_SECONDS,
            heartbeat=0,
            transport_options={"confirm_publish": True, "confirm_timeout": CONFIRM_SECONDS},
        )
        try:
            connection.connect()
            yield connection
        except (AMQPError, OperationalError, ConnectionError, socket.gaierror, TimeoutError) as error:
            # The address holds a password: only the kind of failure is told.
            raise BusUnreachable(why=type(error).__name__) from None
        finally:
            _close(connection)


def _close(connection: kombu.Connection) -> None:
    """Closes without complaint: a broker that died cannot say goodbye."""
    try:
        connection.release()
    except (AMQPError, OSError):
        connection.collapse() if hasattr(connection, "collapse") else None


def _declare(channel: Any) -> None:  # noqa: ANN401 - kombu is untyped
    for queue in QUEUES:
        queue(channel).declare()


def _publish(producer: kombu.Producer, notice: Notice) -> None:
    producer.publish(
        {"delivery": str(notice.delivery_id), "event": str(notice.event_id), "name": notice.event_name},
        routing_key=f"{notice.subscriber}.{notice.event_name}",
        message_id=str(notice.delivery_id),
        delivery_mode=kombu.Exchange.PERSISTENT_DELIVERY_MODE if False else 2,
        mandatory=True,
    )
