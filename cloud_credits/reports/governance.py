"""A rate card's way through notice, thread and vote, as its pages and verbs read it. Reads only."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet

from cloud_credits.models import RateCard, RateCardBallot, RateCardElector, RateCardHistory, RateCardOutcome
from cloud_credits.policies.governance import (
    RULES,
    Adopted,
    Choice,
    Defeat,
    History,
    InFlight,
    Problem,
    Rules,
    Step,
    Tally,
    Vote,
    counted,
    defeated_at,
    lapses_at,
    opening_problems,
    problems,
    tally,
)
from cloud_credits.policies.rate_cards import CardState
from habitat.clock import now
from habitat.members.models import Member
from habitat.members.policies.roles import Role
from habitat.members.policies.statuses import MemberStatus

_UNDER_WAY = (CardState.PROPOSED.value, CardState.VOTING.value)


def stewards() -> list[int]:
    """Member numbers of the stewards who are active now: their sign-in works and holds the role."""
    active = Member.objects.filter(
        status=MemberStatus.ACTIVE.value, user__is_active=True, user__groups__name=Role.STEWARD.value
    )
    return list(active.order_by("pk").values_list("pk", flat=True))


def history(*, moment: datetime, excluding: int | None = None) -> History:
    """What a proposal is judged against at `moment`: `excluding` is the number of the card itself."""
    others = RateCard.objects.exclude(pk=excluding)
    defeated = others.filter(
        Q(state=CardState.REJECTED.value) | Q(state=CardState.WITHDRAWN.value, closes_at__isnull=False)
    )
    since = moment - timedelta(days=RULES.silence_days)
    return History(
        adopted=tuple(_adopted(card) for card in others.adopted().order_by("effective_date")),
        in_flight=tuple(
            InFlight(version=card.version or 0, is_emergency=card.is_emergency, state=card.state)
            for card in others.filter(state__in=_UNDER_WAY).order_by("version")
        ),
        defeats=tuple(
            defeat for card in defeated.order_by("version") if (defeat := _defeat(card)) and defeat.at > since
        ),
    )


def settled_history(*, moment: datetime, excluding: int | None = None) -> History:
    """The same as it is once every vote closed by `moment` is settled and every overdue card has lapsed: what a verb
    does first. Writes nothing, so a draft is judged right however late a worker is."""
    known, came = history(moment=moment, excluding=excluding), _settled(moment)
    since = moment - timedelta(days=RULES.silence_days)
    lost = [_defeated(card, at=card.closes_at) for card in came.rejected if card.pk != excluding]
    gone = {card.number for card in came.no_longer_under_way} | _overdue(moment)
    return History(
        adopted=tuple(_adopted(card) for card in came.adopted if card.pk != excluding),
        in_flight=tuple(each for each in known.in_flight if each.version not in gone),
        defeats=(*known.defeats, *(defeat for defeat in lost if defeat and defeat.at > since)),
    )


def judged_against(card: RateCard | None, *, moment: datetime) -> History:
    """What the proposal of a draft would be judged against at `moment`; `card` is None before it was saved.

    An amendment withdraws the card it amends, where that is still under way: it stands in the way no more, and was
    defeated where it is being voted on (domain §4, withdrawal).
    """
    known = settled_history(moment=moment, excluding=card.pk if card is not None else None)
    original = given_way_to(card, known) if card is not None else None
    if original is None:
        return known
    left = replace(known, in_flight=tuple(each for each in known.in_flight if each.version != original.version))
    defeat = _defeated(original, at=moment) if original.state == CardState.VOTING else None
    return left if defeat is None else replace(left, defeats=(*left.defeats, replace(defeat, is_to_come=True)))


def given_way_to(card: RateCard, known: History) -> RateCard | None:
    """The card under way that this amendment takes the place of; None where it ended meanwhile."""
    original = card.amends
    return original if original and original.version in {each.version for each in known.in_flight} else None


def _overdue(moment: datetime) -> set[int]:
    """The numbers of proposed cards on which no vote was opened in time."""
    proposed = RateCard.objects.filter(state=CardState.PROPOSED.value, proposed_at__isnull=False)
    return {
        card.number for card in proposed if card.proposed_at and moment >= lapses_at(card.proposed_at, card.as_told)
    }


def _adopted(card: RateCard) -> Adopted:
    if card.version is None or card.effective_date is None:
        raise ValueError("an adopted card has a number and a date")
    costs = {primitive: cost for primitive, cost in card.terms.costs.items() if cost is not None}
    return Adopted(card.version, card.effective_date, card.is_emergency, card.terms.rates, costs)


def _defeat(card: RateCard) -> Defeat | None:
    return _defeated(card, at=defeated_at(state=card.state, closes_at=card.closes_at, withdrawn_at=card.withdrawn_at))


def _defeated(card: RateCard, *, at: datetime | None) -> Defeat | None:
    if at is None or card.version is None or card.effective_date is None:
        return None
    return Defeat(card.version, at, card.effective_date, card.terms.rates)


def problems_of(card: RateCard, *, step: Step, moment: datetime) -> list[Problem]:
    """What stops a stored card at `step`: pages ask before the votes that closed are settled, verbs afterwards, and
    both are told the same. An outcome is judged while those that closed before it are settled."""
    known = {
        Step.PROPOSE: lambda: judged_against(card, moment=moment),
        Step.OPEN: lambda: settled_history(moment=moment, excluding=card.pk),
        Step.OUTCOME: lambda: history(moment=moment, excluding=card.pk),
    }
    return problems(
        card.terms,
        moment=moment,
        history=known[step](),
        rules=RULES if step is Step.PROPOSE else card.as_told,
        step=step,
        noticed_at=card.proposed_at,
    )


def opening_problems_of(card: RateCard, *, opens_at: datetime, closes_at: datetime, electors: int) -> list[Problem]:
    """What stops the vote on a proposed card from opening at `opens_at` until `closes_at` with so many electors."""
    if card.effective_date is None or card.proposed_at is None:
        raise ValueError("a proposed card has a day and a notice")
    return [
        *problems_of(card, step=Step.OPEN, moment=opens_at),
        *opening_problems(
            is_emergency=card.is_emergency,
            effective_date=card.effective_date,
            proposed_at=card.proposed_at,
            opens_at=opens_at,
            closes_at=closes_at,
            electors=electors,
            rules=card.as_told,
        ),
    ]


@dataclass(frozen=True, slots=True)
class ElectorVote:
    """One elector and the ballot of theirs that stands, if any."""

    elector_id: int
    member_id: int
    name: str
    choice: Choice | None
    reason: str
    cast_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A vote as it stands: every elector, the tally, and whether it is closed."""

    electors: Sequence[ElectorVote]
    tally: Tally
    is_closed: bool

    @property
    def ballots(self) -> list[dict[str, Any]]:
        """The ballots that count, as an outcome keeps them."""
        return [
            {
                "member": each.member_id,
                "choice": each.choice.value,
                "reason": each.reason,
                "castAt": each.cast_at.astimezone(UTC).isoformat(),
            }
            for each in self.electors
            if each.choice is not None and each.cast_at is not None
        ]

    @property
    def waiting(self) -> list[ElectorVote]:
        """Those who have not voted."""
        return [elector for elector in self.electors if elector.choice is None]


