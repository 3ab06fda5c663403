"""How members govern their prices: notice, discussion, vote, caps and emergencies as pure rules (domain §4).

No clock and no database: a moment, the cards that stand, and the numbers as they stood at notice are given. The same
checks serve the draft form, the notice, the opening of the vote and its outcome.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from cloud_credits.policies.primitives import MEASURES, Primitive
from cloud_credits.policies.rate_cards import (
    AHEAD,
    EMERGENCY_NOTICE_DAYS,
    NOTICE_DAYS,
    CardState,
    utc_day,
)
from habitat.money import plain

RATE_PLACES: Final = 8
RATE_BELOW: Final = Decimal(10_000)
PERCENT_PLACES: Final = 2
PERCENT_BELOW: Final = Decimal(1_000)
# Prices are set for years like these; beyond them a calendar cannot count days back or on.
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2999
LONGEST_TEXT: Final = 20_000
LONGEST_COMMENT: Final = 5_000
LONGEST_BALLOT_REASON: Final = 2_000


class Choice(StrEnum):
    YES = "yes"
    NO = "no"
    ABSTAIN = "abstain"


class Step(StrEnum):
    """When a card is checked: floors and caps each time, the rest once (domain §4, caps)."""

    PROPOSE = "propose"
    OPEN = "open"
    OUTCOME = "outcome"


class Part(NamedTuple):
    """A part of the electorate: `part` of `of`."""

    part: int
    of: int

    def is_met(self, votes: int, electors: int) -> bool:
        return self.of * votes >= self.part * electors

    def least(self, electors: int) -> int:
        """The fewest whole votes that reach it."""
        return -(-self.part * electors // self.of)

    def __str__(self) -> str:
        """`half`, `a quarter`, `two thirds`; another part in numbers."""
        words = {(1, 2): "half", (1, 3): "a third", (2, 3): "two thirds", (1, 4): "a quarter", (3, 4): "three quarters"}
        return words.get((self.part, self.of), f"{self.part} of {self.of}")


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers a proposal is judged by; kept with the card as they stood at its notice."""

    floors: Mapping[Primitive, Decimal] = field(
        default_factory=lambda: {primitive: measure.floor for primitive, measure in MEASURES.items()}
    )
    caps: Mapping[Primitive, Decimal] = field(
        default_factory=lambda: {primitive: measure.cap for primitive, measure in MEASURES.items()}
    )
    notice_days: int = NOTICE_DAYS
    emergency_notice_days: int = EMERGENCY_NOTICE_DAYS
    discussion_days: int = 14
    lapse_days: int = 60
    voting_hours: int = 72
    emergency_voting_hours: int = 24
    rest_hours: int = 72
    emergency_rest_hours: int = 24
    cap_window_days: int = 92
    cost_window_days: int = 365
    cost_ratio: int = 2
    emergency_every_days: int = 180
    silence_days: int = 30
    fewest_electors: int = 2
    fewest_yes: int = 2
    # Bars as parts of the electorate: so many of so many.
    quorum: Part = Part(1, 2)
    support: Part = Part(1, 4)
    emergency_support: Part = Part(2, 3)

    def notice(self, *, is_emergency: bool) -> timedelta:
        """From the notice to 00:00 UTC of the effective date, at least."""
        return timedelta(days=self.emergency_notice_days if is_emergency else self.notice_days)

    def voting(self, *, is_emergency: bool) -> timedelta:
        """From opening to close, at least."""
        return timedelta(hours=self.emergency_voting_hours if is_emergency else self.voting_hours)

    def rest(self, *, is_emergency: bool) -> timedelta:
        """From close to 00:00 UTC of the effective date, at least."""
        return timedelta(hours=self.emergency_rest_hours if is_emergency else self.rest_hours)

    def discussion(self, *, is_emergency: bool) -> timedelta:
        """From notice to opening, at least: an emergency has no minimum."""
        return timedelta(0) if is_emergency else timedelta(days=self.discussion_days)

    def as_json(self) -> dict[str, Any]:
        """As kept on the card: amounts as text, numbers of days and hours as integers."""
        kept: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            kept[each.name] = _kept(value)
        return kept | {"bars": {"normal": bar(self, is_emergency=False), "emergency": bar(self, is_emergency=True)}}


