"""The daily job that marks invoices overdue."""

from datetime import UTC, datetime

from cloud_credits.actions import invoices
from habitat.members.policies.actors import SYSTEM


def mark_overdue(due_at: datetime) -> None:
    """As of 00:00:00Z of the day it was due: whatever was due before that day."""
    invoices.mark_overdue(as_of=due_at.astimezone(UTC).date(), acting=SYSTEM)
