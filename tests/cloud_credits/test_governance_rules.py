"""The rules members govern their prices by (domain §4): a table of dated cases, each accepted or refused with its
reason, asked of the pure rules and again of the verbs over the database."""

# ruff: noqa: E501 - each case is one line

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_credits.actions import rate_cards
from cloud_credits.errors import CardRefused, NotAnElector, VoteClosed
from cloud_credits.models import RateCard
from cloud_credits.policies.governance import (
    RULES,
    Adopted,
    CardTerms,
    Choice,
    Defeat,
    History,
    InFlight,
    Part,
    Step,
    Vote,
    above_caps,
    counted,
    earliest_day,
    highest_rate,
    opening_problems,
    problems,
    reminders_due,
    rules_of,
    tally,
)
from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.rate_card_bars import bars
from tests.cloud_credits import governed
from tests.cloud_credits.governed import adopt_for, draft, make_stewards, opened, refused, steward, stored, vote

YES, NO, ABSTAIN = "yes", "no", "abstain"
V1 = Adopted(
    1,
    date(2026, 4, 1),
    False,
    {p: getattr(governed.terms(), f"{p.value}_rate") for p in Primitive},
    {p: getattr(governed.terms(), f"{p.value}_cost") for p in Primitive},
)
MARCH = date(2027, 3, 1)
# Compute's documented cost is 3.125 times v1's 0.0416: more than twice, so an emergency may go that far.
DEARER = {"is_emergency": True, "compute_cost": "0.13"}


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """A card proposed `at`, after `given` cards were adopted over v1: accepted, or refused for these reasons."""

    name: str
    at: datetime
    card: dict[str, Any] = field(default_factory=dict)
    given: tuple[dict[str, Any], ...] = ()
    refused_for: tuple[str, ...] = ()


RAISED = {"effective_date": MARCH, "compute_rate": "1.5"}
JUMPED = {"effective_date": MARCH, "compute_rate": "3"} | DEARER
TALKED_DOWN = {"effective_date": MARCH, "compute_cost": "0.01"}

