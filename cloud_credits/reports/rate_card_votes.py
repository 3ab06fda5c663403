"""A rate card's thread, electorate and ballots as pages and the API show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import OuterRef, QuerySet, Subquery

from cloud_credits.models import (
    RateCard,
    RateCardComment,
    RateCardElector,
    RateCardHistory,
    RateCardOutcome,
)
from cloud_credits.policies.governance import Tally, tally
from cloud_credits.policies.rate_card_bars import Bar, bars, turnout
from cloud_credits.policies.rate_card_course import Course
from cloud_credits.policies.rate_card_papers import PrintedOutcome
from cloud_credits.policies.rate_cards import CardState
from cloud_credits.reports import governance
from cloud_credits.reports.governance import ElectorVote, standing
from habitat.members.models import Member
from habitat.members.policies.actors import ActorKind
from habitat.members.policies.statuses import MemberStatus

THREAD_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Roll:
    """Who votes on a card by name, and how; before the opening, those who were eligible at the notice.

    `dropped` were eligible at the notice and no longer when voting opened.
    """

    electors: Sequence[ElectorVote]
    dropped: Sequence[str]
    tally: Tally

    def row_of(self, member_id: int | None) -> ElectorVote | None:
        return next((row for row in self.electors if row.member_id == member_id), None)


def awaits_ballot_of(member: Member | None, *, roll: Roll, course: Course) -> bool:
    """True while an elector may vote: whoever lost the role since the opening too; a suspended one not (domain §2)."""
    if member is None or member.status != MemberStatus.ACTIVE:
        return False
    return course.is_open and roll.row_of(member.pk) is not None


@dataclass(frozen=True, slots=True)
class Thread:
    """A page of comments, oldest first; `earlier` is the mark of the page before."""

    comments: Sequence[RateCardComment]
    count: int
    earlier: int | None


def course_of(card: RateCard, *, now: datetime) -> Course:
    """A published card's course, seen from `now`. ValueError for a draft."""
    if card.proposed_at is None or card.effective_date is None:
        raise ValueError("a draft has no course")
    return Course(
        state=CardState(card.state),
        is_emergency=card.is_emergency,
        proposed_at=card.proposed_at,
        opens_at=card.opens_at,
        closes_at=card.closes_at,
        withdrawn_at=card.withdrawn_at,
        effective_date=card.effective_date,
        rules=card.as_told,
        now=now,
    )


def roll_of(card: RateCard, *, now: datetime) -> Roll:
    """The electorate of the card's version, with each one's ballot that stands once voting was opened."""
    listed = RateCardElector.objects.filter(card=card, version=card.version).select_related("member")
    if card.closes_at is not None:
        held = standing(card, moment=now)
        dropped = listed.filter(at_opening=False).values_list("member__display_name", flat=True)
        return Roll(sorted(held.electors, key=_by_name), sorted(dropped, key=str.casefold), held.tally)
    electors = [
        ElectorVote(each.pk, each.member_id, each.member.display_name, choice=None, reason="", cast_at=None)
        for each in listed
    ]
    return Roll(sorted(electors, key=_by_name), (), tally((), len(electors), card.is_emergency, card.as_told))


def outcome_of(card: RateCard, course: Course) -> RateCardOutcome | None:
    """What the vote came to; looked for only where there was one and it is over."""
    return card.outcome if card.closes_at is not None and not course.is_open else None


def bars_of(card: RateCard, outcome: RateCardOutcome | None, *, roll: Roll, course: Course) -> list[Bar]:
    """What pages draw of a vote: all of it once it has an outcome. Before, the turnout alone, for a single ballot would
    be told by its bar; a closed vote that is not counted yet may still be broken off by an emergency. Of one that was
    broken off nothing."""
    if outcome is not None:
        return bars(roll.tally, is_emergency=card.is_emergency, rules=card.as_told)
    if course.is_open or course.is_counting:
        return [turnout(votes=roll.tally.votes, electors=roll.tally.electors, rules=card.as_told)]
    return []


def _by_name(row: ElectorVote) -> tuple[str, int]:
    return row.name.casefold(), row.member_id


def proposer_of(card: RateCard) -> str:
    """Who put the card before the members, by name; the cooperative itself for its first card."""
    kind, _, number = card.proposed_by.partition(":")
    if kind != ActorKind.MEMBER.value:
        return "the cooperative"
    return Member.objects.values_list("display_name", flat=True).get(pk=number)


def printed(outcome: RateCardOutcome | None, card: RateCard) -> PrintedOutcome | None:
    """The outcome for the Markdown page: decided when the vote closed, whenever it was written down."""
    if outcome is None or card.closes_at is None:
        return None
    return PrintedOutcome(
        settled_at=card.closes_at,
        electors=outcome.electors,
        yes=outcome.yes,
        no=outcome.no,
        abstain=outcome.abstain,
        passed=outcome.passed,
        rule=outcome.bar,
        reason=outcome.reason,
        eligible=outcome.eligible,
    )


def thread_of(version: int | None, *, before: int | None = None) -> Thread:
    """The newest comments on a version, or those before the comment `before`. A number is never used twice."""
    rows = RateCardComment.objects.filter(version=version).select_related("member")
    count = rows.count()
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: THREAD_PAGE + 1])
    shown = found[:THREAD_PAGE][::-1]
    return Thread(shown, count, shown[0].pk if len(found) > THREAD_PAGE else None)


@dataclass(frozen=True, slots=True)
class SentBack:
    """A version that an adopted emergency sent back to draft: its card as it was put before the members, and why it
    went back. The draft itself may have been edited, proposed again and ended since."""

    card: RateCard
    why: str


def sent_back(version: int) -> SentBack | None:
    """The version, if it was sent back."""
    return _as_told(governance.sent_back().filter(version=version)).get(version)


def sent_back_among(versions: Iterable[int]) -> dict[int, SentBack]:
    """Those of the versions that were sent back, by number: in one read."""
    return _as_told(governance.sent_back().filter(version__in=list(versions)))


def _as_told(rows: QuerySet[RateCardHistory]) -> dict[int, SentBack]:
    # Why it went back stands in the very next row of its history.
    later = RateCardHistory.objects.filter(pgh_obj=OuterRef("pgh_obj"), pgh_id__gt=OuterRef("pgh_id"))
    told = rows.annotate(why=Subquery(later.order_by("pgh_id").values("ended_reason")[:1]))
    unsaid = "An emergency card was adopted while it was under way."
    return {row.version: SentBack(governance.as_card(row), row.why or unsaid) for row in told}


def told_versions() -> QuerySet[RateCardHistory]:
    """Every version that was put before the members, sent back or not, as its history has it last."""
    rows = RateCardHistory.objects.filter(version__isnull=False)
    last = rows.order_by("version", "-pgh_id").distinct("version")
    return RateCardHistory.objects.filter(pgh_id__in=last.values("pgh_id"))


def earlier_versions(card: RateCard) -> list[int]:
    """The numbers under which a card was before the members until an emergency sent it back, the oldest first."""
    return list(governance.sent_back().filter(pgh_obj=card.pk).values_list("version", flat=True))
