"""The facts and handlers these tests use: a small cooperative's bell, nothing of the storeys above."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from habitat.events.policies.registry import Handler, event_type, subscribe, unsubscribe


@event_type
@dataclass(frozen=True)
class BellRang:
    name: ClassVar[str] = "bell.rang"

    amount: str
    times: int = 1


@event_type
@dataclass(frozen=True)
class NobodyListens:
    name: ClassVar[str] = "bell.silent"

    why: str | None = None


@contextmanager
def heard_by(subscriber: str, handler: Handler, name: str = BellRang.name) -> Iterator[None]:
    subscribe(subscriber, name, handler)
    try:
        yield
    finally:
        unsubscribe(subscriber, name, handler)