CASES = [
    # notice: 30 × 24 h before 00:00 UTC of the effective date, 7 × 24 h for an emergency
    Case("thirty days", utc(2027, 1, 30), {"effective_date": MARCH}),
    Case("thirty days less a microsecond", utc(2027, 1, 30, 0, 0, 0, 1), {"effective_date": MARCH}, (), ("notice_too_short",)),
    Case("29 days", utc(2027, 1, 31), {"effective_date": MARCH}, (), ("notice_too_short",)),
    Case("an emergency with seven days", utc(2027, 2, 22), {"effective_date": MARCH, "is_emergency": True}),
    Case("an emergency with seven days less a microsecond", utc(2027, 2, 22, 0, 0, 0, 1), {"effective_date": MARCH, "is_emergency": True}, (), ("notice_too_short",)),
    Case("an emergency with six days", utc(2027, 2, 23), {"effective_date": MARCH, "is_emergency": True}, (), ("notice_too_short",)),
    # caps: (1 + cap) × the lowest rate in force in the 92 days before
    Case("compute + 50 %", utc(2027, 1, 4), {"compute_rate": "1.5"}),
    Case("compute a hair above + 50 %", utc(2027, 1, 4), {"compute_rate": "1.50000001"}, (), ("above_cap",)),
    Case("long-term memory + 30 %", utc(2027, 1, 4), {"ltm_rate": "0.065"}),
    Case("long-term memory a hair above + 30 %", utc(2027, 1, 4), {"ltm_rate": "0.06500001"}, (), ("above_cap",)),
    Case("everything unchanged", utc(2027, 1, 4)),
    Case("a cut by half", utc(2027, 1, 4), {"compute_rate": "0.5"}),
    Case("two raises inside 92 days", utc(2027, 4, 20), {"effective_date": date(2027, 5, 31), "compute_rate": "2.25"}, (RAISED,), ("above_cap",)),
    Case("two raises 92 days apart", utc(2027, 4, 20), {"effective_date": date(2027, 6, 1), "compute_rate": "2.25"}, (RAISED,)),
    Case("unchanged after a raise", utc(2027, 3, 2), {"effective_date": date(2027, 4, 15), "compute_rate": "1.5"}, (RAISED,)),
    # emergencies: only what costs more than twice the highest basis of the year, by no more than its ratio
    Case("an emergency up to its cost ratio", utc(2027, 2, 20), {"compute_rate": "3.125"} | DEARER),
    Case("an emergency beyond its cost ratio", utc(2027, 2, 20), {"compute_rate": "3.12500001"} | DEARER, (), ("above_cap",)),
    Case("an emergency whose cost only doubled", utc(2027, 2, 20), {"compute_rate": "1.50000001", "is_emergency": True, "compute_cost": "0.0832"}, (), ("above_cap",)),
    Case("an emergency of another primitive", utc(2027, 2, 20), {"stm_rate": "0.76"} | DEARER, (), ("above_cap",)),
    Case("a dearer cost without an emergency", utc(2027, 1, 4), {"compute_rate": "3", "compute_cost": "0.13"}, (), ("above_cap",)),
    Case("an emergency without evidence", utc(2027, 2, 20), {"is_emergency": True, "evidence": " "}, (), ("part_missing",)),
    Case("a cut after an emergency", utc(2027, 3, 2), {"effective_date": date(2027, 4, 15), "compute_rate": "2"}, (JUMPED,)),
    Case("unchanged after an emergency", utc(2027, 3, 2), {"effective_date": date(2027, 4, 15), "compute_rate": "3"}, (JUMPED,)),
    Case("a raise after an emergency", utc(2027, 3, 2), {"effective_date": date(2027, 4, 15), "compute_rate": "3.00000001"}, (JUMPED,), ("above_cap",)),
    Case("a second emergency after 179 days", utc(2027, 8, 1), {"effective_date": date(2027, 8, 27), "is_emergency": True, "compute_rate": "3"}, (JUMPED,), ("emergency_too_soon",)),
    Case("a second emergency after 180 days", utc(2027, 8, 1), {"effective_date": date(2027, 8, 28), "is_emergency": True, "compute_rate": "3"}, (JUMPED,)),
    Case("a cost basis talked down before an emergency", utc(2027, 4, 20), {"effective_date": date(2027, 5, 1), "is_emergency": True, "compute_cost": "0.0416", "compute_rate": "4"}, (TALKED_DOWN,), ("above_cap",)),
    Case("a cost basis that was low for a year", utc(2028, 3, 5), {"effective_date": date(2028, 3, 15), "is_emergency": True, "compute_cost": "0.0416", "compute_rate": "4"}, (TALKED_DOWN,)),
    # one normal card in flight, effective dates unique and ascending
    Case("beside an approved card that is not in force yet", utc(2027, 2, 20), {"effective_date": date(2027, 4, 1)}, ({"effective_date": MARCH},), ("card_in_flight",)),
    Case("once the approved card is in force", utc(2027, 3, 1), {"effective_date": date(2027, 4, 1)}, ({"effective_date": MARCH},)),
    Case("equal effective dates", utc(2027, 1, 25), {"effective_date": MARCH}, ({"effective_date": MARCH},), ("card_in_flight", "effective_date_not_after")),
    Case("an emergency on the day of a scheduled card", utc(2027, 2, 20), {"effective_date": MARCH, "is_emergency": True}, ({"effective_date": MARCH},)),
]  # fmt: skip
NAMES = [case.name for case in CASES]


def given_history(case: Case) -> History:
    adopted = [V1]
    for number, fields in enumerate(case.given, start=2):
        terms = governed.terms(**fields)
        costs = {primitive: cost for primitive, cost in terms.costs.items() if cost is not None}
        adopted.append(Adopted(number, fields["effective_date"], terms.is_emergency, terms.rates, costs))
    return History(adopted=tuple(adopted))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_rules__of_a_proposal(case):
    found = problems(
        governed.terms(**case.card), moment=case.at, history=given_history(case), rules=RULES, step=Step.PROPOSE
    )
    assert sorted({each.code for each in found}) == sorted(case.refused_for), [each.sentence for each in found]


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_verbs__of_a_proposal(case, house_clock):
    people = make_stewards(2)
    for fields in case.given:
        # The least notice that lets the vote close before the case is looked at.
        adopt_for(house_clock, people, **fields)
    rate_cards.follow_dates()
    house_clock.at(case.at)
    card = draft(people[0], **case.card)

    def propose():
        return rate_cards.propose(card_id=card.pk, acting=steward(people[0]))

    if case.refused_for:
        refusal = refused(CardRefused, propose)
        assert sorted(set(refusal.codes)) == sorted(case.refused_for)
    else:
        assert propose().version == len(case.given) + 2


