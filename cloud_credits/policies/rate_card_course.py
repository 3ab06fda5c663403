"""The course of a rate card as people follow it: told, discussed, voted on, decided, in force; and what comes next."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from cloud_credits.policies.governance import Rules, day_start, lapses_at
from cloud_credits.policies.rate_cards import ADOPTED, CardState


class Mark(StrEnum):
    DONE = "done"
    NOW = "now"
    COMING = "coming"
    STOPPED = "stopped"


_ENDED: Final = {
    CardState.REJECTED: "not adopted",
    CardState.WITHDRAWN: "withdrawn by its proposer",
    CardState.LAPSED: "lapsed: no vote was opened in time",
}


@dataclass(frozen=True, slots=True)
class Course:
    """What the steps of a card are told from. `now` is the house's clock."""

    state: CardState
    is_emergency: bool
    proposed_at: datetime
    opens_at: datetime | None
    closes_at: datetime | None
    withdrawn_at: datetime | None
    effective_date: date
    rules: Rules
    now: datetime

    @property
    def takes_effect_at(self) -> datetime:
        return day_start(self.effective_date)

    @property
    def may_open_at(self) -> datetime:
        """The first moment a vote may open."""
        return self.proposed_at + self.rules.discussion(is_emergency=self.is_emergency)

    @property
    def must_close_by(self) -> datetime:
        return self.takes_effect_at - self.rules.rest(is_emergency=self.is_emergency)

    @property
    def must_open_by(self) -> datetime:
        """The last moment that leaves a vote its least length; before the card lapses."""
        latest = self.must_close_by - self.rules.voting(is_emergency=self.is_emergency)
        return min(latest, lapses_at(self.proposed_at, self.rules))

    @property
    def is_too_late(self) -> bool:
        """No vote can be opened any more: the card waits to be withdrawn, or to lapse."""
        return self.state is CardState.PROPOSED and self.now >= self.must_open_by

    @property
    def is_open(self) -> bool:
        """Ballots are taken: closed is derived from `closes_at`, not from a job having run."""
        return self.state is CardState.VOTING and self.closes_at is not None and self.now < self.closes_at

    @property
    def is_counting(self) -> bool:
        return self.state is CardState.VOTING and not self.is_open

    @property
    def is_discussed(self) -> bool:
        """Its thread is open."""
        return self.state in {CardState.PROPOSED, CardState.VOTING}

    @property
    def is_under_way(self) -> bool:
        """Something may still change about it."""
        scheduled = self.state in ADOPTED and self.takes_effect_at > self.now
        return scheduled or self.is_discussed


@dataclass(frozen=True, slots=True)
class CourseStep:
    """`at` is a moment, `day` a UTC day: at most one of them; `what` says more."""

    title: str
    mark: Mark
    at: datetime | None = None
    day: date | None = None
    what: str = ""


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next: `words`, then a countdown to `until`."""

    words: str
    until: datetime


def steps(course: Course) -> list[CourseStep]:
    """Notice, discussion, vote, outcome, effect: in order; a first card that nobody voted on has two."""
    told = CourseStep("Members told", Mark.DONE, at=course.proposed_at)
    if course.state in ADOPTED and course.closes_at is None:
        return [told, _effect(course)]
    return [told, _discussion(course), _vote(course), *_outcome(course), _effect(course)]


def next_of(course: Course) -> Next | None:
    """The next moment that matters, be it that a card nobody can vote on lapses; None once nothing is to come."""
    if course.is_open and course.closes_at is not None:
        return Next("Voting closes", course.closes_at)
    if course.state is CardState.PROPOSED:
        if course.is_too_late:
            lapses = lapses_at(course.proposed_at, course.rules)
            return Next("It is too late for a vote. Its proposer may withdraw it; otherwise it lapses", lapses)
        if course.now < course.may_open_at:
            return Next("Voting may open", course.may_open_at)
        return Next("Discussion is open. Voting must open", course.must_open_by)
    if course.state in ADOPTED and course.takes_effect_at > course.now:
        return Next("Takes effect", course.takes_effect_at)
    return None


def state_in_words(course: Course) -> str:
    """The state as people say it: a vote past its close is being counted; an adopted card by its date."""
    if course.is_counting:
        return "counting"
    if course.state in ADOPTED and course.takes_effect_at > course.now:
        return "approved"
    return course.state.value


def _discussion(course: Course) -> CourseStep:
    if course.opens_at is not None:
        return CourseStep("Discussion", Mark.DONE, at=course.opens_at, what="until the vote opened")
    if course.state is CardState.PROPOSED:
        if course.is_emergency:
            return CourseStep("Discussion", Mark.NOW, what="open; an emergency card may go to the vote at once")
        return CourseStep("Discussion", Mark.NOW, at=course.may_open_at, what="open, at least until then")
    return CourseStep("Discussion", Mark.STOPPED, what="ended without a vote")


def _vote(course: Course) -> CourseStep:
    if course.closes_at is None:
        if course.is_too_late:
            return CourseStep("Vote", Mark.STOPPED, at=course.must_open_by, what="had to open by then, and did not")
        if course.state is CardState.PROPOSED:
            return CourseStep("Vote", Mark.COMING, at=course.must_close_by, what="closes by then at the latest")
        return CourseStep("Vote", Mark.STOPPED, what="none was held")
    if course.is_open:
        return CourseStep("Vote", Mark.NOW, at=course.closes_at, what="open until then")
    if course.state is CardState.WITHDRAWN:
        return CourseStep("Vote", Mark.STOPPED, at=course.withdrawn_at, what="broken off")
    return CourseStep("Vote", Mark.DONE, at=course.closes_at, what="closed")


def _outcome(course: Course) -> Iterator[CourseStep]:
    if course.state in _ENDED:
        at = course.withdrawn_at if course.state is CardState.WITHDRAWN else course.closes_at
        yield CourseStep("Outcome", Mark.STOPPED, at=at, what=_ENDED[course.state])
    elif course.state in ADOPTED:
        yield CourseStep("Outcome", Mark.DONE, at=course.closes_at, what="adopted")
    elif course.is_counting:
        yield CourseStep("Outcome", Mark.NOW, what="the ballots are being counted")
    elif course.is_too_late:
        yield CourseStep("Outcome", Mark.STOPPED, what="none: there was no vote")
    else:
        yield CourseStep("Outcome", Mark.COMING, what="counted when the vote closes")


def _effect(course: Course) -> CourseStep:
    day = course.effective_date
    if course.state in _ENDED or course.is_too_late:
        return CourseStep("In force", Mark.STOPPED, what="never")
    if course.state in ADOPTED:
        mark = Mark.COMING if course.takes_effect_at > course.now else Mark.DONE
        return CourseStep("In force", mark, day=day, what="from 00:00 UTC")
    return CourseStep("In force", Mark.COMING, day=day, what="from 00:00 UTC, if it is adopted")
