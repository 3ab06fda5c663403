"""A reconciler: one comparison of the books with the world outside, run on demand and daily, its result stored."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one run came to: its number, how many exceptions it found, and a sentence for each."""

    run_id: int
    found: int
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reconciler:
    """`name` is the word after `manage.py reconcile`; `run(*, as_of, acting)` compares as of a moment in UTC
    and stores what it found.
    """

    name: str
    help: str
    run: Callable[..., Reconciled]