# --- what else stops a proposal


@pytest.mark.parametrize(
    "part",
    [
        "effective_date",
        "compute_cost",
        "transfer_cost",
        "ltm_cost",
        "stm_cost",
        "target_margin",
        "reserve_buffer",
        "capacity_assumptions",
        "justification",
    ],
)
def test_rules__a_proposal_is_whole(part):
    whole = governed.terms()
    empty = "" if isinstance(getattr(whole, part), str) else None
    lacking = CardTerms(**({name: getattr(whole, name) for name in CardTerms.__slots__} | {part: empty}))
    found = problems(lacking, moment=governed.NOON, history=History((V1,)), rules=RULES, step=Step.PROPOSE)
    assert [(each.code, each.field) for each in found] == [("part_missing", part)]


@pytest.mark.parametrize(
    ("rate", "value"),
    [
        ("compute_rate", "0.49999999"),
        ("transfer_rate", "0.09999999"),
        ("ltm_rate", "0.04999999"),
        ("stm_rate", "0.00999999"),
    ],
)
@pytest.mark.parametrize("emergency", [False, True])
@pytest.mark.parametrize("step", list(Step))
def test_rules__never_below_a_floor(rate, value, emergency, step):
    card = governed.terms(**{rate: value, "is_emergency": emergency})
    found = problems(card, moment=governed.NOON, history=History((V1,)), rules=RULES, step=step)
    assert [(each.code, each.field) for each in found] == [("below_floor", rate)]


@pytest.mark.parametrize(("most", "right"), [("150", True), ("150.00000001", False)])
def test_rules__fifty_percent_to_the_last_digit(most, right):
    """+ 50 % and + 50.00000001 %, exactly."""
    dear = Adopted(2, date(2026, 6, 1), False, V1.rates | {Primitive.COMPUTE: Decimal(100)}, V1.costs)
    card = governed.terms(compute_rate=most)
    found = problems(card, moment=governed.NOON, history=History((V1, dear)), rules=RULES, step=Step.PROPOSE)
    assert [each.code for each in found] == ([] if right else ["above_cap"])


def test_rules__the_first_card_has_no_cap():
    card = governed.terms(compute_rate="9999")
    assert problems(card, moment=governed.NOON, history=History(), rules=RULES, step=Step.PROPOSE) == []
    assert highest_rate(card, Primitive.COMPUTE, history=History(), rules=RULES, noticed_at=governed.NOON) is None


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "-1", "10000", "1.000000001"])
def test_rules__numbers_the_card_cannot_hold(wrong):
    found = problems(
        governed.terms(compute_rate=wrong),
        moment=governed.NOON,
        history=History((V1,)),
        rules=RULES,
        step=Step.PROPOSE,
    )
    assert [(each.code, each.field) for each in found] == [("number_malformed", "compute_rate")]


@pytest.mark.parametrize(
    ("in_flight", "emergency", "right"),
    [
        (InFlight(2, False, "proposed"), False, False),
        (InFlight(2, False, "voting"), False, False),
        (InFlight(2, False, "voting"), True, True),
        (InFlight(2, True, "proposed"), True, False),
        (InFlight(2, True, "voting"), False, True),
    ],
)
def test_rules__two_cards_in_flight(in_flight, emergency, right):
    card = governed.terms(is_emergency=emergency)
    history = History((V1,), in_flight=(in_flight,))
    found = problems(card, moment=governed.NOON, history=history, rules=RULES, step=Step.PROPOSE)
    assert [each.code for each in found] == ([] if right else ["card_in_flight"])


@pytest.mark.parametrize(
    ("rates", "after", "right"),
    [
        # the defeated card raised compute to 1.4 and cut short-term memory to 0.4
        ({"compute_rate": "1.4"}, timedelta(days=29), False),
        ({"compute_rate": "1.5"}, timedelta(days=29), False),
        ({"compute_rate": "1.4"}, timedelta(days=30, microseconds=-1), False),
        ({"compute_rate": "1.4"}, timedelta(days=30), True),
        ({"compute_rate": "1.39999999"}, timedelta(days=1), True),
        ({"compute_rate": "1", "stm_rate": "0.5"}, timedelta(days=1), True),
        ({"compute_rate": "1", "stm_rate": "0.4"}, timedelta(days=1), True),
    ],
)
def test_rules__a_defeat_silences_for_thirty_days(rates, after, right):
    lost = governed.terms(compute_rate="1.4", stm_rate="0.4")
    defeat = Defeat(2, governed.NOON, MARCH, lost.rates)
    moment = governed.NOON + after
    card = governed.terms(effective_date=date(2027, 6, 1), **rates)
    found = problems(card, moment=moment, history=History((V1,), defeats=(defeat,)), rules=RULES, step=Step.PROPOSE)
    assert [each.code for each in found] == ([] if right else ["defeated_recently"])


