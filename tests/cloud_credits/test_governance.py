"""The life of a rate card, by its verbs: draft, notice, thread, vote, outcome, and what happens at once (domain §4)."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cloud_credits import subscribers
from cloud_credits.actions import metering, metering_batch, rate_cards
from cloud_credits.errors import (
    BallotReasonTooLong,
    CardNotInState,
    CardRefused,
    CardUnknown,
    ChoiceUnknown,
    CommentEmpty,
    NotAnElector,
    NotTheProposer,
    VoteClosed,
    VoteStillOpen,
)
from cloud_credits.models import RateCard, RateCardBallot, RateCardElector, RateCardOutcome, ResourceUsage
from cloud_credits.policies.governance import RULES
from cloud_credits.policies.rate_card_papers import canonical, content_hash, content_of
from cloud_credits.reports import governance, rate_card_notices
from cloud_credits.reports import rate_cards as reports
from cloud_credits.reports.quotes import quote
from cloud_credits.workflows import rate_cards as jobs
from habitat.errors import HabitatError, NotAllowed, ReasonRequired
from habitat.events.models import Event
from habitat.events.policies.registry import DeliveredEvent
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.notifications.models import Email, Notification, Preference
from habitat.notifications.policies.channels import Channel
from habitat.notifications.policies.types import type_of
from tests.clock import HouseClock
from tests.cloud_credits.governed import (
    MARCH,
    NOON,
    VOTE,
    adopt_for,
    adopted,
    commit_checks,
    draft,
    make_steward,
    make_stewards,
    open_vote,
    opened,
    proposed,
    refused,
    steward,
    stored,
    terms,
    vote,
)
from tests.cloud_credits.ledger import broken_proofs, told
from tests.cloud_credits.metered import body, make_key, meter, send, statuses
from tests.factories import actor, make_member

pytestmark = pytest.mark.django_db


def names() -> list[str]:
    """What was announced of rate cards, in order."""
    facts = Event.objects.order_by("id").values_list("name", flat=True)
    return [name for name in facts if name.startswith(("rate_card.", "cloud.rate_card"))]


def hear(name: str, handler: Callable[[DeliveredEvent], None]) -> None:
    """The newest event of that name is handed to its subscriber."""
    event = Event.objects.filter(name=name).latest("id")
    handler(DeliveredEvent(event.pk, event.name, event.payload, event.actor, event.occurred_at))


# --- drafts


def test_draft__is_edited_until_it_is_proposed(house_clock):
    house_clock.at(NOON)
    [one] = make_stewards(1)
    card = draft(one, compute_rate="1.1")
    again = rate_cards.save_draft(card=card, terms=terms(compute_rate="1.2", notes="round"), acting=steward(one))
    assert (again.pk, stored(card).compute_rate, stored(card).notes) == (card.pk, Decimal("1.2"), "round")
    assert (stored(card).version, stored(card).created_by) == (None, steward(one).label)
    rate_cards.propose(card_id=card.pk, acting=steward(one))
    refused(CardNotInState, lambda: rate_cards.save_draft(card=card, terms=terms(), acting=steward(one)))


def test_draft__below_a_floor_is_refused_and_a_gap_is_not(house_clock):
    house_clock.at(NOON)
    one = make_steward()
    assert refused(CardRefused, lambda: draft(one, compute_rate="0.49999999")).codes == ["below_floor"]
    assert refused(CardRefused, lambda: draft(one, compute_rate="1.000000001")).field == "compute_rate"
    assert draft(one, justification="", effective_date=None, compute_rate="9").pk


def test_draft__needs_the_permission(house_clock):
    house_clock.at(NOON)
    member = make_member()
    refused(NotAllowed, lambda: rate_cards.save_draft(card=None, terms=terms(), acting=actor(member)))


# --- notice


def test_propose__freezes_numbers_and_tells(house_clock):
    house_clock.at(NOON)
    people = make_stewards(3)
    card = proposed(people[0], compute_rate="1.2")
    card = stored(card)
    assert (card.version, card.state, card.proposed_at, card.notice_date) == (2, "proposed", NOON, date(2027, 1, 4))
    assert (card.proposed_by, card.rules) == (steward(people[0]).label, RULES.as_json())
    assert card.content_hash == content_hash(canonical(content_of(card)))
    assert list(card.electors.values_list("version", "member_id", "at_opening").order_by("member_id")) == [
        (2, person.pk, None) for person in people
    ]
    assert names() == ["cloud.rate_card_created", "rate_card.proposed"]
    assert told("cloud.rate_card_created")["rates"] == {
        "compute": "1.2",
        "transfer": "0.1",
        "ltm": "0.05",
        "stm": "0.5",
    }
    assert broken_proofs() == []


def test_propose__the_electorate_is_active_stewards_with_a_sign_in(house_clock):
    house_clock.at(NOON)
    people = make_stewards(4)
    members.suspend(member=people[1], reason="absent", acting=SYSTEM)
    members.deactivate(member=people[2], reason="pause", acting=SYSTEM)
    card = proposed(people[0])
    assert set(card.electors.values_list("member_id", flat=True)) == {people[0].pk, people[3].pk}


def test_propose__needs_the_permission_and_a_draft(house_clock):
    house_clock.at(NOON)
    one = make_steward()
    card = draft(one)
    refused(NotAllowed, lambda: rate_cards.propose(card_id=card.pk, acting=actor(one)))
    refused(CardUnknown, lambda: rate_cards.propose(card_id=0, acting=steward(one)))
    rate_cards.propose(card_id=card.pk, acting=steward(one))
    refused(CardNotInState, lambda: rate_cards.propose(card_id=card.pk, acting=steward(one)))


def test_propose__a_second_card_waits(house_clock):
    house_clock.at(NOON)
    one = make_steward()
    proposed(one)
    second = draft(one)
    refusal = refused(CardRefused, lambda: rate_cards.propose(card_id=second.pk, acting=steward(one)))
    assert refusal.sentence == "Rate card 2 is proposed. Only one normal card at a time is under way."


def test_propose__a_number_is_never_used_again(house_clock):
    house_clock.at(NOON)
    one = make_steward()
    card = proposed(one)
    rate_cards.withdraw(card_id=card.pk, reason="a mistake", acting=steward(one))
    assert proposed(one).version == 3


def test_propose__tells_every_member_with_a_cloud_identity_once(house_clock, django_assert_max_num_queries):
    house_clock.at(NOON)
    one = make_steward("Stella")
    plain = [make_member() for _ in range(30)]
    without = make_member(identity=False)
    proposed(one)
    with django_assert_max_num_queries(10):
        hear("rate_card.proposed", subscribers.tell_proposed)
    hear("rate_card.proposed", subscribers.tell_proposed)
    assert set(Notification.objects.values_list("member_id", flat=True)) == {one.pk, *(each.pk for each in plain)}
    assert Notification.objects.count() == 31
    assert not Notification.objects.filter(member=without).exists()
    assert list(Email.objects.values_list("member_id", flat=True)) == [one.pk]
    assert Notification.objects.first().link == "/rate-cards/2/"


def test_propose__tells_a_member_who_switched_everything_off_on_the_site_still(house_clock):
    """The notice to every member is what makes a proposal one (domain §4); the e-mail is theirs to leave."""
    house_clock.at(NOON)
    one = make_steward("Stella")
    Preference.objects.bulk_create(
        Preference(member=one, type=kind, channel=channel.value, wanted=False)
        for kind in ("rate_card", "rate_card_vote")
        for channel in Channel
    )
    proposed(one)
    hear("rate_card.proposed", subscribers.tell_proposed)
    assert list(Notification.objects.values_list("member_id", "type")) == [(one.pk, "rate_card")]
    assert not Email.objects.exists()
    assert type_of("rate_card_vote").goes_by(Channel.IN_APP, chosen=False)


def test_propose__tells_the_rates_beside_those_in_force(house_clock):
    house_clock.at(NOON)
    one = make_steward("Stella")
    proposed(one, compute_rate="1.5", stm_rate="0.4")
    fact = told("rate_card.proposed")
    assert fact["rates"] == {"compute": "1.5", "transfer": "0.1", "ltm": "0.05", "stm": "0.4"}
    assert fact["rates_in_force"] == {"compute": "1", "transfer": "0.1", "ltm": "0.05", "stm": "0.5"}
    hear("rate_card.proposed", subscribers.tell_proposed)
    assert Notification.objects.get().text.splitlines()[-4:] == [
        "Compute 1 → 1.5 CLOUD (+50 %)",
        "Transfer 0.1 → 0.1 CLOUD (unchanged)",
        "Long-term memory 0.05 → 0.05 CLOUD (unchanged)",
        "Short-term memory 0.5 → 0.4 CLOUD (\u221220 %)",
    ]


# --- discussion


def test_comment__by_active_members_while_there_is_something_to_discuss(house_clock):
    house_clock.at(NOON)
    one, member = make_steward(), make_member()
    card = draft(one)

    def speak(text="Why so much?"):
        return rate_cards.comment(card_id=card.pk, member=member, text=text, acting=actor(member))

    refused(CardNotInState, speak)
    rate_cards.propose(card_id=card.pk, acting=steward(one))
    said = speak(" Why\r\nso much? ")
    said.refresh_from_db()
    assert (said.text, said.version, said.created_at) == ("Why\nso much?", 2, NOON)
    assert told("rate_card.commented") == {
        "card_id": card.pk,
        "version": 2,
        "comment_id": said.pk,
        "member_id": member.pk,
    }
    for wrong in ("", "  ", "x" * 5001, "a\x00b"):
        refused(CommentEmpty, lambda wrong=wrong: speak(wrong))
    refused(NotAllowed, lambda: rate_cards.comment(card_id=card.pk, member=member, text="I", acting=actor(one)))
    member = members.suspend(member=member, reason="quarrel", acting=SYSTEM)
    refused(NotAllowed, speak)


# --- opening


def test_open__counts_those_active_at_both_moments(house_clock):
    house_clock.at(NOON)
    people = make_stewards(4)
    card = proposed(people[0])
    late = make_steward("Late")
    members.suspend(member=people[3], reason="absent", acting=SYSTEM)
    house_clock.forward(days=14)
    card = open_vote(house_clock, card, people[0])
    assert (card.state, card.opens_at, card.closes_at) == (
        "voting",
        NOON + timedelta(days=14),
        NOON + timedelta(days=17),
    )
    at_opening = dict(card.electors.values_list("member_id", "at_opening"))
    assert at_opening == {people[0].pk: True, people[1].pk: True, people[2].pk: True, people[3].pk: False}
    assert late.pk not in at_opening
    assert told("rate_card.voting_opened")["electors"] == [person.pk for person in people[:3]]


@pytest.mark.parametrize(
    ("days", "length", "code"),
    [
        (13, timedelta(hours=72), "discussion_too_short"),
        (14, timedelta(minutes=1), "voting_too_short"),
        (14, timedelta(hours=72, microseconds=-1), "voting_too_short"),
        (51, timedelta(hours=72), "closes_too_late"),
        (60, timedelta(hours=72), "lapsed"),
    ],
)
def test_open__refuses(days, length, code, house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    effective = MARCH if code != "lapsed" else date(2027, 6, 1)
    card = proposed(people[0], effective_date=effective)
    house_clock.forward(days=days)
    closes_at = house_clock.moment + length
    refusal = refused(
        CardRefused, lambda: rate_cards.open_voting(card_id=card.pk, closes_at=closes_at, acting=steward(people[0]))
    )
    assert refusal.codes == [code]


def test_open__with_one_elector_is_refused(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = proposed(people[0])
    members.suspend(member=people[1], reason="absent", acting=SYSTEM)
    make_steward("Late")
    house_clock.forward(days=14)
    assert refused(CardRefused, lambda: open_vote(house_clock, card, people[0])).codes == ["too_few_electors"]


# --- ballots


def test_ballot__changes_until_the_close_and_the_newest_counts(house_clock):
    house_clock.at(NOON)
    people = make_stewards(3)
    card = opened(house_clock, people[0])
    vote(card, {people[0]: "yes", people[1]: "no"})
    house_clock.forward(hours=1)
    rate_cards.cast_ballot(card_id=card.pk, choice="yes", reason=" convinced ", acting=steward(people[1]))
    stands = governance.standing(stored(card))
    assert [(each.member_id, each.choice, each.reason) for each in stands.electors] == [
        (people[0].pk, "yes", ""),
        (people[1].pk, "yes", "convinced"),
        (people[2].pk, None, ""),
    ]
    assert (stands.tally.yes, stands.tally.electors, stands.is_closed) == (2, 3, False)
    assert [each.member_id for each in stands.waiting] == [people[2].pk]
    assert RateCardBallot.objects.count() == 3


def test_ballot__refused_of_who_is_no_elector_or_not_active(house_clock):
    house_clock.at(NOON)
    people = make_stewards(3)
    member = make_member()
    card = opened(house_clock, people[0])
    refused(NotAllowed, lambda: rate_cards.cast_ballot(card_id=card.pk, choice="yes", acting=actor(member)))
    refused(NotAnElector, lambda: rate_cards.cast_ballot(card_id=card.pk, choice="yes", acting=actor(member, VOTE)))
    refused(NotAllowed, lambda: rate_cards.cast_ballot(card_id=card.pk, choice="yes", acting=SYSTEM))
    refused(ChoiceUnknown, lambda: vote(card, {people[0]: "maybe"}))
    members.suspend(member=people[2], reason="absent", acting=SYSTEM)
    refused(NotAnElector, lambda: vote(card, {people[2]: "yes"}))


def test_ballot__a_reason_is_kept_whole_or_refused(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])

    def cast(reason):
        return rate_cards.cast_ballot(card_id=card.pk, choice="no", reason=reason, acting=steward(people[0]))

    refusal = refused(BallotReasonTooLong, lambda: cast("x" * 2001))
    assert refusal.sentence == "The reason of a vote has at most 2,000 characters; this has 2,001."
    assert len(cast(" " + "x" * 2000).reason) == 2000


def test_ballot__of_an_elector_who_lost_the_role_counts(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    members.revoke_role(member=people[1], role=Role.STEWARD, reason="term over", acting=SYSTEM)
    rate_cards.cast_ballot(card_id=card.pk, choice="no", acting=actor(people[1]))
    assert (governance.standing(card).tally.no, governance.standing(card).tally.electors) == (1, 2)


def test_ballot__a_suspended_elector_counts_in_the_quorum(house_clock):
    house_clock.at(NOON)
    people = make_stewards(5)
    card = opened(house_clock, people[0])
    for person in people[2:]:
        members.suspend(member=person, reason="absent", acting=SYSTEM)
    vote(card, {people[0]: "yes", people[1]: "yes"})
    house_clock.at(card.closes_at)
    outcome = rate_cards.settle(card_id=card.pk)
    assert (outcome.electors, outcome.quorum_met, outcome.passed) == (5, False, False)
    assert outcome.reason == "No quorum: 2 of 5 electors voted, 3 must."


def test_ballot__the_close_comes_between_the_check_and_the_row(house_clock, monkeypatch):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    house_clock.at(card.closes_at)
    reads = iter([card.closes_at - timedelta(microseconds=1), card.closes_at])
    monkeypatch.setattr(rate_cards, "now", lambda: next(reads))
    refused(VoteClosed, lambda: vote(card, {people[0]: "yes"}))


def test_ballot__refused_before_the_vote_opens(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = proposed(people[0])
    refused(CardNotInState, lambda: vote(card, {people[0]: "yes"}))


# --- the outcome


def test_settle__is_as_of_the_close_whenever_it_runs(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0], compute_rate="1.2")
    vote(card, {people[0]: "yes"})
    house_clock.at(card.closes_at - timedelta(microseconds=1))
    vote(card, {people[1]: "yes"})
    refused(VoteStillOpen, lambda: rate_cards.settle(card_id=card.pk))
    house_clock.at(card.closes_at + timedelta(days=3))
    outcome = rate_cards.settle(card_id=card.pk)
    commit_checks()
    after = stored(card)
    assert (after.state, after.approved_at, outcome.closed_at) == ("approved", card.closes_at, card.closes_at)
    assert rate_cards.settle(card_id=card.pk) == outcome
    assert rate_cards.settle_due() == 0
    assert names()[-1] == "cloud.rate_card_approved"
    assert broken_proofs() == []


def test_settle__a_defeat_leaves_the_rates(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0], compute_rate="1.2")
    vote(card, {people[0]: "yes", people[1]: "no"})
    house_clock.at(card.closes_at)
    jobs.settle_votes(house_clock.moment)
    commit_checks()
    assert (stored(card).state, stored(card).approved_at) == ("rejected", None)
    assert stored(card).outcome.reason == "No majority: 1 yes, 1 no."
    assert told("rate_card.rejected")["reason"] == "No majority: 1 yes, 1 no."
    house_clock.at(datetime(2027, 3, 1, tzinfo=UTC))
    assert reports.card_at(house_clock.moment).version == 1
    hear("rate_card.rejected", subscribers.tell_rejected)
    assert "1 yes, 1 no, 0 abstained, of 2 electors." in Notification.objects.first().text
    assert broken_proofs() == []


def test_settle__a_card_that_no_vote_was_opened_on_has_no_outcome(house_clock):
    house_clock.at(NOON)
    one = make_steward()
    card = proposed(one)
    refused(CardNotInState, lambda: rate_cards.settle(card_id=card.pk))


# --- withdrawal, amendment, lapse


def test_withdraw__by_the_proposer_with_a_reason_before_the_close(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])

    def take_back(who, reason="wrong figures"):
        return rate_cards.withdraw(card_id=card.pk, reason=reason, acting=steward(who))

    assert people[0].display_name in refused(NotTheProposer, lambda: take_back(people[1])).sentence
    refused(ReasonRequired, lambda: take_back(people[0], " "))
    take_back(people[0])
    after = stored(card)
    assert (after.state, after.withdrawn_at, after.ended_reason) == ("withdrawn", house_clock.moment, "wrong figures")
    assert told("rate_card.withdrawn")["is_defeat"] is True
    refused(CardNotInState, lambda: take_back(people[0]))


def test_withdraw__after_the_close_is_too_late(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    house_clock.at(card.closes_at)

    def take_back():
        return rate_cards.withdraw(card_id=card.pk, reason="lost", acting=steward(people[0]))

    assert refused(CardNotInState, take_back).sentence.startswith("Rate card 2 is rejected: ")


def test_withdraw__a_card_that_an_unsettled_emergency_sent_back_is_refused(house_clock):
    """The emergency was adopted at its close; the worker that would have written so is late."""
    house_clock.at(NOON)
    people = make_stewards(2)
    normal = proposed(people[0], effective_date=date(2027, 4, 1), compute_rate="1.2")
    emergency = opened(house_clock, people[1], is_emergency=True, effective_date=date(2027, 2, 1))
    vote(emergency, dict.fromkeys(people, "yes"))
    house_clock.at(emergency.closes_at + timedelta(minutes=1))

    def take_back():
        return rate_cards.withdraw(card_id=normal.pk, reason="mine", acting=steward(people[0]))

    assert "is draft: only a card that is proposed" in refused(CardNotInState, take_back).sentence
    rate_cards.settle_due()
    assert (stored(normal).state, stored(normal).withdrawn_at) == ("draft", None)


def test_withdraw__during_discussion_silences_nothing(house_clock):
    house_clock.at(NOON)
    one = make_steward()
    card = proposed(one, compute_rate="1.4")
    rate_cards.withdraw(card_id=card.pk, reason="a mistake", acting=steward(one))
    assert told("rate_card.withdrawn")["is_defeat"] is False
    assert proposed(one, compute_rate="1.4").version == 3


def test_withdraw__an_approved_card_is_undone_only_by_another_vote(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = adopted(house_clock, people)
    refused(CardNotInState, lambda: rate_cards.withdraw(card_id=card.pk, reason="regret", acting=steward(people[0])))


def test_amend__starts_notice_and_discussion_again_and_withdraws_the_old_card(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = proposed(people[0], compute_rate="1.3")
    house_clock.forward(days=10)
    amendment = rate_cards.amend(card_id=card.pk, acting=steward(people[0]))
    assert (amendment.state, amendment.amends_id, amendment.compute_rate) == ("draft", card.pk, Decimal("1.3"))
    assert stored(card).state == "proposed"
    rate_cards.save_draft(card=amendment, terms=terms(compute_rate="1.2"), acting=steward(people[0]))
    refused(NotTheProposer, lambda: rate_cards.propose(card_id=amendment.pk, acting=steward(people[1])))
    after = rate_cards.propose(card_id=amendment.pk, acting=steward(people[0]))
    assert (after.version, after.proposed_at, stored(card).state) == (3, house_clock.moment, "withdrawn")
    house_clock.forward(days=13)
    assert refused(CardRefused, lambda: open_vote(house_clock, after, people[0])).codes == ["discussion_too_short"]


def test_amend__during_the_vote_counts_as_its_defeat(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0], compute_rate="1.3", effective_date=date(2027, 6, 1))
    amendment = rate_cards.amend(card_id=card.pk, acting=steward(people[0]))

    def ask():
        return rate_cards.propose(card_id=amendment.pk, acting=steward(people[0]))

    assert refused(CardRefused, ask).codes == ["defeated_recently"]
    assert stored(card).state == "voting"


def test_lapse__after_sixty_days_without_a_vote(house_clock):
    house_clock.at(NOON)
    one = make_steward()
    card = proposed(one, effective_date=date(2027, 6, 1))
    house_clock.forward(days=60, microseconds=-1)
    assert rate_cards.lapse_due() == 0
    house_clock.forward(microseconds=1)
    jobs.follow_rate_cards(house_clock.moment)
    assert stored(card).state == "lapsed"
    assert "rate_card.lapsed" in names()
    assert proposed(one, effective_date=date(2027, 6, 1)).version == 3


def test_lapse__a_card_that_an_unsettled_emergency_sent_back_is_a_draft(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    normal = proposed(people[0], effective_date=date(2027, 6, 1))
    house_clock.forward(days=58)
    emergency = opened(house_clock, people[0], is_emergency=True, effective_date=date(2027, 3, 15))
    vote(emergency, dict.fromkeys(people, "yes"))
    house_clock.forward(days=2)
    assert rate_cards.lapse_due() == 0
    assert (stored(emergency).state, stored(normal).state) == ("approved", "draft")
    assert "rate_card.lapsed" not in names()


def test_lapse__no_late_worker_keeps_an_overdue_card_in_the_way(house_clock):
    house_clock.at(NOON)
    one = make_steward()
    overdue = proposed(one, effective_date=date(2027, 6, 1))
    house_clock.forward(days=60)
    assert proposed(one, effective_date=date(2027, 6, 1)).version == 3
    assert stored(overdue).state == "lapsed"


# --- emergencies


def test_emergency__sends_a_card_in_flight_back_to_draft(house_clock):
    house_clock.at(NOON)
    people = make_stewards(3)
    normal = proposed(people[0], effective_date=date(2027, 4, 1), compute_rate="1.2")
    house_clock.forward(days=14)
    open_vote(house_clock, normal, people[0])
    vote(normal, {people[0]: "yes"})
    emergency = adopted(house_clock, people, is_emergency=True, effective_date=date(2027, 2, 1))
    commit_checks()
    after = stored(normal)
    assert (after.state, after.version, after.proposed_at, after.closes_at) == ("draft", None, None, None)
    assert after.compute_rate == Decimal("1.2")
    assert told("rate_card.returned") == {
        "card_id": normal.pk,
        "version": 2,
        "emergency_version": emergency.version,
        "reason": "Emergency card 3 was adopted: rate card 2 is a draft again.",
    }
    hear("rate_card.returned", subscribers.tell_returned)
    assert set(Notification.objects.values_list("link", flat=True)) == {"/rate-cards/2/"}
    # proposed again it has another number and another electorate, and no ballots
    again = rate_cards.propose(card_id=normal.pk, acting=steward(people[1]))
    assert (again.version, again.electors.filter(version=4).count()) == (4, 3)
    house_clock.forward(days=14)
    open_vote(house_clock, again, people[1])
    assert governance.standing(stored(again)).tally.votes == 0
    assert broken_proofs() == []


def test_emergency__sends_an_approved_card_back_that_is_not_in_force(house_clock):
    people = make_stewards(2)
    normal = adopt_for(house_clock, people, effective_date=MARCH, compute_rate="1.5")
    house_clock.at(datetime(2027, 2, 20, tzinfo=UTC))
    adopted(house_clock, people, is_emergency=True, effective_date=MARCH, compute_rate="1.1")
    commit_checks()
    assert stored(normal).state == "draft"
    assert RateCardOutcome.objects.get(version=2).passed
    house_clock.at(datetime(2027, 3, 1, tzinfo=UTC))
    assert reports.card_at(house_clock.moment).version == 3
    assert broken_proofs() == []


def test_emergency__judged_without_the_card_it_sends_back(house_clock):
    """A scheduled raise does not lift the cap of the emergency that undoes it."""
    people = make_stewards(2)
    adopt_for(house_clock, people, effective_date=MARCH, compute_rate="1.5")
    house_clock.at(datetime(2027, 2, 20, tzinfo=UTC))
    card = draft(people[0], is_emergency=True, effective_date=date(2027, 3, 5), compute_rate="1.50000001")

    def ask():
        return rate_cards.propose(card_id=card.pk, acting=steward(people[0]))

    assert refused(CardRefused, ask).codes == ["above_cap"]


def test_emergency__whose_rates_came_to_break_a_cap_by_the_close_is_not_adopted(house_clock):
    """While it is voted on a normal cut is adopted and takes effect: 1.5 is no longer within half above the lowest."""
    people = make_stewards(2)
    house_clock.at(datetime(2027, 1, 20, tzinfo=UTC))
    cut = proposed(people[0], effective_date=MARCH, compute_rate="0.8")
    house_clock.at(datetime(2027, 2, 20, tzinfo=UTC))
    emergency = proposed(people[0], is_emergency=True, effective_date=date(2027, 3, 10), compute_rate="1.5")
    house_clock.at(datetime(2027, 2, 22, tzinfo=UTC))
    open_vote(house_clock, cut, people[0], hours=96)
    house_clock.at(datetime(2027, 2, 25, tzinfo=UTC))
    emergency = open_vote(house_clock, emergency, people[0], hours=132)
    for card in (cut, emergency):
        vote(card, dict.fromkeys(people, "yes"))
    house_clock.at(datetime(2027, 3, 1, tzinfo=UTC))
    assert (rate_cards.settle_due(), reports.card_at(house_clock.moment).version) == (1, 2)
    house_clock.at(emergency.closes_at)
    assert [card.version for card in governance.adopted_by(moment=house_clock.moment)] == [1, 2]
    outcome = rate_cards.settle(card_id=emergency.pk)
    commit_checks()
    assert (outcome.yes, outcome.quorum_met, outcome.passed) == (2, True, False)
    assert outcome.reason.startswith("Compute may cost at most 1.2 CLOUD a comp-hr then (50 % above the lowest rate")
    assert (stored(emergency).state, stored(emergency).approved_at) == ("rejected", None)
    house_clock.at(datetime(2027, 3, 10, tzinfo=UTC))
    assert reports.card_at(house_clock.moment).version == 2
    assert broken_proofs() == []


def test_emergency__a_card_begun_by_its_close_stays_though_neither_vote_is_settled(house_clock):
    people = make_stewards(2)
    house_clock.at(datetime(2027, 1, 20, tzinfo=UTC))
    normal = proposed(people[0], effective_date=MARCH, compute_rate="1.2")
    house_clock.at(datetime(2027, 2, 20, tzinfo=UTC))
    emergency = proposed(people[0], is_emergency=True, effective_date=date(2027, 3, 10))
    house_clock.at(datetime(2027, 2, 22, tzinfo=UTC))
    open_vote(house_clock, normal, people[0], hours=96)
    house_clock.at(datetime(2027, 2, 25, tzinfo=UTC))
    open_vote(house_clock, emergency, people[0], hours=132)
    for card in (normal, emergency):
        vote(card, dict.fromkeys(people, "yes"))
    house_clock.at(stored(emergency).closes_at)
    assert [card.version for card in governance.adopted_by(moment=house_clock.moment)] == [1, 2, 3]
    assert rate_cards.settle_due() == 2
    assert [card.version for card in governance.adopted_by(moment=house_clock.moment)] == [1, 2, 3]
    assert stored(normal).state == "approved"


def test_emergency__a_card_in_force_stays(house_clock):
    people = make_stewards(2)
    normal = adopt_for(house_clock, people, effective_date=MARCH)
    house_clock.at(datetime(2027, 3, 1, tzinfo=UTC))
    adopted(house_clock, people, is_emergency=True, effective_date=date(2027, 3, 15))
    assert stored(normal).state == "approved"
    rate_cards.follow_dates()
    assert stored(normal).state == "active"


@pytest.mark.parametrize(("hours", "normal_has_outcome"), [(74, True), (90, False)])
def test_emergency__late_settlement_follows_the_order_of_closes(hours, normal_has_outcome, house_clock):
    """Two votes closed while no worker ran. A normal card whose vote closed later than the emergency's was no longer
    voted on then: it is a draft without an outcome; one that closed before was adopted, and sent back."""
    house_clock.at(NOON)
    people = make_stewards(2)
    emergency = proposed(people[0], is_emergency=True, effective_date=date(2027, 2, 1), compute_rate="1.1")
    normal = opened(house_clock, people[0], effective_date=date(2027, 4, 1), compute_rate="1.2", hours=hours)
    house_clock.forward(hours=50)
    emergency = open_vote(house_clock, emergency, people[0], hours=26)
    for card in (normal, emergency):
        vote(card, dict.fromkeys(people, "yes"))
    house_clock.forward(days=5)
    assert [card.version for card in governance.adopted_by(moment=house_clock.moment)] == [1, 2]
    assert rate_cards.settle_due() == 1 + normal_has_outcome
    commit_checks()
    assert (stored(emergency).state, stored(normal).state) == ("approved", "draft")
    assert RateCardOutcome.objects.filter(version=3).exists() is normal_has_outcome
    assert [card.version for card in governance.adopted_by(moment=house_clock.moment)] == [1, 2]
    assert broken_proofs() == []


# --- dates


def test_dates__states_follow_them(house_clock):
    people = make_stewards(2)
    rate_cards.follow_dates()
    assert RateCard.objects.get(version=1).state == "active"
    card = adopt_for(house_clock, people, effective_date=MARCH)
    house_clock.at(datetime(2027, 3, 1, tzinfo=UTC) - timedelta(microseconds=1))
    assert rate_cards.follow_dates() == 0
    house_clock.at(datetime(2027, 3, 1, tzinfo=UTC))
    assert rate_cards.follow_dates() == 1
    assert (stored(card).state, RateCard.objects.get(version=1).state) == ("active", "superseded")
    assert told("rate_card.in_force")["previous_version"] == 1
    assert rate_cards.follow_dates() == 0


# --- pricing settles first


def test_pricing__is_right_although_no_worker_ran(house_clock):
    """The vote closed weeks ago, nobody settled it, and its date has come: usage costs what members decided."""
    house_clock.at(NOON)
    people = make_stewards(2)
    member, key = make_member(credits="100"), make_key()
    card = opened(house_clock, people[0], compute_rate="1.5", effective_date=MARCH)
    vote(card, dict.fromkeys(people, "yes"))
    for moment, version, rate in (
        (datetime(2027, 2, 28, 23, 59, 59, tzinfo=UTC), 1, "1"),
        (datetime(2027, 3, 1, tzinfo=UTC), 2, "1.5"),
    ):
        house_clock.at(moment)
        outcome = meter(member, key, quantity="1", timestamp=moment.isoformat())
        assert (outcome.rate_card_version, outcome.cloud_cost) == (version, Decimal(rate))
    assert (stored(card).state, stored(card).approved_at) == ("approved", card.closes_at)
    assert ResourceUsage.objects.count() == 2


def test_pricing__reading_derives_the_same_and_writes_nothing(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0], compute_rate="1.5", effective_date=MARCH)
    vote(card, dict.fromkeys(people, "yes"))
    house_clock.at(datetime(2027, 3, 1, tzinfo=UTC))
    assert reports.card_at(house_clock.moment).version == 2
    from cloud_credits.policies.primitives import Primitive

    assert quote([(Primitive.COMPUTE, Decimal(2))], at=house_clock.moment).total == Decimal(3)
    assert [each.version for each in reports.adopted_cards()] == [1, 2]
    assert stored(card).state == "voting"
    assert not RateCardOutcome.objects.exists()


def test_pricing__derives_an_emergency_that_sends_a_scheduled_card_back(house_clock):
    """Closed five minutes before a scheduled card's midnight, as late as it may, and nobody settled it."""
    people = make_stewards(2)
    adopt_for(house_clock, people, effective_date=MARCH, compute_rate="1.5")
    house_clock.at(datetime(2027, 2, 27, 23, 55, tzinfo=UTC))
    card = opened(house_clock, people[0], is_emergency=True, effective_date=date(2027, 3, 7), compute_rate="1.2")
    vote(card, dict.fromkeys(people, "yes"))
    house_clock.at(datetime(2027, 3, 1, tzinfo=UTC))
    assert reports.card_at(house_clock.moment).version == 1
    member, key = make_member(credits="100"), make_key()
    assert meter(member, key, quantity="1", timestamp=house_clock.moment.isoformat()).rate_card_version == 1
    assert stored(card).state == "approved"


