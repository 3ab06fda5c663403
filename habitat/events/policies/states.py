"""The life of a delivery: its states, its edges, and when a failed one is tried again (domain §9)."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Final


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    DEAD = "dead"


# `delivering > delivering` is a lease that ran out: another worker takes over under a new fence.
EDGES: Final[dict[DeliveryState, frozenset[DeliveryState]]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.DELIVERING}),
    DeliveryState.DELIVERING: frozenset(
        {DeliveryState.DELIVERING, DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.DEAD}
    ),
    DeliveryState.DELIVERED: frozenset(),
    DeliveryState.DEAD: frozenset({DeliveryState.PENDING}),
}

FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(hours=1)
LONGEST_ERROR: Final = 500
# What looks like a secret in a failure's words: a password in an address, a named one, a key by its prefix.
_SECRETS: Final = (
    (re.compile(r"(://[^\s:/@]*:)[^\s@]+@"), r"\1…@"),
    (re.compile(r"(?i)\b((?:password|passwd|secret|token|api[-_ ]?key|authorization)\b\s*[=:]?\s*)\S+"), r"\1…"),
    (re.compile(r"\b(?:hbt|sk_live|sk_test|rk_live|rk_test|whsec)_\S+"), "…"),
    (re.compile(r"(?i)\b(bearer\s+)\S+"), r"\1…"),
)


def backoff(attempts: int, *, jitter: float) -> timedelta:
    """How long to wait after the `attempts`-th failure: 5 s, 10 s, 20 s … at most an hour, less up to a quarter.

    `jitter` in [0, 1) is the caller's random number: it spreads what failed together.
    """
    times: int = 2 ** min(max(attempts, 1) - 1, 20)
    doubled = min(FIRST_WAIT * times, LONGEST_WAIT)
    return doubled * (1 - jitter / 4)


def error_text(error: BaseException) -> str:
    """What is kept of a failure for people: its kind and its first line, secrets veiled; never a traceback."""
    first_line = next(iter(str(error).splitlines()), "")
    for secret, veil in _SECRETS:
        first_line = secret.sub(veil, first_line)
    return f"{type(error).__name__}: {first_line}"[:LONGEST_ERROR].rstrip(": ")
