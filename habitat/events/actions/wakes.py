"""The bell under the verbs: after commit, somebody is told that a queue has work. `workflows.queue` answers it."""

from collections.abc import Callable
from functools import partial
from typing import Final

from django.db import transaction

Ring = Callable[[str], None]


class _Bell:
    """Holds who answers; a room below cannot import the room above, so the floor connects them when it starts."""

    def __init__(self) -> None:
        self.answer: Ring | None = None

    def ring(self, queue: str) -> None:
        if self.answer is not None:
            self.answer(queue)


_BELL: Final = _Bell()


def connect(answer: Ring) -> None:
    """From now on `answer(queue)` is called after each commit that left work in `queue`."""
    _BELL.answer = answer


def wake_after_commit(queue: str) -> None:
    """Rings once this transaction has committed; not at all if it rolls back. A bell that fails breaks no request."""
    transaction.on_commit(partial(_BELL.ring, queue), robust=True)
