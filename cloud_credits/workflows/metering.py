"""Charges the usage that services left for later, batch by batch, as long as its turn lasts, and watches that it is."""

import time
from datetime import datetime, timedelta
from typing import Final

from cloud_credits.actions import metering_queue
from cloud_credits.reports.usage_queue import usage_queue
from habitat import clock
from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM

# A drain of the queue may run for sixty.
TURN_SECONDS: Final = 40
ALERT: Final = "outbox_stuck"
CAUSE: Final = "waiting:usage"
# As long as a delivery may wait.
PATIENCE: Final = timedelta(minutes=30)


def drain() -> int:
    """Charges what waits; how many submissions. Asks for another turn where time ran out before the work."""
    done, end = 0, time.monotonic() + TURN_SECONDS
    while tried := metering_queue.charge_next():
        done += tried
        if time.monotonic() > end:
            queue.wake(metering_queue.USAGE)
            break
    return done


def watch_queue(due_at: datetime) -> None:
    """One alert while the oldest submission has waited for half an hour: no worker runs, or it fails each time."""
    found, now = usage_queue(), clock.now()
    if found is None or now - found.received_at < PATIENCE:
        resolve_cause(code=ALERT, cause=CAUSE, resolution="No queued usage waits longer than the limit.")
        return
    minutes = int((now - found.received_at).total_seconds() // 60)
    failed = f" Attempt {found.attempts} failed: {found.error}" if found.attempts else ""
    raise_alert(
        code=ALERT,
        cause=CAUSE,
        message=f"{found.waiting} submissions of usage wait, the oldest for {minutes} minutes.{failed}",
        details={"waiting": str(found.waiting), "minutes": str(minutes), "submission": str(found.oldest)},
        acting=SYSTEM,
    )
