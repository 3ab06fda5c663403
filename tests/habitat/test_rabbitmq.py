"""The suite's own RabbitMQ: real, on loopback."""

import kombu
import pytest


@pytest.mark.rabbitmq
def test_server__takes_and_gives_a_message(rabbitmq_url: str) -> None:
    with kombu.Connection(rabbitmq_url) as connection:
        queue = connection.SimpleQueue("parcel")
        queue.put({"n": 1})
        message = queue.get(timeout=10)
        message.ack()
        assert message.payload == {"n": 1}
        queue.close()
