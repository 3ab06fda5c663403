"""What one rate card changes of another: the comparison on its page, and the changelog of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from cloud_credits.models import RateCard
from cloud_credits.policies.primitives import MEASURES, Measure
from cloud_credits.policies.rate_card_papers import changed_percent, percent_in_words
from cloud_credits.policies.rate_cards import ADOPTED
from cloud_credits.reports.governance import as_card, sent_back
from habitat.money import cloud_to_usd


@dataclass(frozen=True, slots=True)
class RateChange:
    """One primitive: CLOUD a unit before and after, and what a unit costs the cooperative in USD."""

    measure: Measure
    before: Decimal | None
    after: Decimal
    cost: Decimal | None

    @property
    def after_usd(self) -> Decimal:
        return cloud_to_usd(self.after)

    @property
    def is_raise(self) -> bool:
        return self.before is not None and self.after > self.before

    @property
    def is_cut(self) -> bool:
        return self.before is not None and self.after < self.before

    @property
    def in_words(self) -> str:
        """`+12.5 %`, `unchanged`; `new` where no card came before."""
        return "new" if self.before is None else percent_in_words(changed_percent(self.before, self.after))


@dataclass(frozen=True, slots=True)
class Entry:
    """One version in the changelog, and what it changes of the card whose place it takes."""

    card: RateCard
    base: RateCard | None
    changes: Sequence[RateChange]
    is_sent_back: bool = False

    @property
    def changed(self) -> list[RateChange]:
        return [change for change in self.changes if change.before != change.after]


def base_of(card: RateCard) -> RateCard | None:
    """The adopted card whose place `card` takes, or would take, on its date; None for the first.

    A draft without a date is compared with the newest adopted card.
    """
    return _base(card, list(RateCard.objects.adopted().order_by("effective_date")))


def compare(card: RateCard, base: RateCard | None) -> list[RateChange]:
    """Each primitive in the order cards are printed."""
    return [
        RateChange(
            measure=measure,
            before=getattr(base, f"{primitive.value}_rate") if base is not None else None,
            after=getattr(card, f"{primitive.value}_rate"),
            cost=getattr(card, f"{primitive.value}_cost"),
        )
        for primitive, measure in MEASURES.items()
    ]


def base_when_told(card: RateCard) -> RateCard | None:
    """The adopted card whose place a version that was sent back would have taken, as it stood at its notice: what was
    adopted since took its own place."""
    return _base_when_told(card, list(RateCard.objects.adopted().order_by("effective_date")))


def changelog() -> list[Entry]:
    """Every version that was put before the members, the newest first; what an emergency sent back among them."""
    cards = list(RateCard.objects.published())
    adopted = sorted((card for card in cards if card.state in ADOPTED), key=_day)
    entries = [_entry(card, _base(card, adopted)) for card in cards]
    for row in sent_back():
        card = as_card(row)
        entries.append(replace(_entry(card, _base_when_told(card, adopted)), is_sent_back=True))
    return sorted(entries, key=lambda entry: entry.card.number, reverse=True)


def _entry(card: RateCard, base: RateCard | None) -> Entry:
    return Entry(card, base, compare(card, base))


def _base_when_told(card: RateCard, adopted: Sequence[RateCard]) -> RateCard | None:
    told = card.proposed_at
    return _base(card, [each for each in adopted if told and each.approved_at and each.approved_at <= told])


def _base(card: RateCard, adopted: Sequence[RateCard]) -> RateCard | None:
    day = card.effective_date
    before = [each for each in adopted if each.pk != card.pk and (day is None or _day(each) < day.toordinal())]
    return before[-1] if before else None


def _day(card: RateCard) -> int:
    return card.effective_date.toordinal() if card.effective_date else 0
