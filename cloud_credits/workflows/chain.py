"""The job that seals the hash chain over what was booked since its last block."""

from datetime import datetime

from cloud_credits.actions import chain


def seal_chain(due_at: datetime) -> None:
    """Seals what is surely booked by now; run again for the same moment it seals only what came since."""
    del due_at  # a block ends where the database's snapshot says, not where the clock does
    chain.seal()
