"""A worker process that tests kill: it drains the outbox with a handler that stops at a named point.

Run as `python -m tests.events.crashing <point>`; it prints one line when it gets there and waits to be killed.
Points: `claimed` (between claim and handler), `handling` (inside the handler, after its effect), `delivered` (after
the commit of a delivery), `consuming` (inside the handler, the event having come from RabbitMQ), `none` (drains to
the end).
"""

import sys
import time


def stop_here(point: str) -> None:
    sys.stdout.write(f"{point}\n")
    sys.stdout.flush()
    time.sleep(120)


def main(point: str) -> None:
    import django

    django.setup()

    from habitat.events.actions import deliveries
    from habitat.events.policies.registry import DeliveredEvent, subscribe
    from habitat.events.workflows import queue, relay
    from habitat.members.policies.actors import SYSTEM
    from tests.events.facts import BellRang, ring_up

    def handler(event: DeliveredEvent) -> None:
        ring_up(event)
        if point in ("handling", "consuming"):
            stop_here(point)

    for subscriber in ("notifications", "treasury"):
        subscribe(subscriber, BellRang.name, handler)

    if point == "claimed":
        for subscriber in ("notifications", "treasury", "analytics"):
            deliveries.claim(subscriber=subscriber, limit=20, acting=SYSTEM)
        stop_here(point)
    if point == "delivered":
        for claim in deliveries.claim(subscriber="treasury", limit=20, acting=SYSTEM):
            deliveries.deliver(claim=claim, acting=SYSTEM)
            stop_here(point)
    if point == "consuming":
        relay.consume(lambda: True)
    queue.drain("deliveries")


if __name__ == "__main__":
    main(sys.argv[1])
