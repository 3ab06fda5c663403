"""The life of a rate card, and which card prices a moment: derived from dates, never from a job having run."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from cloud_credits.policies.primitives import Primitive


class CardState(StrEnum):
    DRAFT = "draft"
    PROPOSED = "proposed"
    VOTING = "voting"
    APPROVED = "approved"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


FIRST: Final = CardState.DRAFT

EDGES: Final[dict[CardState, frozenset[CardState]]] = {
    CardState.DRAFT: frozenset({CardState.PROPOSED}),
    # An adopted emergency card sends a normal one in flight back to draft (domain §4).
    CardState.PROPOSED: frozenset({CardState.VOTING, CardState.WITHDRAWN, CardState.LAPSED, CardState.DRAFT}),
    CardState.VOTING: frozenset({CardState.APPROVED, CardState.REJECTED, CardState.WITHDRAWN, CardState.DRAFT}),
    # An approved card is undone only by another vote before its date: an emergency card's, which sends it back.
    CardState.APPROVED: frozenset({CardState.ACTIVE, CardState.DRAFT}),
    CardState.ACTIVE: frozenset({CardState.SUPERSEDED}),
    CardState.SUPERSEDED: frozenset(),
    CardState.REJECTED: frozenset(),
    CardState.WITHDRAWN: frozenset(),
    CardState.LAPSED: frozenset(),
}

# A card the members said yes to. `active` and `superseded` only repeat for people what the dates already say.
ADOPTED: Final = frozenset({CardState.APPROVED, CardState.ACTIVE, CardState.SUPERSEDED})

NOTICE_DAYS: Final = 30
EMERGENCY_NOTICE_DAYS: Final = 7
# A service's clock may run ahead of ours by this much (interfaces: "time > 5 min ahead" is refused).
AHEAD: Final = timedelta(minutes=5)


class Standing(StrEnum):
    """What an adopted card is on a day."""

    SCHEDULED = "scheduled"
    IN_FORCE = "in force"
    PAST = "past"


@dataclass(frozen=True, slots=True)
class Card:
    """The part of an adopted card that prices usage: immutable once proposed, so it may be remembered."""

    id: int
    version: int
    effective_date: date
    compute_rate: Decimal
    transfer_rate: Decimal
    ltm_rate: Decimal
    stm_rate: Decimal

    def rate(self, primitive: Primitive) -> Decimal:
        """CLOUD for one unit of `primitive`."""
        rates = {
            Primitive.COMPUTE: self.compute_rate,
            Primitive.TRANSFER: self.transfer_rate,
            Primitive.LTM: self.ltm_rate,
            Primitive.STM: self.stm_rate,
        }
        return rates[primitive]


def may_move(source: CardState, target: CardState) -> bool:
    """True when a card may go from `source` to `target`."""
    return target in EDGES[source]


def utc_day(at: datetime) -> date:
    """The UTC day of an aware moment; a rate changes at 00:00 UTC and nowhere else."""
    if at.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return at.astimezone(UTC).date()


def in_force(cards: Iterable[Card], at: datetime) -> Card | None:
    """The adopted card with the latest effective date on or before the UTC day of `at`; None before the first."""
    day = utc_day(at)
    begun = [card for card in cards if card.effective_date <= day]
    return max(begun, key=lambda card: card.effective_date) if begun else None


def standing(card: Card, cards: Iterable[Card], at: datetime) -> Standing:
    """What `card` is among the adopted `cards` at the moment `at`."""
    if card.effective_date > utc_day(at):
        return Standing.SCHEDULED
    return Standing.IN_FORCE if in_force(cards, at) == card else Standing.PAST
