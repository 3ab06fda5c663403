"""Who and why, for the history rows that the database writes while an action runs."""

from collections.abc import Iterator
from contextlib import contextmanager

import pghistory

from habitat.errors import ReasonRequired
from habitat.members.policies.actors import Actor

LONGEST_REASON = 2000


def require_reason(reason: str) -> str:
    """The reason without surrounding space, cut at 2,000 characters. Raises ReasonRequired when blank."""
    given = reason.replace("\x00", "").strip()
    if not given:
        raise ReasonRequired(field="reason")
    return given[:LONGEST_REASON]


@contextmanager
def because(*, acting: Actor, reason: str = "") -> Iterator[None]:
    """Changes inside carry the actor and the reason, beside the sign-in and address a request has noted.

    What it added is taken away again at its end, so that one verb's reason never explains another's change.
    """
    with pghistory.context() as current:
        before = dict(current.metadata)
        current.metadata.update(actor=acting.label, actor_name=acting.name, reason=reason)
        try:
            yield
        finally:
            current.metadata.clear()
            current.metadata.update(before)
