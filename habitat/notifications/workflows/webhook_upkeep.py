"""By the clock: no endpoint's queue grows without end, and what was finished long ago is thrown away."""

import time
from datetime import datetime, timedelta
from typing import Final

from habitat.controls.actions.alerts import resolve_cause
from habitat.controls.reports.settings import value
from habitat.members.policies.actors import SYSTEM
from habitat.notifications.actions import webhook_upkeep as verbs
from habitat.notifications.actions.webhooks import BACKLOG, cause_of
from habitat.notifications.models import WebhookEndpoint
from habitat.notifications.policies.webhooks import EndpointState
from habitat.notifications.reports.webhooks import waiting

MOST_WAITING: Final = "webhooks.most_waiting"
KEEP_DAYS: Final = "webhooks.keep_days"
# What is not trimmed by then is so the next night.
TRIM_SECONDS: Final = 240


def watch(due_at: datetime) -> None:
    """One alert an endpoint for which more wait than may; it closes when half as many do."""
    del due_at  # what waits now, however late this runs
    most, found = int(value(MOST_WAITING)), waiting()
    standing = WebhookEndpoint.objects.exclude(state=EndpointState.REMOVED.value).select_related("key")
    for endpoint in standing.order_by("pk"):
        count = found.get(endpoint.pk, 0)
        if count > most:
            verbs.shed(endpoint=endpoint, waiting=count, most=most, acting=SYSTEM)
        elif count <= most // 2:
            resolve_cause(code=BACKLOG, cause=cause_of(endpoint), acting=SYSTEM)


def trim(due_at: datetime) -> None:
    """A batch at a time, each in a transaction of its own: it stands in nobody's way for long."""
    end = time.monotonic() + TRIM_SECONDS
    while verbs.give_up_lost() and time.monotonic() < end:
        pass
    before = due_at - timedelta(days=int(value(KEEP_DAYS)))
    reached: int | None = 0
    while reached is not None and time.monotonic() < end:
        reached = verbs.trim(after=reached, before=before)
