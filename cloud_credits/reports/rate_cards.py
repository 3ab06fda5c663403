"""Which rate card prices a moment, and which cards there are."""

import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cloud_credits.errors import NoCardInForce
from cloud_credits.models import RateCard
from cloud_credits.policies.rate_cards import Card, Standing, in_force, standing, utc_day

# An adopted card's rates and date cannot change (a trigger refuses it), so its row may be remembered. A card is
# adopted at least 24 hours before its date (domain §4), so a process that learns of it a minute late still prices
# its first moment right: what is in force is derived from the remembered dates at every call.
REMEMBERED_NANOSECONDS: Final = 60 * 1_000_000_000


class _Memory:
    """The adopted cards as last read by this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cards: tuple[Card, ...] = ()
        self._read_at: int | None = None

    def cards(self) -> tuple[Card, ...]:
        read_at = self._read_at
        if read_at is not None and time.monotonic_ns() - read_at < REMEMBERED_NANOSECONDS:
            return self._cards
        return self.refresh()

    def refresh(self) -> tuple[Card, ...]:
        cards = tuple(card.as_card() for card in RateCard.objects.adopted().order_by("effective_date"))
        with self._lock:
            self._cards, self._read_at = cards, time.monotonic_ns()
        return cards

    def forget(self) -> None:
        with self._lock:
            self._read_at = None


_memory = _Memory()


def adopted_cards() -> Sequence[Card]:
    """Every adopted card by effective date, at most a minute old."""
    return _memory.cards()


def adopted_cards_now() -> Sequence[Card]:
    """Every adopted card by effective date, read now: for whoever prices many moments at once."""
    return _memory.refresh()


def card_at(at: datetime) -> Card:
    """What prices usage that ended at `at`. Raises NoCardInForce on `timestamp` (domain §4)."""
    card = in_force(_memory.cards(), at) or in_force(_memory.refresh(), at)
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


def forget() -> None:
    """Reads the cards anew at the next call: for whoever adopts or undoes a card."""
    _memory.forget()
