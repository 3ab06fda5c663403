"""Watches the outbox from outside: deliveries that wait too long mean that no worker runs."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.events.reports.queue import queues
from habitat.members.policies.actors import SYSTEM

CODE: Final = "outbox_stuck"
PATIENCE: Final = timedelta(minutes=30)


def watch_outbox(due_at: datetime) -> None:
    """One alert a subscriber whose oldest delivery has waited for half an hour."""
    now = timezone.now()
    for row in queues():
        cause = f"waiting:{row.subscriber}"
        if row.oldest is None or now - row.oldest < PATIENCE:
            resolve_cause(code=CODE, cause=cause)
            continue
        minutes = int((now - row.oldest).total_seconds() // 60)
        raise_alert(
            code=CODE,
            cause=cause,
            message=f"{row.waiting} deliveries to {row.subscriber} wait, the oldest for {minutes} minutes.",
            details={"subscriber": row.subscriber, "waiting": str(row.waiting), "minutes": str(minutes)},
            acting=SYSTEM,
        )