def standing(card: RateCard, *, moment: datetime | None = None) -> Standing:
    """The vote on a card that was opened, as of `moment` (now). Raises ValueError for one that was not."""
    if card.closes_at is None:
        raise ValueError("no vote was opened on this card")
    held = _counted_again(
        card.pk, card.number, closes_at=card.closes_at, is_emergency=card.is_emergency, rules=card.as_told
    )
    return replace(held, is_closed=card.closes_at <= (moment or now()))


def _counted_again(card_id: int, version: int, *, closes_at: datetime, is_emergency: bool, rules: Rules) -> Standing:
    roll = list(
        RateCardElector.objects.filter(card=card_id, version=version, at_opening=True)
        .select_related("member")
        .order_by("member_id")
    )
    ballots = {ballot.pk: ballot for ballot in RateCardBallot.objects.filter(elector__in=[each.pk for each in roll])}
    votes = [Vote(each.pk, each.elector_id, Choice(each.choice), each.cast_at) for each in ballots.values()]
    choices = counted(votes, closes_at=closes_at)
    newest = {vote.elector_id: ballots[vote.id] for vote in sorted(votes, key=lambda vote: (vote.cast_at, vote.id))}
    return Standing(
        electors=[
            ElectorVote(
                elector_id=each.pk,
                member_id=each.member_id,
                name=each.member.display_name,
                choice=choices.get(each.pk),
                reason=newest[each.pk].reason if each.pk in newest else "",
                cast_at=newest[each.pk].cast_at if each.pk in newest else None,
            )
            for each in roll
        ],
        tally=tally(choices.values(), len(roll), is_emergency, rules),
        is_closed=True,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a closed vote comes to: its tally, and what the rules say of the rates at its close."""

    standing: Standing
    problems: Sequence[Problem]

    @property
    def passed(self) -> bool:
        return self.standing.tally.passed and not self.problems

    @property
    def reason(self) -> str:
        """The bar that was missed, or the rule the rates broke at the close, or the count."""
        if self.standing.tally.passed and self.problems:
            return " ".join(each.sentence for each in self.problems)
        return self.standing.tally.reason


def verdict(card: RateCard) -> Verdict:
    """The outcome of a closed vote: a pure function of the votes and the cards at `closes_at` (domain §4)."""
    if card.closes_at is None:
        raise ValueError("no vote was opened on this card")
    found = problems_of(card, step=Step.OUTCOME, moment=card.closes_at)
    return Verdict(standing(card, moment=card.closes_at), found)


def verdicts_of(outcomes: Iterable[RateCardOutcome]) -> Iterator[tuple[RateCardOutcome, Standing, bool | None]]:
    """Each outcome with its vote counted again from the rows, and whether ballots and rules together adopt its card
    (None where no such card was put to such a vote).

    Walked in the order the votes closed, over the cards as they were put before the members: one that was sent back
    since may read differently now.
    """
    told = _told()
    adopted = [card for card in told.values() if card.closes_at is None and card.approved_at is not None]
    for outcome in sorted(outcomes, key=lambda each: (each.closed_at, not each.is_emergency, each.card_id)):
        card = told.get(outcome.version)
        vote = _counted_again(
            outcome.card_id,
            outcome.version,
            closes_at=outcome.closed_at,
            is_emergency=outcome.is_emergency,
            rules=card.as_told if card is not None else RULES,
        )
        if card is None or not _is_vote_on(card, outcome):
            yield outcome, vote, None
            continue
        others = [each for each in adopted if each.version != outcome.version]
        yield outcome, vote, vote.tally.passed and not _broken(card, others, at=outcome.closed_at)
        if outcome.passed:
            if outcome.is_emergency:
                others = [each for each in others if not _gives_way(each, outcome.closed_at)]
            adopted = [*others, card]


def _is_vote_on(card: RateCard, outcome: RateCardOutcome) -> bool:
    return card.is_emergency == outcome.is_emergency and card.closes_at in {None, outcome.closed_at}


def _told() -> dict[int, RateCard]:
    """Every version as it was put before the members, by number."""
    told = {card.number: card for card in RateCard.objects.published()}
    return told | {row.version: as_card(row) for row in sent_back()}


def sent_back() -> QuerySet[RateCardHistory]:
    """Each version that an adopted emergency sent back to draft, by number: its row as it stood last."""
    rows = RateCardHistory.objects.filter(version__isnull=False).exclude(version=F("pgh_obj__version"))
    return rows.order_by("version", "-pgh_id").distinct("version")


def as_card(row: RateCardHistory) -> RateCard:
    """The card as a row of its history has it: to be read, never saved."""
    return RateCard(**{each.attname: getattr(row, each.attname) for each in RateCard._meta.concrete_fields})


def closed_unsettled(*, moment: datetime) -> list[RateCard]:
    """Votes past their close that nobody has settled, in the order they closed; of two at one moment the emergency."""
    waiting = RateCard.objects.filter(state=CardState.VOTING.value, closes_at__lte=moment)
    return list(waiting.order_by("closes_at", "-is_emergency", "pk"))


def adopted_by(*, moment: datetime) -> list[RateCard]:
    """The adopted cards by date, as they are once every vote closed by `moment` is settled. Writes nothing: pages and
    quotes are right however late a worker is."""
    return _settled(moment).adopted


@dataclass(slots=True)
class _Settled:
    """What the votes that are closed and not settled come to."""

    adopted: list[RateCard]
    rejected: list[RateCard] = field(default_factory=list)
    passed: list[RateCard] = field(default_factory=list)
    sent_back: list[RateCard] = field(default_factory=list)

    @property
    def no_longer_under_way(self) -> list[RateCard]:
        return [*self.rejected, *self.passed, *self.sent_back]

    def adopt(self, card: RateCard, returned: Sequence[RateCard]) -> None:
        gone = {each.pk for each in returned}
        self.sent_back += returned
        self.passed.append(card)
        left = [each for each in self.adopted if each.pk not in gone]
        self.adopted = sorted([*left, card], key=lambda each: str(each.effective_date))


def _settled(moment: datetime) -> _Settled:
    came = _Settled(list(RateCard.objects.adopted().order_by("effective_date")))
    for card in closed_unsettled(moment=moment):
        if card.pk in {each.pk for each in came.sent_back} or card.closes_at is None:
            continue
        if not _would_pass(card, came.adopted):
            came.rejected.append(card)
            continue
        came.adopt(card, _returned_by(card, came, at=card.closes_at) if card.is_emergency else [])
    return came


def _returned_by(emergency: RateCard, came: _Settled, *, at: datetime) -> list[RateCard]:
    """What an emergency adopted at `at` sends back, once the votes that closed before it are settled: their cards are
    under way no more, whatever their rows still say."""
    over = {each.pk for each in came.no_longer_under_way}
    stored = [each for each in in_flight_at(moment=at, excluding=emergency.pk) if each.pk not in over]
    scheduled = [each for each in came.adopted if _gives_way(each, at)]
    return list({each.pk: each for each in [*stored, *scheduled]}.values())


def _gives_way(card: RateCard, at: datetime) -> bool:
    """A normal card not in force yet at `at`."""
    return not card.is_emergency and card.effective_date is not None and card.effective_date > at.date()


def _would_pass(card: RateCard, adopted: Sequence[RateCard]) -> bool:
    if card.closes_at is None:
        return False
    broken = _broken(card, adopted, at=card.closes_at)
    return not broken and standing(card, moment=card.closes_at).tally.passed


def _broken(card: RateCard, adopted: Iterable[RateCard], *, at: datetime) -> list[Problem]:
    """The rules that a card's rates break when its vote closes, beside the cards adopted by then."""
    return problems(
        card.terms,
        moment=at,
        history=History(adopted=tuple(_adopted(each) for each in adopted)),
        rules=card.as_told,
        step=Step.OUTCOME,
        noticed_at=card.proposed_at,
    )


def in_flight_at(*, moment: datetime, excluding: int) -> list[RateCard]:
    """The normal cards that an emergency adopted at `moment` sends back: proposed, voting, or not in force yet."""
    others = RateCard.objects.exclude(pk=excluding).filter(is_emergency=False)
    begun_after = moment.date()
    return list(
        others.filter(
            Q(state__in=_UNDER_WAY, proposed_at__lt=moment)
            | Q(state=CardState.APPROVED.value, effective_date__gt=begun_after)
        ).order_by("pk")
    )