def test_pricing__asks_nothing_while_no_vote_is_closed(house_clock, django_assert_num_queries):
    house_clock.at(NOON)
    people = make_stewards(2)
    opened(house_clock, people[0])
    reports.card_at(house_clock.moment)
    with django_assert_num_queries(0):
        rate_cards.settle_before_pricing()
        assert reports.card_at(house_clock.moment).version == 1


def test_pricing__what_is_remembered_ends_with_the_next_close(house_clock, monkeypatch):
    """A process that read the cards a second before a close reads them anew a second after."""
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    vote(card, dict.fromkeys(people, "yes"))
    house_clock.at(card.closes_at - timedelta(seconds=1))
    stopwatch = [10**9]
    monkeypatch.setattr(reports.time, "monotonic_ns", lambda: stopwatch[0])
    reports.forget()
    assert not reports.vote_waits()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('habitat.now', %s, false)", [(card.closes_at + timedelta(seconds=1)).isoformat()]
        )
    stopwatch[0] += 999_000_000
    assert not reports.vote_waits()
    stopwatch[0] += 1_001_000
    assert reports.vote_waits()


# --- reminders


def test_reminder__to_who_has_not_voted_once_each(house_clock):
    house_clock.at(NOON)
    people = make_stewards(3)
    card = opened(house_clock, people[0])
    vote(card, {people[0]: "yes"})
    house_clock.at(card.closes_at - timedelta(hours=48))
    jobs.remind_electors(house_clock.moment)
    jobs.remind_electors(house_clock.moment)
    assert names().count("rate_card.vote_reminder") == 1
    vote(card, {people[1]: "no"})
    hear("rate_card.vote_reminder", subscribers.remind_to_vote)
    assert list(Notification.objects.values_list("member_id", "type")) == [(people[2].pk, "rate_card_vote")]
    # a worker that was down sends the latest only
    house_clock.at(card.closes_at - timedelta(hours=1))
    assert rate_cards.remind_due() == 1
    assert told("rate_card.vote_reminder")["hours"] == 4
    assert rate_cards.remind_due() == 0
    house_clock.at(card.closes_at)
    assert rate_cards.remind_due() == 0


