"""`/api/rate-cards/`: a card's way through notice and vote, and its outcome once it is counted."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from cloud_credits.actions import rate_cards
from cloud_credits.policies.rate_card_papers import content_hash
from tests.cloud_credits import governed
from tests.faces.people import api, reader

pytestmark = pytest.mark.django_db


def told(version: int) -> dict:
    answer = api(reader()).get(f"/api/rate-cards/{version}/")
    assert answer.status_code == 200
    return answer.json()


def test_card__the_first_was_voted_on_by_nobody(clock):
    card = told(1)
    assert (card["proposedAt"], card["opensAt"], card["closesAt"]) == ("2026-03-01T00:00:00Z", None, None)
    assert (card["outcome"], card["ensRecord"]) == (None, "rate-card-hash-v1")
    assert card["contentHash"].startswith("0x")


def test_card__is_found_with_and_without_its_last_slash_and_shows_what_is_hashed(clock):
    client = api(reader())
    bare = client.get("/api/rate-cards/1")
    assert (bare.status_code, bare.json()) == (200, told(1))
    assert content_hash(bare.json()["canonical"].encode()) == bare.json()["contentHash"]
    assert json.loads(bare.json()["canonical"])["notes"].startswith("Initial rate card")


def test_card__while_it_is_voted_on_tells_no_count(clock):
    people = governed.make_stewards(2)
    card = governed.opened(clock, people[0], compute_rate="1.2")
    governed.vote(card, dict.fromkeys(people, "yes"))
    shown = told(2)
    assert (shown["state"], shown["outcome"]) == ("voting", None)
    assert (shown["opensAt"], shown["closesAt"]) == ("2027-01-18T12:00:00Z", "2027-01-21T12:00:00Z")
    assert shown["contentHash"] == card.content_hash
    assert shown["rules"]["notice_days"] == 30
    assert [rate["rate"] for rate in shown["rates"]] == ["1.2", "0.1", "0.05", "0.5"]


def test_card__whose_vote_was_broken_off_tells_no_count(clock):
    people = governed.make_stewards(2)
    card = governed.opened(clock, people[0], compute_rate="1.2")
    governed.vote(card, dict.fromkeys(people, "no"))
    rate_cards.withdraw(card_id=card.pk, reason="It fails", acting=governed.steward(people[0]))
    shown = told(2)
    assert (shown["state"], shown["endedReason"], shown["outcome"]) == ("withdrawn", "It fails", None)


def test_card__once_it_is_counted_tells_all_of_it(clock):
    people = governed.make_stewards(3)
    card = governed.opened(clock, people[0])
    governed.vote(card, {people[0]: "yes", people[1]: "yes", people[2]: "abstain"})
    clock.at(card.closes_at)
    rate_cards.settle_due()
    shown = told(2)
    assert (shown["state"], shown["approvedAt"]) == ("approved", "2027-01-21T12:00:00Z")
    outcome = shown["outcome"]
    assert {name: outcome[name] for name in ("yes", "no", "abstain", "electors", "quorumMet", "passed")} == {
        "yes": 2, "no": 0, "abstain": 1, "electors": 3, "quorumMet": True, "passed": True,
    }  # fmt: skip
    assert outcome["eligible"] == [person.display_name for person in people]
    assert outcome["reason"] == "2 yes and 0 no of 3 electors."
    assert outcome["rule"].startswith("Half of the electorate votes")
    assert outcome["settledAt"] == "2027-01-21T12:00:00Z"


def test_state__follows_the_dates_whatever_a_worker_wrote(clock):
    """Nobody settles the vote or follows the dates: the API tells what the pages tell, in the column's words."""
    people = governed.make_stewards(2)
    card = governed.opened(clock, people[0], compute_rate="1.2", effective_date=governed.MARCH)
    governed.vote(card, dict.fromkeys(people, "yes"))
    states = []
    for moment in (card.closes_at - timedelta(seconds=1), card.closes_at, datetime(2027, 3, 1, tzinfo=UTC)):
        clock.at(moment)
        listed = api(reader()).get("/api/rate-cards/").json()["results"]
        states.append([told(version)["state"] for version in (2, 1)])
        assert [row["state"] for row in listed] == states[-1]
    assert states == [["voting", "active"], ["approved", "active"], ["active", "superseded"]]
    assert api(reader()).get("/api/rate-card").json()["state"] == "active"
    assert governed.stored(card).state == "voting"


def test_list__asks_once_however_many_cards(clock, django_assert_max_num_queries):
    people = governed.make_stewards(2)
    governed.adopted(clock, people)
    client = api(reader())
    # The adopted cards are remembered by the process.
    client.get("/api/rate-cards/")
    with django_assert_max_num_queries(10):
        rows = client.get("/api/rate-cards/").json()["results"]
    assert [row["version"] for row in rows] == [2, 1]
    assert "outcome" not in rows[0]


def test_sent_back__keeps_its_place_its_paper_and_its_outcome(clock):
    """Webhooks name this version: adopted, then sent back by an emergency, then edited and proposed as another."""
    people = governed.make_stewards(2)
    card = governed.adopt_for(clock, people, effective_date=governed.MARCH, compute_rate="1.5")
    clock.at(datetime(2027, 2, 20, tzinfo=UTC))
    governed.adopted(clock, people, is_emergency=True, effective_date=governed.MARCH, compute_rate="1.1")
    governed.commit_checks()
    rate_cards.save_draft(
        card=governed.stored(card),
        terms=governed.terms(compute_rate="1.2", effective_date=date(2027, 6, 1)),
        acting=governed.steward(people[1]),
    )
    again = rate_cards.propose(card_id=card.pk, acting=governed.steward(people[1]))
    shown = told(2)
    assert (shown["version"], shown["state"], shown["ensRecord"]) == (2, "sent_back", "rate-card-hash-v2")
    assert shown["endedReason"] == "Emergency card 3 was adopted: rate card 2 is a draft again."
    assert [rate["rate"] for rate in shown["rates"]][0] == "1.5"
    assert shown["contentHash"] == card.content_hash == content_hash(shown["canonical"].encode())
    assert (shown["effectiveDate"], shown["outcome"]["passed"]) == ("2027-03-01", True)
    rows = api(reader()).get("/api/rate-cards/").json()["results"]
    assert [(row["version"], row["state"]) for row in rows] == [
        (again.version, "proposed"),
        (3, "approved"),
        (2, "sent_back"),
        (1, "active"),
    ]
    assert {name: shown[name] for name in rows[2]} == rows[2]


def test_list__is_walked_through_whatever_was_sent_back(clock):
    people = governed.make_stewards(2)
    governed.proposed(people[0], effective_date=date(2027, 6, 1))
    governed.adopted(clock, people, is_emergency=True, effective_date=date(2027, 1, 14))
    client, address, seen = api(reader()), "/api/rate-cards/?limit=1", []
    while address:
        answer = client.get(address).json()
        seen += [row["version"] for row in answer["results"]]
        address = answer["next"]
    assert seen == [3, 2, 1]


@pytest.mark.parametrize("version", [0, 4, 10**12])
def test_number_nobody_was_told__is_not_found(version, clock):
    assert api(reader()).get(f"/api/rate-cards/{version}/").status_code == 404


def test_draft__is_nobodys_to_read(clock):
    governed.draft(governed.make_stewards(1)[0])
    assert api(reader()).get("/api/rate-cards/2/").status_code == 404