def test_rules__a_defeated_cut_is_not_proposed_again_as_it_was():
    lost = governed.terms(compute_rate="0.8")
    defeat = Defeat(2, governed.NOON, MARCH, lost.rates)
    known = History((V1,), defeats=(defeat,))
    later = governed.NOON + timedelta(days=1)

    def ask(rate):
        return problems(governed.terms(compute_rate=rate), moment=later, history=known, rules=RULES, step=Step.PROPOSE)

    assert [each.code for each in ask("0.8")] == ["defeated_recently"]
    assert ask("0.81") == []
    assert ask("1") == []


def test_rules__earliest_day_is_the_first_that_passes():
    assert earliest_day(utc(2027, 1, 30), rules=RULES, is_emergency=False) == MARCH
    assert earliest_day(utc(2027, 1, 30, 0, 0, 0, 1), rules=RULES, is_emergency=False) == date(2027, 3, 2)
    assert earliest_day(utc(2027, 2, 22), rules=RULES, is_emergency=True) == MARCH


def test_rules__come_back_from_what_a_card_keeps():
    assert rules_of(RULES.as_json()) == RULES
    assert rules_of({}) == RULES


# --- opening the vote

NOTICE = utc(2027, 1, 4, 12)
OPENS = NOTICE + timedelta(days=14)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"opens_at": OPENS - timedelta(microseconds=1)}, "discussion_too_short"),
        ({"closes_at": OPENS + timedelta(hours=72) - timedelta(microseconds=1)}, "voting_too_short"),
        # voting open for one minute
        ({"closes_at": OPENS + timedelta(minutes=1)}, "voting_too_short"),
        ({"closes_at": utc(2027, 2, 26)}, None),
        ({"closes_at": utc(2027, 2, 26, 0, 0, 0, 1)}, "closes_too_late"),
        # a card that begins at midnight may price usage five minutes before
        ({"closes_at": utc(2027, 2, 25, 23, 55)}, None),
        ({"closes_at": utc(2027, 2, 25, 23, 55, 0, 1)}, "closes_before_midnight"),
        ({"closes_at": utc(2027, 2, 25, 23, 59, 59, 999999)}, "closes_before_midnight"),
        # the last day there is
        ({"closes_at": utc(9999, 12, 31, 12)}, "closes_too_late"),
        ({"electors": 1}, "too_few_electors"),
        ({"electors": 0}, "too_few_electors"),
        ({"opens_at": NOTICE + timedelta(days=60, microseconds=-1), "closes_at": NOTICE + timedelta(days=64), "effective_date": date(2027, 6, 1)}, None),
        ({"opens_at": NOTICE + timedelta(days=60), "closes_at": NOTICE + timedelta(days=64), "effective_date": date(2027, 6, 1)}, "lapsed"),
        ({"is_emergency": True, "opens_at": NOTICE, "closes_at": NOTICE + timedelta(hours=24)}, None),
        ({"is_emergency": True, "opens_at": NOTICE, "closes_at": NOTICE + timedelta(hours=24, microseconds=-1)}, "voting_too_short"),
        ({"is_emergency": True, "opens_at": NOTICE, "closes_at": utc(2027, 2, 28)}, None),
        ({"is_emergency": True, "opens_at": NOTICE, "closes_at": utc(2027, 2, 28, 0, 0, 0, 1)}, "closes_too_late"),
    ],
)  # fmt: skip
def test_rules__of_an_opening(changes, code):
    chosen = {
        "is_emergency": False,
        "effective_date": MARCH,
        "proposed_at": NOTICE,
        "opens_at": OPENS,
        "closes_at": OPENS + timedelta(hours=72),
        "electors": 2,
        "rules": RULES,
    } | changes
    assert [each.code for each in opening_problems(**chosen)] == ([code] if code else [])


