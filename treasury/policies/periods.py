"""The life of an accounting period: its states, edges and quarters (domain §7)."""

from datetime import date
from enum import StrEnum
from typing import Final


class PeriodState(StrEnum):
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    LOCKED = "locked"


FIRST: Final = PeriodState.OPEN

# `closing → open` is the close called off before it was finished; `closed → open` is a reopening.
EDGES: Final[dict[PeriodState, frozenset[PeriodState]]] = {
    PeriodState.OPEN: frozenset({PeriodState.CLOSING}),
    PeriodState.CLOSING: frozenset({PeriodState.CLOSED, PeriodState.OPEN}),
    PeriodState.CLOSED: frozenset({PeriodState.LOCKED, PeriodState.OPEN}),
    PeriodState.LOCKED: frozenset(),
}

FIRST_QUARTER_STARTS: Final = date(2026, 1, 1)
# How many quarters beyond the current one stand ready (the seed reaches as far for the first year).
QUARTERS_AHEAD: Final = 2


def quarter_name(start: date) -> str:
    """`2026-Q2` for the quarter that starts on 1 April 2026."""
    return f"{start.year}-Q{(start.month - 1) // 3 + 1}"


def quarter_end(start: date) -> date:
    """The first day after the quarter that holds `start`."""
    first_month = (start.month - 1) // 3 * 3 + 1
    return date(start.year + 1, 1, 1) if first_month == 10 else date(start.year, first_month + 3, 1)