def _kept(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {primitive.value: plain(amount) for primitive, amount in value.items()}
    return list(value) if isinstance(value, Part) else value


def _told(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {Primitive(primitive): Decimal(amount) for primitive, amount in value.items()}
    return Part(*value) if isinstance(value, list) else value


RULES: Final = Rules()


def rules_of(kept: Mapping[str, Any]) -> Rules:
    """The rules as a card keeps them; what it does not name is as it is now."""
    known = {each.name for each in fields(Rules)}
    return Rules(**{name: _told(value) for name, value in kept.items() if name in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTerms:
    """What may be edited of a draft: rates in CLOUD a unit, costs in USD a unit, percentages and words."""

    compute_rate: Decimal
    transfer_rate: Decimal
    ltm_rate: Decimal
    stm_rate: Decimal
    effective_date: date | None = None
    is_emergency: bool = False
    compute_cost: Decimal | None = None
    transfer_cost: Decimal | None = None
    ltm_cost: Decimal | None = None
    stm_cost: Decimal | None = None
    target_margin: Decimal | None = None
    reserve_buffer: Decimal | None = None
    capacity_assumptions: str = ""
    justification: str = ""
    notes: str = ""
    evidence: str = ""

    @property
    def rates(self) -> dict[Primitive, Decimal]:
        return {primitive: getattr(self, f"{primitive.value}_rate") for primitive in MEASURES}

    @property
    def costs(self) -> dict[Primitive, Decimal | None]:
        return {primitive: getattr(self, f"{primitive.value}_cost") for primitive in MEASURES}


@dataclass(frozen=True, slots=True)
class Adopted:
    """A card members said yes to, as a precedent for the next one."""

    version: int
    effective_date: date
    is_emergency: bool
    rates: Mapping[Primitive, Decimal]
    costs: Mapping[Primitive, Decimal]


@dataclass(frozen=True, slots=True)
class InFlight:
    """A card that is proposed or being voted on. Approved ones that are not in force yet are told from their dates."""

    version: int
    is_emergency: bool
    state: str


@dataclass(frozen=True, slots=True)
class Defeat:
    """A card that was rejected, or withdrawn while it was voted on, at `at`; `is_to_come`: by this very proposal."""

    version: int
    at: datetime
    effective_date: date
    rates: Mapping[Primitive, Decimal]
    is_to_come: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """What a proposal is judged against: every adopted card by date, what is in flight, and recent defeats."""

    adopted: Sequence[Adopted] = ()
    in_flight: Sequence[InFlight] = ()
    defeats: Sequence[Defeat] = ()

    def before(self, day: date) -> Adopted | None:
        """The adopted card that a card effective on `day` would follow."""
        begun = [card for card in self.adopted if card.effective_date < day]
        return max(begun, key=lambda card: card.effective_date) if begun else None

    def in_force_within(self, start: date, end: date) -> list[Adopted]:
        """Adopted cards that are in force at some moment of `[start, end)`, those not begun yet included."""
        cards = sorted(self.adopted, key=lambda card: card.effective_date)
        ends = [card.effective_date for card in cards[1:]] + [date.max]
        return [card for card, over in zip(cards, ends, strict=False) if card.effective_date < end and over > start]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a card cannot take its next step. `field` names the input at fault, where there is one."""

    code: str
    sentence: str
    field: str | None = None


# --- the card itself


def day_start(day: date) -> datetime:
    """00:00 UTC: rates change then and at no other moment."""
    return datetime.combine(day, time(0), tzinfo=UTC)


def problems(
    terms: CardTerms,
    *,
    moment: datetime,
    history: History,
    rules: Rules,
    step: Step,
    noticed_at: datetime | None = None,
) -> list[Problem]:
    """Everything that stops the card at `step`, seen from `moment`; empty when it may go on.

    `noticed_at` is the card's notice once it was proposed; until then `moment` would be it.
    """
    found = malformed(terms)
    if found:
        return found
    found += below_floors(terms, rules)
    if step is Step.PROPOSE:
        found += missing(terms)
        found += _in_flight(terms, moment=moment, history=history)
    if terms.effective_date is None:
        return found
    if step is Step.PROPOSE:
        found += _short_notice(terms, terms.effective_date, moment=moment, rules=rules)
        found += _silenced(terms, moment=moment, history=history, rules=rules)
    found += _out_of_order(terms, terms.effective_date, moment=moment, history=history)
    found += _emergency_too_soon(terms, terms.effective_date, history=history, rules=rules)
    for seen in _views(terms, moment=moment, history=history, step=step):
        capped = above_caps(terms, history=seen, rules=rules, noticed_at=noticed_at or moment)
        found += [each for each in capped if each.field not in {known.field for known in found}]
    return found


def _views(terms: CardTerms, *, moment: datetime, history: History, step: Step) -> list[History]:
    """What caps are judged against. An emergency that is adopted sends back a normal card not in force yet: until
    then it must fit with that card and without it, at its outcome without it."""
    scheduled = _scheduled(history, moment)
    left = [card for card in history.adopted if card.is_emergency or card not in scheduled]
    if not terms.is_emergency or len(left) == len(history.adopted):
        return [history]
    without = replace(history, adopted=tuple(left))
    return [without] if step is Step.OUTCOME else [history, without]


def malformed(terms: CardTerms) -> list[Problem]:
    """Numbers that the card's columns cannot hold: refused, never rounded (domain §1). And a day out of the years."""
    found = []
    if terms.effective_date is not None and not _is_of_our_years(terms.effective_date):
        sentence = f"The day it takes effect is of the years {FIRST_YEAR} to {LAST_YEAR}."
        found.append(Problem("date_malformed", sentence, "effective_date"))
    for name, value, places, below in _numbers(terms):
        if not value.is_finite() or value < 0 or value >= below or value != _cut(value, places):
            sentence = f"{_called(name)} is a number from 0 to below {plain(below)} with at most {places} decimals."
            found.append(Problem("number_malformed", sentence, name))
    for name in ("capacity_assumptions", "justification", "notes", "evidence"):
        text = getattr(terms, name)
        if len(text) > LONGEST_TEXT or "\x00" in text:
            found.append(Problem("text_malformed", f"{_called(name)} has at most {LONGEST_TEXT:,} characters.", name))
    return found


def _is_of_our_years(day: date) -> bool:
    return FIRST_YEAR <= day.year <= LAST_YEAR


def below_floors(terms: CardTerms, rules: Rules) -> list[Problem]:
    """Never below its floor, emergency or not (domain §4)."""
    return [
        Problem(
            "below_floor",
            f"{measure.title} costs at least {plain(rules.floors[primitive])} CLOUD a {measure.abbreviation}; "
            f"this says {plain(terms.rates[primitive])}.",
            f"{primitive.value}_rate",
        )
        for primitive, measure in MEASURES.items()
        if terms.rates[primitive] < rules.floors[primitive]
    ]


_NEEDED: Final = {
    "effective_date": "the day it takes effect",
    "compute_cost": "the cost of compute",
    "transfer_cost": "the cost of transfer",
    "ltm_cost": "the cost of long-term memory",
    "stm_cost": "the cost of short-term memory",
    "target_margin": "the target margin",
    "reserve_buffer": "the reserve buffer",
    "capacity_assumptions": "the capacity assumptions",
    "justification": "the justification",
}


def missing(terms: CardTerms) -> list[Problem]:
    """What a proposal needs and this one lacks (domain §4, propose)."""
    needed = _NEEDED | ({"evidence": "the evidence of the emergency"} if terms.is_emergency else {})
    return [
        Problem("part_missing", f"A proposal needs {words}.", name)
        for name, words in needed.items()
        if getattr(terms, name) is None or not str(getattr(terms, name)).strip()
    ]


def lowest_rate(day: date, primitive: Primitive, *, history: History, rules: Rules) -> Decimal | None:
    """The lowest rate in force in the 92 days before `day`, approved cards not begun yet included; None before v1."""
    window = history.in_force_within(day - timedelta(days=rules.cap_window_days), day)
    return min((card.rates[primitive] for card in window), default=None)


def highest_cost(day: date, primitive: Primitive, *, history: History, rules: Rules, noticed_at: datetime) -> Decimal:
    """The highest cost basis in force from 365 days before the notice until `day`, so that a basis talked down before
    an emergency does not make the emergency look larger; 0 before v1."""
    start = utc_day(noticed_at) - timedelta(days=rules.cost_window_days)
    window = history.in_force_within(start, day)
    return max((card.costs[primitive] for card in window), default=Decimal(0))


@dataclass(frozen=True, slots=True)
class Cap:
    """The most a card may ask for a primitive, CLOUD a unit, and the rule that says so."""

    most: Decimal
    why: str


def cap_of(
    terms: CardTerms, primitive: Primitive, *, history: History, rules: Rules, noticed_at: datetime
) -> Cap | None:
    """The most this card may ask for `primitive`; None where nothing caps it: the first card, or no date yet.

    (1 + cap) × the lowest rate in force in the 92 days before it; its own predecessor's rate always passes; an
    emergency whose documented cost is more than twice the highest basis of the last year may go to its cost ratio.
    """
    day = terms.effective_date
    if day is None or not _is_of_our_years(day):
        return None
    lowest = lowest_rate(day, primitive, history=history, rules=rules)
    previous = history.before(day)
    if lowest is None or previous is None:
        return None
    share = plain(100 * rules.caps[primitive])
    found = Cap(
        (1 + rules.caps[primitive]) * lowest,
        f"{share} % above the lowest rate of the {rules.cap_window_days} days before",
    )
    if previous.rates[primitive] > found.most:
        found = Cap(previous.rates[primitive], f"the rate of version {previous.version} before it")
    cost = terms.costs[primitive]
    if terms.is_emergency and cost is not None:
        before = highest_cost(day, primitive, history=history, rules=rules, noticed_at=noticed_at)
        if before > 0 and cost > rules.cost_ratio * before:
            # Cut, not rounded: the exact comparison is above_caps' own.
            by_cost = _cut(lowest * cost / before, RATE_PLACES)
            if by_cost > found.most:
                found = Cap(
                    by_cost, f"the lowest rate of the {rules.cap_window_days} days before, risen as the cost has"
                )
    return found


def highest_rate(
    terms: CardTerms, primitive: Primitive, *, history: History, rules: Rules, noticed_at: datetime
) -> Decimal | None:
    """The most of `cap_of` alone, CLOUD a unit."""
    found = cap_of(terms, primitive, history=history, rules=rules, noticed_at=noticed_at)
    return found.most if found is not None else None


def above_caps(terms: CardTerms, *, history: History, rules: Rules, noticed_at: datetime) -> list[Problem]:
    """The primitives that rise by more than their cap (domain §4, caps)."""
    found = []
    for primitive, measure in MEASURES.items():
        rate = terms.rates[primitive]
        cap = cap_of(terms, primitive, history=history, rules=rules, noticed_at=noticed_at)
        if cap is None or rate <= cap.most:
            continue
        sentence = (
            f"{measure.title} may cost at most {plain(_cut(cap.most, RATE_PLACES))} CLOUD a {measure.abbreviation} "
            f"then ({cap.why}); this says {plain(rate)}."
        )
        found.append(Problem("above_cap", sentence, f"{primitive.value}_rate"))
    return found


def _short_notice(terms: CardTerms, day: date, *, moment: datetime, rules: Rules) -> Iterator[Problem]:
    notice = rules.notice(is_emergency=terms.is_emergency)
    if day_start(day) - moment < notice:
        kind = "an emergency card" if terms.is_emergency else "a card"
        sentence = (
            f"Members are told {notice.days} days (of 24 hours) before {kind} takes effect: "
            f"{earliest_day(moment, rules=rules, is_emergency=terms.is_emergency)} is the first day it could."
        )
        yield Problem("notice_too_short", sentence, "effective_date")


def earliest_day(moment: datetime, *, rules: Rules, is_emergency: bool) -> date:
    """The first day a card proposed at `moment` may take effect."""
    reached = moment.astimezone(UTC) + rules.notice(is_emergency=is_emergency)
    return reached.date() if reached == day_start(reached.date()) else reached.date() + timedelta(days=1)


def _in_flight(terms: CardTerms, *, moment: datetime, history: History) -> Iterator[Problem]:
    """One normal card, and one emergency card, at most."""
    for card in history.in_flight:
        if card.is_emergency == terms.is_emergency:
            words = "being voted on" if card.state == CardState.VOTING else card.state
            yield _occupied(card.version, words, is_emergency=card.is_emergency)
    for adopted in _scheduled(history, moment):
        if adopted.is_emergency == terms.is_emergency:
            yield _occupied(adopted.version, "approved and not in force yet", is_emergency=adopted.is_emergency)


def _occupied(version: int, words: str, *, is_emergency: bool) -> Problem:
    kind = "emergency" if is_emergency else "normal"
    return Problem("card_in_flight", f"Rate card {version} is {words}. Only one {kind} card at a time is under way.")


def _scheduled(history: History, moment: datetime) -> list[Adopted]:
    """Adopted and not in force yet at `moment`."""
    return [card for card in history.adopted if day_start(card.effective_date) > moment]


def _out_of_order(terms: CardTerms, day: date, *, moment: datetime, history: History) -> Iterator[Problem]:
    """Approved effective dates ascend. A normal card not in force yet gives way to an emergency: it stops none."""
    gives_way = [card for card in _scheduled(history, moment) if terms.is_emergency and not card.is_emergency]
    latest = max((card.effective_date for card in history.adopted if card not in gives_way), default=None)
    if latest is not None and day <= latest:
        sentence = f"A card already takes effect on {latest}. The next one takes effect on a later day."
        yield Problem("effective_date_not_after", sentence, "effective_date")


def _emergency_too_soon(terms: CardTerms, day: date, *, history: History, rules: Rules) -> Iterator[Problem]:
    """One adopted emergency in 180 days, from effective date to effective date."""
    if not terms.is_emergency:
        return
    for card in history.adopted:
        if card.is_emergency and day - card.effective_date < timedelta(days=rules.emergency_every_days):
            sentence = (
                f"Emergency card {card.version} took effect on {card.effective_date}. The next one may do so "
                f"{rules.emergency_every_days} days later, on {_later(card, rules)}."
            )
            yield Problem("emergency_too_soon", sentence, "is_emergency")


def _later(card: Adopted, rules: Rules) -> date:
    return card.effective_date + timedelta(days=rules.emergency_every_days)


def _silenced(terms: CardTerms, *, moment: datetime, history: History, rules: Rules) -> Iterator[Problem]:
    """After a defeat equal or higher rates may not be proposed for 30 days (domain §4, withdrawal).

    A primitive is barred where the defeated card would have raised it and this one asks as much or more. The very
    same four rates are barred even where they raised nothing.
    """
    for defeat in history.defeats:
        until = defeat.at + timedelta(days=rules.silence_days)
        if moment >= until:
            continue
        barred = _raised(defeat, history)
        hit = [p for p in barred if terms.rates[p] >= defeat.rates[p]]
        if not hit and dict(terms.rates) != dict(defeat.rates):
            continue
        titles = ", ".join(MEASURES[primitive].title for primitive in hit) or "the same rates"
        how = (
            f"To propose this breaks off the vote on rate card {defeat.version}, which is its defeat"
            if defeat.is_to_come
            else f"Rate card {defeat.version} was defeated on {defeat.at:%Y-%m-%d}"
        )
        sentence = f"{how}: equal or higher rates ({titles}) may be proposed again from {until:%Y-%m-%d %H:%M} UTC."
        yield Problem("defeated_recently", sentence, f"{hit[0].value}_rate" if hit else None)


def _raised(defeat: Defeat, history: History) -> list[Primitive]:
    previous = history.before(defeat.effective_date)
    if previous is None:
        return []
    return [primitive for primitive in MEASURES if defeat.rates[primitive] > previous.rates[primitive]]


# --- the vote


def opening_problems(
    *,
    is_emergency: bool,
    effective_date: date,
    proposed_at: datetime,
    opens_at: datetime,
    closes_at: datetime,
    electors: int,
    rules: Rules,
) -> list[Problem]:
    """What stops a vote from opening at `opens_at` until `closes_at` with so many electors (domain §4)."""
    found = []
    talked, voted = rules.discussion(is_emergency=is_emergency), rules.voting(is_emergency=is_emergency)
    rest = rules.rest(is_emergency=is_emergency)
    if opens_at - proposed_at < talked:
        first = f"{proposed_at + talked:%Y-%m-%d %H:%M} UTC"
        found.append(Problem("discussion_too_short", f"Members discuss for {talked.days} days: until {first}."))
    if opens_at >= lapses_at(proposed_at, rules):
        found.append(Problem("lapsed", f"No vote was opened within {rules.lapse_days} days of the notice."))
    if closes_at - opens_at < voted:
        sentence = f"A vote is open for at least {_hours(voted)} hours."
        found.append(Problem("voting_too_short", sentence, "closes_at"))
    if day_start(effective_date) - closes_at < rest:
        last = f"{day_start(effective_date) - rest:%Y-%m-%d %H:%M} UTC"
        sentence = f"A vote closes at least {_hours(rest)} hours before the rates change: by {last}."
        found.append(Problem("closes_too_late", sentence, "closes_at"))
    # Counted from the day's beginning: the last day there is has no next one.
    if closes_at - day_start(utc_day(closes_at)) > timedelta(days=1) - AHEAD:
        sentence = (
            f"A vote does not close in the {int(AHEAD.total_seconds()) // 60} minutes before 00:00 UTC: usage of the "
            "next day may be priced already."
        )
        found.append(Problem("closes_before_midnight", sentence, "closes_at"))
    if electors < rules.fewest_electors:
        sentence = (
            f"A vote needs {rules.fewest_electors} stewards who were active at the notice and are now: here {electors}."
        )
        found.append(Problem("too_few_electors", sentence))
    return found


def lapses_at(proposed_at: datetime, rules: Rules) -> datetime:
    """From this moment on a card that was not opened for voting has lapsed."""
    return proposed_at + timedelta(days=rules.lapse_days)


def defeated_at(*, state: str, closes_at: datetime | None, withdrawn_at: datetime | None) -> datetime | None:
    """When a card was defeated: by its vote, or by being withdrawn while it was voted on."""
    if state == CardState.REJECTED:
        return closes_at
    return withdrawn_at if state == CardState.WITHDRAWN and closes_at is not None else None


@dataclass(frozen=True, slots=True)
class Vote:
    """One ballot as it was cast; `id` says which came later of two at one moment."""

    id: int
    elector_id: int
    choice: Choice
    cast_at: datetime


def counted(votes: Iterable[Vote], *, closes_at: datetime) -> dict[int, Choice]:
    """Each elector's newest choice before `closes_at`."""
    standing: dict[int, Vote] = {}
    for vote in votes:
        held = standing.get(vote.elector_id)
        if vote.cast_at < closes_at and (held is None or (vote.cast_at, vote.id) > (held.cast_at, held.id)):
            standing[vote.elector_id] = vote
    return {elector_id: vote.choice for elector_id, vote in standing.items()}


@dataclass(frozen=True, slots=True)
class Tally:
    """What the ballots come to. `bar` says which rule was applied, `reason` how it was met or missed."""

    yes: int
    no: int
    abstain: int
    electors: int
    quorum_met: bool
    bar: str
    passed: bool
    reason: str

    @property
    def votes(self) -> int:
        return self.yes + self.no + self.abstain


def tally(ballots: Iterable[Choice], electorate_size: int, is_emergency: bool, rules: Rules) -> Tally:
    """Quorum 2 × votes ≥ electorate, abstentions included; passes: yes > no, yes ≥ 2, 4 × yes ≥ electorate; an
    emergency besides: 3 × yes ≥ 2 × electorate (domain §4). By the `rules` of the card's notice."""
    cast = list(ballots)
    yes, no = cast.count(Choice.YES), cast.count(Choice.NO)
    reason = _missed(rules, yes=yes, no=no, votes=len(cast), electors=electorate_size, is_emergency=is_emergency)
    return Tally(
        yes=yes,
        no=no,
        abstain=cast.count(Choice.ABSTAIN),
        electors=electorate_size,
        quorum_met=rules.quorum.is_met(len(cast), electorate_size),
        bar=bar(rules, is_emergency=is_emergency),
        passed=not reason,
        reason=reason or f"{yes} yes and {no} no of {electorate_size} electors.",
    )


def bar(rules: Rules, *, is_emergency: bool) -> str:
    """The rule in a sentence."""
    rule = (
        f"{str(rules.quorum).capitalize()} of the electorate votes; more yes than no; at least "
        f"{_NUMBERS.get(rules.fewest_yes, rules.fewest_yes)} yes; yes from {rules.support} of the electorate or more"
    )
    return f"{rule}; yes from {rules.emergency_support} of it or more." if is_emergency else f"{rule}."


_NUMBERS: Final = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}


def _missed(rules: Rules, *, yes: int, no: int, votes: int, electors: int, is_emergency: bool) -> str:
    """The first bar the vote did not reach, with its numbers; empty where it passed."""
    if not rules.quorum.is_met(votes, electors):
        return f"No quorum: {votes} of {electors} electors voted, {rules.quorum.least(electors)} must."
    if yes <= no:
        return f"No majority: {yes} yes, {no} no."
    if yes < rules.fewest_yes:
        return f"Too few in favour: {yes} yes, at least {rules.fewest_yes} are needed."
    if not rules.support.is_met(yes, electors):
        return f"Too few in favour: {yes} yes of {electors} electors, {rules.support.least(electors)} are needed."
    most = rules.emergency_support
    if is_emergency and not most.is_met(yes, electors):
        return f"An emergency needs {most}: {yes} yes of {electors} electors, {most.least(electors)} are needed."
    return ""


# --- reminders

REMINDER_HOURS: Final = (48, 24, 4)


def reminders_due(*, moment: datetime, opens_at: datetime, closes_at: datetime) -> list[int]:
    """The reminders (hours before close) whose time has come, the latest last; none once the vote is closed.

    One that would have been due before the vote opened is left out: it would follow the opening's own notice at once.
    """
    if moment >= closes_at:
        return []
    due = [(hours, closes_at - timedelta(hours=hours)) for hours in REMINDER_HOURS]
    return [hours for hours, at in due if opens_at < at <= moment]


# --- words and numbers


def _numbers(terms: CardTerms) -> Iterator[tuple[str, Decimal, int, Decimal]]:
    for primitive in MEASURES:
        for kind in ("rate", "cost"):
            name = f"{primitive.value}_{kind}"
            value = getattr(terms, name)
            if value is not None:
                yield name, value, RATE_PLACES, RATE_BELOW
    for name in ("target_margin", "reserve_buffer"):
        value = getattr(terms, name)
        if value is not None:
            yield name, value, PERCENT_PLACES, PERCENT_BELOW


def _cut(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding="ROUND_DOWN")


def _called(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _hours(span: timedelta) -> int:
    return int(span.total_seconds()) // 3600
