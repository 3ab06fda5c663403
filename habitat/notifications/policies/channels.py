"""How a notice travels, and the life of an e-mail."""

from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    IN_APP = "in_app"
    EMAIL = "email"

    @property
    def label(self) -> str:
        return {"in_app": "On the site", "email": "By e-mail"}[self.value]


class EmailState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


# `sending > sending` is a lease that ran out: another worker sends it, under the same Message-ID.
EDGES: Final[dict[EmailState, frozenset[EmailState]]] = {
    EmailState.QUEUED: frozenset({EmailState.SENDING}),
    EmailState.SENDING: frozenset({EmailState.SENDING, EmailState.QUEUED, EmailState.SENT, EmailState.DEAD}),
    EmailState.SENT: frozenset(),
    EmailState.DEAD: frozenset({EmailState.QUEUED}),
}


def message_id(*, event_id: int, member_id: int, host: str) -> str:
    """The Message-ID of this notice for ever, so that a mail sent twice is seen as one by the reader's mailbox."""
    return f"<event-{event_id}.member-{member_id}@{host}>"
