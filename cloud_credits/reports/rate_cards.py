"""Which rate card prices a moment, and which cards there are."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cloud_credits.errors import NoCardInForce
from cloud_credits.models import RateCard
from cloud_credits.policies.rate_cards import Card, CardState, Standing, in_force, standing, utc_day
from cloud_credits.reports.governance import adopted_by
from habitat.clock import now

# An adopted card's rates and date cannot change (a trigger refuses it), so its row may be remembered. A card is
# adopted at least 24 hours before its date (domain §4), so a process that learns of it a minute late still prices
# its first moment right: what is in force is derived from the remembered dates at every call. When the next open
# vote closes is remembered too: from that moment on nothing remembered is good until it was read anew.
REMEMBERED_NANOSECONDS: Final = 60 * 1_000_000_000


_STATES: Final = {
    Standing.SCHEDULED: CardState.APPROVED,
    Standing.IN_FORCE: CardState.ACTIVE,
    Standing.PAST: CardState.SUPERSEDED,
}


@dataclass(frozen=True, slots=True)
class _Read:
    """What a process read, when by the house's clock and by its own stopwatch."""

    cards: tuple[Card, ...]
    next_close: datetime | None
    unsettled: bool
    moment: datetime
    stopwatch: int

    @property
    def is_fresh(self) -> bool:
        age = time.monotonic_ns() - self.stopwatch
        if age >= REMEMBERED_NANOSECONDS:
            return False
        return self.next_close is None or self.moment + timedelta(microseconds=age // 1000 + 1) < self.next_close


class _Memory:
    """The adopted cards as last read by this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: _Read | None = None

    def cards(self) -> tuple[Card, ...]:
        return self.read().cards

    def read(self) -> _Read:
        read = self._read
        return read if read is not None and read.is_fresh else self.refresh()

    def refresh(self) -> _Read:
        moment = now()
        closes = list(
            RateCard.objects.filter(state=CardState.VOTING.value)
            .order_by("closes_at")
            .values_list("closes_at", flat=True)
        )
        unsettled = any(at is not None and at <= moment for at in closes)
        adopted = adopted_by(moment=moment) if unsettled else RateCard.objects.adopted().order_by("effective_date")
        read = _Read(
            cards=tuple(card.as_card() for card in adopted),
            next_close=next((at for at in closes if at is not None and at > moment), None),
            unsettled=unsettled,
            moment=moment,
            stopwatch=time.monotonic_ns(),
        )
        with self._lock:
            self._read = read
        return read

    def forget(self) -> None:
        with self._lock:
            self._read = None


_memory = _Memory()


def adopted_cards() -> Sequence[Card]:
    """Every adopted card by effective date, at most a minute old, and never older than the close of a vote."""
    return _memory.cards()


def vote_waits() -> bool:
    """True when a vote is closed and not settled: whoever prices usage settles it first (domain §4, outcome)."""
    return _memory.read().unsettled


def card_at(at: datetime) -> Card:
    """What prices usage that ended at `at`. Raises NoCardInForce on `timestamp` (domain §4)."""
    card = in_force(_memory.cards(), at) or in_force(_memory.refresh().cards, at)
    if card is None:
        raise NoCardInForce(day=utc_day(at).isoformat(), field="timestamp")
    return card


def card_in_force(at: datetime) -> RateCard:
    """The whole rate card in force at `at`. Raises NoCardInForce."""
    return RateCard.objects.get(pk=card_at(at).id)


def standing_of(card: RateCard, at: datetime) -> Standing | None:
    """Scheduled, in force or past at `at`; None for a card that was never adopted."""
    cards = adopted_cards()
    mine = next((each for each in cards if each.id == card.pk), None)
    return standing(mine, cards, at) if mine else None


def state_of(card: RateCard, at: datetime) -> CardState:
    """The column's word for what the dates say at `at`: an adopted card takes effect, and gives way, by its date and
    not when a worker writes so. A closed vote that nobody settled is adopted, or still in the vote."""
    found = standing_of(card, at)
    return _STATES[found] if found is not None else CardState(card.state)


def forget() -> None:
    """Reads the cards anew at the next call: for whoever adopts or undoes a card."""
    _memory.forget()