# --- the vote: (electors, ballots, emergency) and what it comes to

VOTES = [
    ("two of two", 2, [YES, YES], False, True),
    ("proposer alone", 2, [YES], False, False),
    ("proposer alone among four", 4, [YES], False, False),
    ("nobody voted", 2, [], False, False),
    ("a tie", 4, [YES, YES, NO, NO], False, False),
    ("one more yes", 5, [YES, YES, YES, NO, NO], False, True),
    ("quorum missed by one", 5, [YES, YES], False, False),
    ("quorum met by an abstention", 5, [YES, YES, ABSTAIN], False, True),
    ("quorum of exactly half", 4, [YES, YES], False, True),
    ("half of an odd electorate", 7, [YES, YES, YES], False, False),
    ("a single yes among abstentions", 4, [YES, ABSTAIN, ABSTAIN, ABSTAIN], False, False),
    ("a quarter exactly", 8, [YES, YES, ABSTAIN, ABSTAIN], False, True),
    ("less than a quarter", 9, [YES, YES, ABSTAIN, ABSTAIN, ABSTAIN], False, False),
    ("an emergency with exactly two thirds", 3, [YES, YES, NO], True, True),
    ("an emergency with four of six", 6, [YES, YES, YES, YES, NO, NO], True, True),
    ("an emergency below two thirds", 4, [YES, YES], True, False),
    ("an emergency with five of eight", 8, [YES] * 5, True, False),
    ("an emergency of two", 2, [YES, YES], True, True),
    ("an emergency with one of two", 2, [YES, ABSTAIN], True, False),
]


@pytest.mark.parametrize(("name", "electors", "ballots", "emergency", "passes"), VOTES, ids=[row[0] for row in VOTES])
def test_rules__of_a_tally(name, electors, ballots, emergency, passes):
    count = tally([Choice(each) for each in ballots], electors, emergency, RULES)
    assert count.passed is passes, count.reason
    assert (count.yes, count.no, count.abstain) == tuple(ballots.count(each) for each in (YES, NO, ABSTAIN))
    assert count.quorum_met is (2 * len(ballots) >= electors)


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "electors", "ballots", "emergency", "passes"), VOTES, ids=[row[0] for row in VOTES])
def test_verbs__of_a_tally(name, electors, ballots, emergency, passes, house_clock):
    house_clock.at(governed.NOON)
    people = make_stewards(electors)
    card = opened(house_clock, people[0], is_emergency=emergency)
    vote(card, list(zip(people, ballots, strict=False)))
    house_clock.at(card.closes_at)
    outcome = rate_cards.settle(card_id=card.pk)
    governed.commit_checks()
    assert outcome.passed is passes, outcome.reason
    assert (outcome.yes, outcome.no, outcome.abstain, outcome.electors) == (
        ballots.count(YES),
        ballots.count(NO),
        ballots.count(ABSTAIN),
        electors,
    )
    assert stored(card).state == ("approved" if passes else "rejected")
    assert [each["member"] for each in outcome.electorate] == [person.pk for person in people]
    assert [each["choice"] for each in outcome.ballots] == ballots


@given(
    choices=st.lists(st.sampled_from(list(Choice)), max_size=40),
    absent=st.integers(0, 40),
    emergency=st.booleans(),
)
def test_rules__a_tally_never_passes_below_a_bar(choices, absent, emergency):
    electors = len(choices) + absent
    count = tally(choices, electors, emergency, RULES)
    cast = Counter(choices)
    yes, no = cast[Choice.YES], cast[Choice.NO]
    normal = 2 * len(choices) >= electors and yes > no and yes >= 2 and 4 * yes >= electors
    assert count.passed is (normal and (not emergency or 3 * yes >= 2 * electors))
    assert count.yes + count.no + count.abstain == count.votes == len(choices)
    assert tally(list(reversed(choices)), electors, emergency, RULES) == count
    # One more yes in place of an absence never turns an adoption into a defeat.
    if count.passed and absent:
        assert tally([*choices, Choice.YES], electors, emergency, RULES).passed


