"""A card's way as people follow it, and a vote's bars: pure, told from moments."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from cloud_credits.policies.governance import RULES, Choice, tally
from cloud_credits.policies.rate_card_bars import bars, turnout
from cloud_credits.policies.rate_card_course import Course, Mark, next_of, state_in_words, steps
from cloud_credits.policies.rate_cards import CardState

NOTICE = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
OPENS = datetime(2026, 6, 16, 12, tzinfo=UTC)
CLOSES = datetime(2026, 6, 20, 12, tzinfo=UTC)
DAY = date(2026, 8, 1)
PROPOSED = Course(
    state=CardState.PROPOSED, is_emergency=False, proposed_at=NOTICE, opens_at=None, closes_at=None, withdrawn_at=None,
    effective_date=DAY, rules=RULES, now=NOTICE + timedelta(days=1),
)  # fmt: skip
# 72 hours of voting and 72 hours of rest fit no more before the day.
TOO_LATE = replace(PROPOSED, now=datetime(2026, 7, 26, tzinfo=UTC))
VOTING = replace(PROPOSED, state=CardState.VOTING, opens_at=OPENS, closes_at=CLOSES, now=OPENS)


def marks(course: Course) -> list[tuple[str, str]]:
    return [(step.title, step.mark.value) for step in steps(course)]


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        (PROPOSED, "done now coming coming coming"),
        (VOTING, "done done now coming coming"),
        (replace(VOTING, now=CLOSES), "done done done now coming"),
        (replace(VOTING, state=CardState.APPROVED, now=CLOSES), "done done done done coming"),
        (replace(VOTING, state=CardState.ACTIVE, now=datetime(2026, 8, 1, tzinfo=UTC)), "done done done done done"),
        (replace(VOTING, state=CardState.REJECTED, now=CLOSES), "done done done stopped stopped"),
        (replace(VOTING, state=CardState.WITHDRAWN, withdrawn_at=OPENS), "done done stopped stopped stopped"),
        (replace(PROPOSED, state=CardState.WITHDRAWN, withdrawn_at=OPENS), "done stopped stopped stopped stopped"),
        (replace(PROPOSED, state=CardState.LAPSED), "done stopped stopped stopped stopped"),
        (TOO_LATE, "done now stopped stopped stopped"),
    ],
    ids=[
        "proposed", "voting", "closed", "approved", "active", "rejected", "broken-off", "withdrawn", "lapsed",
        "too-late",
    ],
)  # fmt: skip
def test_steps__say_how_far_a_card_has_come(course, expected):
    assert [mark for _, mark in marks(course)] == expected.split()
    assert [title for title, _ in marks(course)] == ["Members told", "Discussion", "Vote", "Outcome", "In force"]


def test_steps__the_first_card_was_not_voted_on():
    first = replace(PROPOSED, state=CardState.ACTIVE, now=datetime(2026, 9, 1, tzinfo=UTC))
    assert marks(first) == [("Members told", "done"), ("In force", "done")]


def test_steps__carry_their_moments():
    told, discussion, vote, _, effect = steps(VOTING)
    assert (told.at, discussion.at, vote.at, effect.day) == (NOTICE, OPENS, CLOSES, DAY)
    assert vote.mark is Mark.NOW


@pytest.mark.parametrize(
    ("course", "words", "until"),
    [
        (PROPOSED, "Voting may open", NOTICE + timedelta(days=14)),
        # 72 hours of rest before the day, and 72 hours of voting before that
        (
            replace(PROPOSED, now=NOTICE + timedelta(days=14)),
            "Discussion is open. Voting must open",
            datetime(2026, 7, 26, tzinfo=UTC),
        ),
        # 60 days after the notice it lapses, where that is sooner
        (
            replace(PROPOSED, effective_date=date(2026, 12, 1), now=NOTICE + timedelta(days=20)),
            "Discussion is open. Voting must open",
            NOTICE + timedelta(days=60),
        ),
        (
            TOO_LATE,
            "It is too late for a vote. Its proposer may withdraw it; otherwise it lapses",
            NOTICE + timedelta(days=60),
        ),
        # also while the job that lets it lapse is late
        (
            replace(PROPOSED, now=NOTICE + timedelta(days=61)),
            "It is too late for a vote. Its proposer may withdraw it; otherwise it lapses",
            NOTICE + timedelta(days=60),
        ),
        (VOTING, "Voting closes", CLOSES),
        (replace(VOTING, state=CardState.APPROVED, now=CLOSES), "Takes effect", datetime(2026, 8, 1, tzinfo=UTC)),
        (
            replace(PROPOSED, is_emergency=True, effective_date=date(2026, 6, 15)),
            "Discussion is open. Voting must open",
            datetime(2026, 6, 13, tzinfo=UTC),
        ),
    ],
)
def test_next__is_the_moment_that_matters(course, words, until):
    found = next_of(course)
    assert (found.words, found.until) == (words, until)


def test_next__is_nothing_once_all_is_over():
    over = [
        replace(VOTING, now=CLOSES),
        replace(VOTING, state=CardState.REJECTED, now=CLOSES),
        replace(VOTING, state=CardState.ACTIVE, now=datetime(2026, 8, 1, tzinfo=UTC)),
    ]
    assert [next_of(course) for course in over] == [None] * 3


def test_too_late__is_the_moment_from_which_no_vote_fits():
    assert not replace(TOO_LATE, now=TOO_LATE.now - timedelta(microseconds=1)).is_too_late
    assert TOO_LATE.is_too_late
    assert not replace(VOTING, now=CLOSES).is_too_late
    vote, outcome, effect = steps(TOO_LATE)[2:]
    assert (vote.at, vote.what) == (TOO_LATE.now, "had to open by then, and did not")
    assert (outcome.what, effect.what, effect.day) == ("none: there was no vote", "never", None)


def test_state__is_told_from_the_clock_and_not_from_a_job():
    assert state_in_words(VOTING) == "voting"
    assert state_in_words(replace(VOTING, now=CLOSES - timedelta(microseconds=1))) == "voting"
    assert state_in_words(replace(VOTING, now=CLOSES)) == "counting"
    assert state_in_words(replace(VOTING, state=CardState.APPROVED, now=CLOSES)) == "approved"


def votes(yes: int, no: int, abstain: int) -> list[Choice]:
    return [Choice.YES] * yes + [Choice.NO] * no + [Choice.ABSTAIN] * abstain


@pytest.mark.parametrize(
    ("cast", "electors", "is_emergency", "met"),
    [
        (votes(2, 0, 0), 4, False, [True, True, True]),
        (votes(1, 0, 1), 4, False, [True, True, False]),
        (votes(2, 2, 0), 4, False, [True, False, True]),
        (votes(1, 0, 0), 3, False, [False, True, False]),
        (votes(2, 0, 3), 9, False, [True, True, False]),
        (votes(3, 0, 2), 9, False, [True, True, True]),
        (votes(2, 0, 0), 3, True, [True, True, True]),
        (votes(2, 0, 0), 4, True, [True, True, False]),
        ([], 0, False, [True, False, False]),
    ],
)
def test_bars__are_the_rule(cast, electors, is_emergency, met):
    found = tally(cast, electors, is_emergency, RULES)
    drawn = bars(found, is_emergency=is_emergency, rules=RULES)
    assert [bar.is_met for bar in drawn] == met
    assert found.passed == all(met)


def test_bars__say_their_numbers():
    quorum, majority, support = bars(tally(votes(3, 1, 1), 9, False, RULES), is_emergency=False, rules=RULES)
    assert (quorum.words, quorum.share, quorum.mark) == ("5 of 9 electors voted", "55.6", "50")
    assert quorum.need == "At least 5 must vote; abstentions count."
    assert (majority.words, majority.share) == ("3 yes, 1 no, 1 abstained", "75.0")
    assert (support.words, support.share, support.mark) == ("3 yes of 9 electors", "33.3", "33.3")
    assert support.need == "At least 3: a quarter of the electorate, and never fewer than 2."


def test_bars__of_an_emergency_want_two_thirds():
    support = bars(tally(votes(3, 0, 0), 5, True, RULES), is_emergency=True, rules=RULES)[2]
    assert (support.need, support.is_met) == (
        "At least 4: two thirds of the electorate, and never fewer than 2.",
        False,
    )


def test_turnout__tells_nothing_of_how_anybody_voted():
    assert turnout(votes=2, electors=4, rules=RULES).words == "2 of 4 electors voted"
