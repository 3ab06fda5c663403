"""Treasury's daily jobs; each computes as of 00:00:00Z of the day it was due."""

from datetime import UTC, datetime

from habitat.members.policies.actors import SYSTEM
from treasury.actions import periods, sealing


def seal_account_days(due_at: datetime) -> None:
    """Seal every day before the one that `due_at` begins."""
    sealing.seal_account_days(before=due_at.astimezone(UTC).date(), acting=SYSTEM)


def open_upcoming_quarters(due_at: datetime) -> None:
    """Open what the calendar needs next."""
    periods.open_upcoming_quarters(today=due_at.astimezone(UTC).date(), acting=SYSTEM)