@given(votes=st.lists(st.tuples(st.integers(1, 5), st.sampled_from(list(Choice)), st.integers(-5, 5)), max_size=30))
def test_rules__the_newest_ballot_before_the_close_counts(votes):
    close = governed.NOON
    cast = [
        Vote(number, elector, choice, close + timedelta(seconds=second))
        for number, (elector, choice, second) in enumerate(votes)
    ]
    result = counted(cast, closes_at=close)
    in_time = [each for each in cast if each.cast_at < close]
    assert set(result) == {each.elector_id for each in in_time}
    for elector, choice in result.items():
        mine = [each for each in in_time if each.elector_id == elector]
        assert choice == max(mine, key=lambda each: (each.cast_at, each.id)).choice
    assert counted(reversed(cast), closes_at=close) == result


STRICTER = replace(RULES, quorum=Part(2, 3), support=Part(1, 2), emergency_support=Part(3, 4), fewest_yes=3)


@pytest.mark.parametrize(
    ("electors", "ballots", "emergency", "reason"),
    [
        (4, [YES, YES], False, "No quorum: 2 of 4 electors voted, 3 must."),
        (3, [YES, YES], False, "Too few in favour: 2 yes, at least 3 are needed."),
        (8, [YES] * 3 + [ABSTAIN] * 3, False, "Too few in favour: 3 yes of 8 electors, 4 are needed."),
        (7, [YES] * 5, True, "An emergency needs three quarters: 5 yes of 7 electors, 6 are needed."),
        (7, [YES] * 6, True, "6 yes and 0 no of 7 electors."),
    ],
)
def test_rules__a_vote_is_counted_by_the_bars_it_is_given(electors, ballots, emergency, reason):
    count = tally([Choice(each) for each in ballots], electors, emergency, rules_of(STRICTER.as_json()))
    assert count.reason == reason
    drawn = bars(count, is_emergency=emergency, rules=STRICTER)
    assert all(each.is_met for each in drawn) is count.passed


@pytest.mark.django_db
def test_verbs__a_vote_is_counted_by_the_bars_of_its_notice(house_clock, monkeypatch):
    house_clock.at(governed.NOON)
    people = make_stewards(4)
    card = opened(house_clock, people[0])
    vote(card, dict.fromkeys(people[:2], "yes"))
    # What the house would judge a new card by today.
    monkeypatch.setattr("cloud_credits.reports.governance.RULES", STRICTER)
    house_clock.at(card.closes_at)
    outcome = rate_cards.settle(card_id=card.pk)
    assert (outcome.passed, outcome.bar) == (True, RULES.as_json()["bars"]["normal"])
    assert (stored(card).rules["quorum"], stored(card).rules["fewest_yes"]) == ([1, 2], 2)


@pytest.mark.parametrize(
    ("past", "asked", "why"),
    [
        ([], {"compute_rate": "1.6"}, "1.5 CLOUD a comp-hr then (50 % above the lowest rate of the 92 days before)"),
        (
            [Adopted(2, date(2027, 2, 1), False, V1.rates | {Primitive.COMPUTE: Decimal(3)}, V1.costs)],
            {"compute_rate": "3.1"},
            "3 CLOUD a comp-hr then (the rate of version 2 before it)",
        ),
        (
            [],
            DEARER | {"compute_rate": "3.2"},
            "3.125 CLOUD a comp-hr then (the lowest rate of the 92 days before, risen as the cost has)",
        ),
    ],
)
def test_rules__a_cap_says_which_rule_it_is(past, asked, why):
    card = governed.terms(**asked)
    [found] = above_caps(card, history=History((V1, *past)), rules=RULES, noticed_at=governed.NOON)
    assert found.sentence == f"Compute may cost at most {why}; this says {asked['compute_rate']}."


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1, 4, 2), date(1999, 12, 31), date(3000, 1, 1), date.max])
@pytest.mark.parametrize("step", list(Step))
def test_rules__of_a_day_nobody_can_count_from(day, step):
    card = governed.terms(effective_date=day)
    found = problems(card, moment=governed.NOON, history=History((V1,)), rules=RULES, step=step)
    assert [(each.code, each.field) for each in found] == [("date_malformed", "effective_date")]
    assert highest_rate(card, Primitive.COMPUTE, history=History((V1,)), rules=RULES, noticed_at=governed.NOON) is None


# --- the rest of the issue's list, by the verbs


