"""Charges the usage that services left for later, batch by batch, as long as its turn lasts."""

import time
from typing import Final

from cloud_credits.actions import metering_queue
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM

# A drain of the queue may run for sixty.
TURN_SECONDS: Final = 40


def drain() -> int:
    """Charges what waits; how many submissions. Asks for another turn where time ran out before the work."""
    done, end = 0, time.monotonic() + TURN_SECONDS
    while tried := metering_queue.charge_next(acting=SYSTEM):
        done += tried
        if time.monotonic() > end:
            queue.wake(metering_queue.USAGE)
            break
    return done
