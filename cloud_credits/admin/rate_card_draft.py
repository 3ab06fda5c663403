"""The page on which a rate card is drafted: floors, caps and what is missing are told while somebody types.

The answers come from the very policy that judges the card at its notice, at the opening of the vote and at the outcome.
Without scripts the button “Check” asks the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.forms import BoundField

from cloud_credits.models import RateCard
from cloud_credits.policies.governance import (
    LONGEST_TEXT,
    PERCENT_BELOW,
    PERCENT_PLACES,
    RATE_BELOW,
    RATE_PLACES,
    RULES,
    CardTerms,
    History,
    Problem,
    Step,
    earliest_day,
    highest_rate,
    problems,
)
from cloud_credits.policies.primitives import MEASURES, Measure, Primitive
from cloud_credits.policies.rate_card_papers import changed_percent, percent_in_words
from habitat.errors import HabitatError
from habitat.money import parse_decimal, plain

RATE_KINDS: Final = ("rate", "cost")


class ExactField(forms.CharField):
    """A number as typed: parsed exactly, refused with the sentence everybody sees; None where nothing stands."""

    def __init__(self, label: str, *, places: int, below: Decimal, required: bool = False, help_text: str = "") -> None:
        self.places, self.largest = places, below - Decimal(1).scaleb(-places)
        super().__init__(
            label=label,
            max_length=40,
            required=required,
            help_text=help_text,
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        )

    def clean(self, value: object) -> Decimal | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_decimal(text, places=self.places, largest=self.largest)
        except HabitatError as refusal:
            raise forms.ValidationError(refusal.sentence, code=refusal.code) from refusal


def _words(label: str, rows: int, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=LONGEST_TEXT,
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": rows}),
        help_text=help_text,
    )


class DraftForm(forms.Form):
    """Everything a member will read; a draft may still lack what a proposal needs."""

    effective_date = forms.DateField(
        label="In force from 00:00 UTC of",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    is_emergency = forms.BooleanField(
        label="This is an emergency card",
        required=False,
        help_text="Seven days' notice and a vote of two thirds. It needs documented evidence, once in 180 days.",
    )
    target_margin = ExactField(
        "Target margin, %",
        places=PERCENT_PLACES,
        below=PERCENT_BELOW,
        help_text="What should be left of the revenue above its cost. Published and compared with what came of it.",
    )
    reserve_buffer = ExactField(
        "Reserve buffer, %",
        places=PERCENT_PLACES,
        below=PERCENT_BELOW,
        help_text="How far costs may run over before the rates no longer cover them.",
    )
    justification = _words("Justification", 6, "Why the rates change. Every member reads it.")
    capacity_assumptions = _words("Capacity assumptions", 3)
    evidence = _words("Evidence of the emergency", 3, "For an emergency card only: what happened, and since when.")
    notes = _words("Notes", 2, "Published with the card.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for primitive, measure in MEASURES.items():
            rate = f"Rate, CLOUD a {measure.abbreviation}"
            cost = f"Cost to the cooperative, USD a {measure.abbreviation}"
            self.fields[f"{primitive.value}_rate"] = ExactField(
                rate, places=RATE_PLACES, below=RATE_BELOW, required=True
            )
            self.fields[f"{primitive.value}_cost"] = ExactField(cost, places=RATE_PLACES, below=RATE_BELOW)

    @property
    def terms(self) -> CardTerms | None:
        """What was typed as the policy reads it; None while a rate or another number cannot be read."""
        return None if self.errors else CardTerms(**self.cleaned_data)

    @property
    def words(self) -> list[BoundField]:
        names = ("justification", "capacity_assumptions", "evidence", "notes")
        return [self[name] for name in names]

    def refuse(self, refusal: HabitatError) -> None:
        """Shows a refusal's own sentence beside the field it is about."""
        self.add_error(refusal.field if refusal.field in self.fields else None, refusal.sentence)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one primitive's rate may be, in words; `most` is None where nothing caps it."""

    primitive: Primitive
    words: str
    change: str

    @property
    def measure(self) -> Measure:
        return MEASURES[self.primitive]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the policy says of a draft now: per primitive its bounds, and everything that stops a proposal."""

    bounds: Sequence[Bounds]
    problems: Sequence[Problem]
    dates: str

    @property
    def general(self) -> list[Problem]:
        return [problem for problem in self.problems if not problem.field]

    def of(self, field: str) -> list[Problem]:
        return [problem for problem in self.problems if problem.field == field]

    def as_json(self) -> dict[str, Any]:
        return {
            "bounds": {each.primitive.value: {"words": each.words, "change": each.change} for each in self.bounds},
            "problems": [{"field": each.field or "", "sentence": each.sentence} for each in self.problems],
            "dates": self.dates,
        }


@dataclass(frozen=True, slots=True)
class PrimitiveRow:
    """One primitive on the page: its two inputs, its bounds, and what the policy has against them."""

    bounds: Bounds
    rate: BoundField
    cost: BoundField


def judge(form: DraftForm, *, history: History, now: datetime, in_force: RateCard | None) -> Judgement:
    """The form's own errors and the policy's problems together, for the moment `now`."""
    typed = [
        Problem("input_invalid", str(error), None if name == "__all__" else name)
        for name, errors in form.errors.items()
        for error in errors
    ]
    terms = form.terms
    found = [*typed] if terms is None else problems(terms, moment=now, history=history, rules=RULES, step=Step.PROPOSE)
    given = terms or _readable(form, in_force)
    bounds = [_bounds(primitive, given, history=history, now=now, in_force=in_force) for primitive in MEASURES]
    first = earliest_day(now, rules=RULES, is_emergency=bool(given and given.is_emergency))
    return Judgement(bounds, found, f"Proposed now, {first.isoformat()} is the first day it could take effect.")


def initial_of(card: RateCard | None) -> dict[str, Any]:
    """A draft as it stands; for a new one the rates and costs of the card in force."""
    if card is None:
        return {}
    shown: dict[str, Any] = {
        f"{primitive.value}_{kind}": _plain(getattr(card, f"{primitive.value}_{kind}"))
        for primitive in MEASURES
        for kind in RATE_KINDS
    }
    return shown | {"target_margin": _plain(card.target_margin), "reserve_buffer": _plain(card.reserve_buffer)}


def first_month_start(now: datetime) -> date:
    """The first of a month on which a card proposed at `now` could take effect: where a new draft begins."""
    reached = earliest_day(now, rules=RULES, is_emergency=False)
    if reached.day == 1:
        return reached
    return date(reached.year + reached.month // 12, reached.month % 12 + 1, 1)


def words_of(card: RateCard) -> dict[str, Any]:
    """The parts of a draft that a new one does not take over from the card in force."""
    names = ("effective_date", "is_emergency", "justification", "capacity_assumptions", "evidence", "notes")
    return {name: getattr(card, name) for name in names}


def rows_of(form: DraftForm, judgement: Judgement) -> list[PrimitiveRow]:
    return [
        PrimitiveRow(bounds=each, rate=form[f"{each.primitive.value}_rate"], cost=form[f"{each.primitive.value}_cost"])
        for each in judgement.bounds
    ]


def _readable(form: DraftForm, in_force: RateCard | None) -> CardTerms | None:
    """What can be read of a form with errors in it, with the rates in force for those that cannot."""
    if in_force is None:
        return None
    read = {name: value for name, value in form.cleaned_data.items() if name in CardTerms.__slots__}
    rates = {f"{p.value}_rate": getattr(in_force, f"{p.value}_rate") for p in MEASURES}
    return CardTerms(**(rates | read))


def _bounds(
    primitive: Primitive, terms: CardTerms | None, *, history: History, now: datetime, in_force: RateCard | None
) -> Bounds:
    measure, floor = MEASURES[primitive], RULES.floors[primitive]
    words = f"At least {plain(floor)}"
    most = highest_rate(terms, primitive, history=history, rules=RULES, noticed_at=now) if terms is not None else None
    if most is not None:
        words += f", at most {plain(most)} CLOUD a {measure.abbreviation} on that day."
    else:
        words += f" CLOUD a {measure.abbreviation}. Choose the day it takes effect to see the cap."
    before = getattr(in_force, f"{primitive.value}_rate") if in_force is not None else None
    if terms is None or before is None:
        return Bounds(primitive, words, "")
    change = percent_in_words(changed_percent(before, terms.rates[primitive]))
    return Bounds(primitive, words, f"In force: {plain(before)}. Change: {change}.")


def _plain(value: Decimal | None) -> str:
    return "" if value is None else plain(value)