@pytest.mark.django_db
def test_verbs__a_vote_after_the_close(house_clock):
    house_clock.at(governed.NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    house_clock.at(card.closes_at - timedelta(microseconds=1))
    vote(card, {people[0]: YES})
    house_clock.at(card.closes_at)
    refusal = refused(VoteClosed, lambda: vote(card, {people[1]: YES}))
    assert refusal.sentence == f"The vote on rate card 2 closed at {card.closes_at:%Y-%m-%d %H:%M} UTC. What was cast before counts."  # fmt: skip


@pytest.mark.django_db
def test_verbs__a_steward_who_joined_after_the_notice_does_not_vote(house_clock):
    house_clock.at(governed.NOON)
    people = make_stewards(2)
    card = governed.proposed(people[0])
    late = governed.make_steward("Late")
    house_clock.forward(days=14)
    card = governed.open_vote(house_clock, card, people[0])
    assert card.electors.count() == 2
    refused(NotAnElector, lambda: vote(card, {late: YES}))


@pytest.mark.django_db
def test_verbs__an_electorate_packed_after_the_notice_changes_nothing(house_clock):
    """Five friends of the proposer made stewards after the notice: the two of the notice decide."""
    house_clock.at(governed.NOON)
    people = make_stewards(2)
    card = governed.proposed(people[0])
    friends = make_stewards(5)
    house_clock.forward(days=14)
    card = governed.open_vote(house_clock, card, people[0])
    for friend in friends:
        refused(NotAnElector, lambda friend=friend: vote(card, {friend: YES}))
    vote(card, {people[0]: YES, people[1]: NO})
    house_clock.at(card.closes_at)
    outcome = rate_cards.settle(card_id=card.pk)
    assert (outcome.electors, outcome.yes, outcome.no, outcome.passed) == (2, 1, 1, False)


@pytest.mark.django_db
def test_verbs__withdrawn_to_dodge_a_defeat(house_clock):
    house_clock.at(governed.NOON)
    people = make_stewards(3)
    card = opened(house_clock, people[0], compute_rate="1.4")
    vote(card, {people[1]: NO, people[2]: NO})
    rate_cards.withdraw(card_id=card.pk, reason="not now", acting=steward(people[0]))
    again = draft(people[0], compute_rate="1.4", effective_date=date(2027, 4, 15))
    refusal = refused(CardRefused, lambda: rate_cards.propose(card_id=again.pk, acting=steward(people[0])))
    assert refusal.codes == ["defeated_recently"]
    # nor by another hand, nor as an emergency
    other = draft(people[1], compute_rate="1.45", effective_date=date(2027, 4, 15), is_emergency=True)
    refused(CardRefused, lambda: rate_cards.propose(card_id=other.pk, acting=steward(people[1])))
    house_clock.forward(days=30)
    assert rate_cards.propose(card_id=again.pk, acting=steward(people[0])).version == 3


@pytest.mark.django_db
def test_verbs__clock_skew_at_midnight(house_clock):
    """A web server an hour slow or fast moves neither notice nor close: the database's clock decides."""
    people = make_stewards(2)
    house_clock.at(utc(2027, 1, 30, 0, 0, 0, 1))
    card = draft(people[0], effective_date=MARCH)
    house_clock.skew(hours=-1)
    refusal = refused(CardRefused, lambda: rate_cards.propose(card_id=card.pk, acting=steward(people[0])))
    assert refusal.codes == ["notice_too_short"]
    house_clock.at(utc(2027, 1, 30))
    house_clock.skew(hours=1)
    assert rate_cards.propose(card_id=card.pk, acting=steward(people[0])).notice_date == date(2027, 1, 30)
    house_clock.forward(days=14)
    card = governed.open_vote(house_clock, RateCard.objects.get(pk=card.pk), people[0])
    house_clock.at(card.closes_at)
    house_clock.skew(hours=-1)
    refused(VoteClosed, lambda: vote(card, {people[0]: YES}))


def test_rules__reminders_once_their_hour_has_come():
    opens, closes = utc(2027, 1, 1), utc(2027, 1, 4)

    def due(moment):
        return reminders_due(moment=moment, opens_at=opens, closes_at=closes)

    assert due(opens) == []
    assert due(utc(2027, 1, 2)) == [48]
    assert due(utc(2027, 1, 3)) == [48, 24]
    assert due(utc(2027, 1, 3, 20)) == [48, 24, 4]
    assert due(closes) == []
    assert reminders_due(
        moment=closes - timedelta(hours=1), opens_at=closes - timedelta(hours=24), closes_at=closes
    ) == [4]
