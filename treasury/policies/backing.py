"""How well credits are backed: the terms, the ratio, its bands, and what each band means (domain §6)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import Any, Final

from habitat.money import DOWN, EXACT_DIGITS, plain, product, rounded

NOTHING: Final = Decimal(0)
WHOLE: Final = Decimal(100)
# Percent of what is required: the lower edges are part of their band, the upper edge of `healthy` is too.
HEALTHY_FROM: Final = Decimal(105)
HEALTHY_UP_TO: Final = Decimal(110)
RATIO_PLACES: Final = 4
SHOWN_PLACES: Final = 2
LARGEST_RATIO: Final = Decimal("9999999999999999.9999")
# Prepaid closed-loop credits stay outside the federal rules up to this load a day and member (domain §10).
LOAD_CAP_WITHOUT_COUNSEL: Final = Decimal(2000)
BANK_READING_REUSED: Final = timedelta(minutes=5)

CREDITS_OUTSTANDING: Final = "2220"
MEMBER_MONEY_HELD: Final = "2240"


class Band(StrEnum):
    SHORTFALL = "shortfall"
    LOW = "low"
    HEALTHY = "healthy"
    EXCESS = "excess"
    UNKNOWN = "unknown"


class Flag(StrEnum):
    """The checks move the one, people the other; credits are minted while both are on."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class Provider(StrEnum):
    """Who is asked what it holds for the cooperative."""

    BANK = "bank"
    STRIPE = "stripe"


class TermName(StrEnum):
    BANK = "bank"
    BANK_SINCE = "bank_since"
    STRIPE_AVAILABLE = "stripe_available"
    STRIPE_PENDING = "stripe_pending"
    STRIPE_SINCE = "stripe_since"
    IN_TRANSIT = "payouts_in_transit"


# Terms that are there to spend. Of the others only what makes the sum smaller counts as settled.
SETTLED: Final = frozenset({TermName.BANK, TermName.BANK_SINCE, TermName.STRIPE_AVAILABLE})
# What people call each term.
TERM_TITLES: Final[dict[TermName, str]] = {
    TermName.BANK: "At the bank, available",
    TermName.BANK_SINCE: "Bank, booked since the reading",
    TermName.STRIPE_AVAILABLE: "At Stripe, available",
    TermName.STRIPE_PENDING: "At Stripe, pending",
    TermName.STRIPE_SINCE: "Stripe, booked since the reading",
    TermName.IN_TRANSIT: "Pay-outs on their way to the bank",
}
_IN_WORDS: Final[dict[Band, str]] = {
    Band.SHORTFALL: "Less is held than is owed. No credits are minted until it is covered; payments wait.",
    Band.LOW: "Every credit is covered, with little to spare: purchases are limited for now.",
    Band.HEALTHY: "Every credit is covered, with a reserve.",
    Band.EXCESS: "Every credit is covered, and more is held than the reserve needs.",
    Band.UNKNOWN: "A balance that counts was never read, so nothing is known yet. No credits are minted.",
}
# Bands in which buying is held back (domain §6: the measures of `low` do not end when it gets worse).
RESTRAINED: Final = frozenset({Band.LOW, Band.SHORTFALL, Band.UNKNOWN})
COVERED: Final = frozenset({Band.LOW, Band.HEALTHY, Band.EXCESS})


@dataclass(frozen=True, slots=True)
class Term:
    """One part of what is held, in USD: who says so and when it was read."""

    name: TermName
    amount: Decimal
    source: str
    read_at: datetime

    @property
    def settled(self) -> Decimal:
        return self.amount if self.name in SETTLED else min(self.amount, NOTHING)

    def written(self) -> dict[str, str]:
        """As a check keeps it."""
        return {
            "name": self.name.value,
            "amount": plain(self.amount),
            "source": self.source,
            "read_at": self.read_at.isoformat(),
        }


def term_of(written: Mapping[str, Any]) -> Term:
    """A term as a check kept it."""
    return Term(
        name=TermName(written["name"]),
        amount=Decimal(written["amount"]),
        source=written["source"],
        read_at=datetime.fromisoformat(written["read_at"]),
    )


@dataclass(frozen=True, slots=True)
class Backing:
    """What is owed and what is held for it at one moment, in USD; `unread` names who was never asked."""

    as_of: datetime
    outstanding: Decimal
    in_flight: Decimal
    terms: tuple[Term, ...]
    read_at: Mapping[Provider, datetime]
    unread: tuple[Provider, ...]

    @property
    def required(self) -> Decimal:
        return self.outstanding + self.in_flight

    @property
    def held(self) -> Decimal:
        return _sum([term.amount for term in self.terms])

    @property
    def settled_held(self) -> Decimal:
        return _sum([term.settled for term in self.terms])

    @property
    def band(self) -> Band:
        return band(required=self.required, held=self.held, is_known=not self.unread)

    def older_than(self, age: timedelta) -> tuple[Provider, ...]:
        """Who was last read more than `age` before this moment, and who never was."""
        old = [provider for provider, moment in self.read_at.items() if self.as_of - moment > age]
        return tuple(sorted({*old, *self.unread}))


def band(*, required: Decimal, held: Decimal, is_known: bool) -> Band:
    """Where `held` stands to `required`, compared exactly: no rounded figure decides (domain §6)."""
    if required <= 0:
        return Band.HEALTHY
    if not is_known:
        return Band.UNKNOWN
    if held < required:
        return Band.SHORTFALL
    parts = product(held, WHOLE)
    if parts < product(required, HEALTHY_FROM):
        return Band.LOW
    return Band.HEALTHY if parts <= product(required, HEALTHY_UP_TO) else Band.EXCESS


def ratio(*, required: Decimal, held: Decimal) -> Decimal | None:
    """Percent to four decimals, cut off so that it never shows more than there is; None when nothing is required."""
    if required <= 0:
        return None
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        exact = held * WHOLE / required
    return max(-LARGEST_RATIO, min(LARGEST_RATIO, rounded(exact, RATIO_PLACES, DOWN)))


def band_in_words(found: Band) -> str:
    """A band in one sentence for anybody."""
    return _IN_WORDS[found]


def percent(found: Decimal | None) -> str:
    """A ratio as pages show it: cut off to cents of a percent, never rounded up."""
    return "nothing is owed" if found is None else f"{rounded(found, SHOWN_PLACES, DOWN):,} %"


def breaks(*, required: Decimal, held: Decimal, more: Decimal) -> bool:
    """Whether owing `more` USD without new cash would leave less than 100 % (domain §6)."""
    return held < required + more


def may_mint(*, found: Band, required: Decimal, outdated: Sequence[Provider]) -> bool:
    """What the automatic flag should be: covered, and every reading younger than the limit (domain §6)."""
    return not outdated and (found in COVERED or required <= 0)


def daily_limit(found: Band, limit: Callable[[], Decimal]) -> Decimal | None:
    """The purchase limit a member and day, in USD, asked for only where the band sets one; else None."""
    return limit() if found in RESTRAINED else None


def load_cap(*, chosen: Decimal, signoff: str) -> Decimal:
    """The load cap a member and day: above 2,000 USD only with counsel's recorded sign-off (domain §10)."""
    return chosen if signoff.strip() else min(chosen, LOAD_CAP_WITHOUT_COUNSEL)


def above_target(*, required: Decimal, held: Decimal, target: Decimal) -> Decimal:
    """USD above (or, negative, missing to) what is required and `target` percent of it in reserve."""
    return held - required - product(required, target) / WHOLE


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    return sum(amounts, NOTHING)