def test_reminder__is_not_for_an_elector_whose_ballot_would_be_refused(house_clock):
    """A suspended elector may not vote (domain §2); back again, they are reminded."""
    house_clock.at(NOON)
    people = make_stewards(3)
    card = opened(house_clock, people[0])
    members.suspend(member=people[1], reason="owes", acting=SYSTEM)
    vote(card, {people[0]: "yes"})
    told_of = {"card_id": card.pk, "version": card.version}
    assert rate_card_notices.not_voted(**told_of) == [people[2].pk]
    members.reinstate(member=people[1], reason="paid", acting=SYSTEM)
    assert rate_card_notices.not_voted(**told_of) == [people[1].pk, people[2].pk]


@pytest.mark.parametrize("ended", ["closed", "withdrawn"])
def test_reminder__told_when_the_vote_is_over_says_nothing(ended, house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    house_clock.at(card.closes_at - timedelta(hours=4))
    rate_cards.remind_due()
    if ended == "withdrawn":
        rate_cards.withdraw(card_id=card.pk, reason="wrong figures", acting=steward(people[0]))
    else:
        house_clock.at(card.closes_at)
    hear("rate_card.vote_reminder", subscribers.remind_to_vote)
    assert not Notification.objects.exists()


def test_reminder__of_a_card_that_an_unsettled_emergency_sent_back_is_not_sent(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    normal = opened(house_clock, people[0], effective_date=date(2027, 4, 1))
    emergency = opened(house_clock, people[0], is_emergency=True, effective_date=date(2027, 2, 1))
    vote(emergency, dict.fromkeys(people, "yes"))
    house_clock.at(normal.closes_at - timedelta(hours=24))
    assert rate_cards.remind_due() == 0
    assert stored(normal).state == "draft"


def test_notices__of_an_opened_vote_tell_electors_that_it_waits_for_them(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    member = make_member()
    opened(house_clock, people[0])
    hear("rate_card.voting_opened", subscribers.tell_voting_opened)
    types = dict(Notification.objects.values_list("member_id", "type"))
    assert types == {people[0].pk: "rate_card_vote", people[1].pk: "rate_card_vote", member.pk: "rate_card"}


# --- locks: one decision at a time, then cards; never a period or a balance


def locks_of(attempt: Callable[[], object]) -> list[str]:
    """The locks an attempt asks for, in order; repeats in a row count once."""
    known = {
        "decision": "pg_advisory_xact_lock(hashtext('cloud_credits.governance'))",
        "card": 'FROM "cloud_credits_ratecard"',
        "shared card": "FROM cloud_credits_ratecard WHERE",
    }
    with CaptureQueriesContext(connection) as captured:
        attempt()
    order: list[str] = []
    for statement in (each["sql"] for each in captured):
        if "FOR " not in statement and "advisory" not in statement:
            continue
        name = next((name for name, text in known.items() if text in statement), None)
        if name and order[-1:] != [name]:
            order.append(name)
        assert "treasury_period" not in statement
        assert "cloudbalance" not in statement
    return order


def test_locks__each_verb_takes_them_in_one_order(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = draft(people[0])
    by = steward(people[0])
    assert locks_of(lambda: rate_cards.propose(card_id=card.pk, acting=by)) == ["decision", "card"]

    def speak():
        return rate_cards.comment(card_id=card.pk, member=people[0], text="Well?", acting=by)

    assert locks_of(speak) == ["shared card"]
    house_clock.forward(days=14)
    assert locks_of(lambda: open_vote(house_clock, card, people[0])) == ["decision", "card"]
    assert locks_of(lambda: vote(card, {people[0]: "yes"})) == ["shared card"]
    house_clock.forward(hours=72)
    assert locks_of(rate_cards.settle_due) == ["decision", "card"]
    other = proposed(people[0], effective_date=date(2027, 6, 1), compute_rate="0.9")

    def take_back():
        return rate_cards.withdraw(card_id=other.pk, reason="a mistake", acting=by)

    assert locks_of(take_back) == ["decision", "card"]
    assert locks_of(rate_cards.lapse_due) == ["decision"]
    assert locks_of(rate_cards.remind_due) == ["decision"]


# --- at once: each thread has a connection of its own


def at_once(clock: HouseClock, *attempts: Callable[[], object]) -> list[object]:
    """What each attempt returned, or the refusal it raised; all start together."""
    results: list[object] = [None] * len(attempts)
    gate = threading.Barrier(len(attempts))

    def run(place: int, attempt: Callable[[], object]) -> None:
        try:
            clock.tell_database()
            gate.wait(timeout=20)
            results[place] = attempt()
        except HabitatError as refusal:
            results[place] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(attempts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


@pytest.mark.django_db(transaction=True)
def test_race__two_proposals_at_once(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    cards = [draft(person) for person in people]
    results = at_once(
        house_clock,
        *[
            lambda card=card, who=who: rate_cards.propose(card_id=card.pk, acting=steward(who))
            for card, who in zip(cards, people, strict=True)
        ],
    )
    assert sorted(type(result).__name__ for result in results) == ["CardRefused", "RateCard"]
    assert RateCard.objects.filter(state="proposed", version=2).count() == 1
    assert RateCardElector.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_race__two_ballots_of_one_elector(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    results = at_once(
        house_clock,
        *[lambda choice=choice: vote(card, {people[0]: choice}) for choice in ("yes", "no", "abstain", "yes")],
    )
    assert results == [None] * 4
    assert RateCardBallot.objects.count() == 4
    newest = RateCardBallot.objects.order_by("cast_at", "id").last()
    assert governance.standing(stored(card)).electors[0].choice == newest.choice


@pytest.mark.django_db(transaction=True)
def test_race__two_workers_settle_one_vote(house_clock):
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    vote(card, dict.fromkeys(people, "yes"))
    house_clock.at(card.closes_at)
    results = at_once(house_clock, rate_cards.settle_due, rate_cards.settle_due, rate_cards.settle_due)
    assert sorted(results) == [0, 0, 1]
    assert RateCardOutcome.objects.count() == 1
    assert names().count("cloud.rate_card_approved") == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", ["one event", "a batch"])
def test_race__cards_that_change_between_the_price_and_the_charge_are_read_again(door, house_clock, monkeypatch):
    """Another worker settles the vote while the usage is under way: it costs what members decided, and is charged."""
    house_clock.at(NOON)
    people = make_stewards(2)
    member, key = make_member(credits="100"), make_key()
    card = opened(house_clock, people[0], compute_rate="1.5", effective_date=MARCH)
    vote(card, dict.fromkeys(people, "yes"))
    house_clock.at(datetime(2027, 3, 1, tzinfo=UTC))
    old = RateCard.objects.get(version=1).as_card()
    stale_for_once(monkeypatch, metering, "settle_before_pricing", lambda: None)
    stale_for_once(monkeypatch, metering_batch, "settle_before_pricing", lambda: None)

    def overtaken(answer):
        assert at_once(house_clock, rate_cards.settle_due) == [1]
        return answer

    stale_for_once(monkeypatch, metering, "card_at", lambda at: overtaken(old))
    stale_for_once(monkeypatch, metering_batch, "adopted_cards", lambda: overtaken((old,)))
    at = house_clock.moment.isoformat()
    if door == "one event":
        assert meter(member, key, quantity="2", timestamp=at).cloud_cost == Decimal(3)
    else:
        assert statuses(send(key, body(member, quantity="2", timestamp=at))) == ["accepted"]
    usage = ResourceUsage.objects.get()
    assert (usage.rate_card_id, usage.rate, usage.cost) == (card.pk, Decimal("1.5"), Decimal(3))
    assert broken_proofs() == []


def stale_for_once(monkeypatch, module, name: str, stale: Callable[..., object]) -> None:
    """The first call is answered by `stale`, every other as ever."""
    answers, real = [stale], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *asked: (answers.pop() if answers else real)(*asked))


@pytest.mark.django_db(transaction=True)
def test_race__a_settlement_waits_for_a_ballot_that_came_in_time(house_clock, app_dsn):
    """The ballot was cast before the close and committed after it: it counts."""
    import psycopg

    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    vote(card, {people[0]: "yes"})
    elector = card.electors.get(member=people[1])
    with psycopg.connect(app_dsn) as voter:
        voter.execute(
            "SELECT set_config('habitat.now', %s, false)", [(card.closes_at - timedelta(seconds=1)).isoformat()]
        )
        voter.execute(
            "INSERT INTO cloud_credits_ratecardballot (card_id, elector_id, choice) VALUES (%s, %s, 'yes')",
            [card.pk, elector.pk],
        )
        house_clock.at(card.closes_at)
        settled: list[int] = []

        def settle() -> None:
            house_clock.tell_database()
            settled.append(rate_cards.settle_due())
            connection.close()

        worker = threading.Thread(target=settle)
        worker.start()
        worker.join(timeout=1)
        assert worker.is_alive()
        voter.commit()
        worker.join(timeout=30)
    assert settled == [1]
    assert (stored(card).state, stored(card).outcome.yes) == ("approved", 2)


@pytest.mark.django_db(transaction=True)
def test_race__withdrawal_and_settlement(house_clock):
    """At the close the withdrawal is too late, whoever comes first."""
    house_clock.at(NOON)
    people = make_stewards(2)
    card = opened(house_clock, people[0])
    vote(card, dict.fromkeys(people, "no"))
    house_clock.at(card.closes_at)
    results = at_once(
        house_clock,
        lambda: rate_cards.withdraw(card_id=card.pk, reason="lost", acting=steward(people[0])),
        rate_cards.settle_due,
    )
    assert type(results[0]) in {VoteClosed, CardNotInState}
    assert results[1] == 1
    assert stored(card).state == "rejected"
