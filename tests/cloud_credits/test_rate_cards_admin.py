"""Rate cards at the desk: drafted with the policy beside every field, proposed after a second look, voted on."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from cloud_credits.actions import rate_cards
from cloud_credits.errors import CardRefused
from cloud_credits.models import RateCard, RateCardBallot, RateCardComment, RateCardElector
from cloud_credits.policies.rate_card_papers import terms_digest
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.cloud_credits import governed
from tests.cloud_credits.metered import make_key, meter
from tests.faces.desk import desk_of, look, page, send
from tests.faces.people import browser
from tests.factories import make_member

pytestmark = pytest.mark.django_db

NEW, CHECK = "/admin/cloud_credits/ratecard/draft/", "/admin/cloud_credits/ratecard/check/"
TYPED = {
    "compute_rate": "1.2", "transfer_rate": "0.1", "ltm_rate": "0.05", "stm_rate": "0.5",
    "compute_cost": "0.05", "transfer_cost": "0.01", "ltm_cost": "0.023", "stm_cost": "0.05",
    "target_margin": "88", "reserve_buffer": "10", "effective_date": "2027-03-01",
    "justification": "Power costs more.", "capacity_assumptions": "As last year.", "evidence": "", "notes": "",
}  # fmt: skip


def seen(card) -> str:
    return terms_digest(governed.stored(card).terms)


def words(html: str) -> str:
    return re.sub(r" (?=[.,:)])", "", re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def nothing_changed(attempt):
    before = governed.rows()
    answer = attempt()
    assert governed.rows() == before
    return answer


# --- drafting


def test_draft__begins_with_the_rates_in_force_and_a_day_that_could_be(stewards):
    answer = browser(stewards[0]).get(NEW)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert 'name="compute_rate" value="1"' in html
    assert 'name="stm_cost" value="0.05"' in html
    # proposed on 4 January it could begin on 4 February: the next first of a month
    assert 'value="2027-03-01"' in html
    assert "At least 0.5, at most 1.5 CLOUD a comp-hr on that day." in html
    assert "A proposal needs the justification." in html


def test_check__tells_cap_floor_and_what_is_missing_and_stores_nothing(stewards):
    client = browser(stewards[0])
    typed = TYPED | {"compute_rate": "1.50000001", "stm_rate": "0.009", "justification": ""}
    answer = nothing_changed(lambda: client.post(CHECK, typed))
    told = answer.json()
    assert answer.status_code == 200
    assert told["bounds"]["compute"] == {
        "words": "At least 0.5, at most 1.5 CLOUD a comp-hr on that day.",
        "change": "In force: 1. Change: +50.000001 %.",
    }
    assert [problem["field"] for problem in told["problems"]] == ["stm_rate", "justification", "compute_rate"]
    assert told["problems"][0]["sentence"].startswith("Short-term memory costs at least 0.01 CLOUD a GB-hr")
    assert told["problems"][2]["sentence"].startswith("Compute may cost at most 1.5 CLOUD a comp-hr then (50 % above")
    assert told["dates"] == "Proposed now, 2027-02-04 is the first day it could take effect."


def test_check__at_the_cap_exactly_nothing_stands_in_its_way(stewards):
    told = browser(stewards[0]).post(CHECK, TYPED | {"compute_rate": "1.5"}).json()
    assert told["problems"] == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "This field is required."),
        ("x", "is not a number"),
        ("1e3", "is not a number"),
        ("1.123456789", "more than 8 decimals"),
        ("100000", "The largest amount is 9999.99999999."),
        ("NaN", "is not a number"),
    ],
)
def test_check__what_is_half_typed_is_told_beside_its_field(stewards, given, sentence):
    told = browser(stewards[0]).post(CHECK, TYPED | {"compute_rate": given}).json()
    assert [problem["field"] for problem in told["problems"]] == ["compute_rate"]
    assert sentence in told["problems"][0]["sentence"]
    assert told["bounds"]["compute"]["words"] == "At least 0.5, at most 1.5 CLOUD a comp-hr on that day."


def test_check__without_scripts_is_a_button_that_shows_the_same(stewards):
    client = browser(stewards[0])
    answer = nothing_changed(lambda: client.post(NEW, TYPED | {"compute_rate": "1.6", "check": "1"}))
    assert answer.status_code == 200
    assert "Compute may cost at most 1.5 CLOUD" in answer.content.decode()
    assert 'value="1.6"' in answer.content.decode()


def test_draft__is_saved_and_edited(stewards):
    client = browser(stewards[0])
    answer = client.post(NEW, TYPED | {"save": "1"})
    card = RateCard.objects.get(state="draft")
    assert (answer.status_code, answer.url) == (302, f"/admin/cloud_credits/ratecard/{card.pk}/change/")
    typed = TYPED | {"compute_rate": "1.3", "save": "1", "seen": seen(card)}
    client.post(f"/admin/cloud_credits/ratecard/{card.pk}/draft/", typed)
    card = governed.stored(card)
    assert (str(card.compute_rate), card.justification) == ("1.30000000", "Power costs more.")
    assert RateCard.objects.filter(state="draft").count() == 1
    html = client.get(f"/admin/cloud_credits/ratecard/{card.pk}/draft/").content.decode()
    assert 'value="1.3"' in html
    assert "Power costs more.</textarea>" in html


def test_draft__may_lack_everything_but_its_rates(stewards):
    rates = {name: value for name, value in TYPED.items() if name.endswith("_rate")}
    browser(stewards[0]).post(NEW, rates | {"save": "1"})
    card = RateCard.objects.get(state="draft")
    assert (card.effective_date, card.compute_cost, card.justification) == (None, None, "")
    html = page(browser(stewards[0]), card)
    assert "A proposal needs the day it takes effect." in html


def test_draft__below_a_floor_is_refused_beside_the_field(stewards):
    client = browser(stewards[0])
    answer = nothing_changed(lambda: client.post(NEW, TYPED | {"transfer_rate": "0.09", "save": "1"}))
    assert answer.status_code == 422
    html = answer.content.decode()
    assert 'id="id_transfer_rate_error" role="alert">Transfer costs at least 0.1 CLOUD a GB; this says 0.09.' in html


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "3000-01-01", "9999-12-31"])
def test_draft__of_a_day_out_of_the_years_is_refused_beside_the_field(day, stewards):
    client = browser(stewards[0])
    answer = nothing_changed(lambda: client.post(NEW, TYPED | {"effective_date": day, "save": "1"}))
    assert answer.status_code == 422
    assert "is of the years 2000 to 2999" in answer.content.decode()


def test_draft__hostile_words_stay_words(stewards):
    client = browser(stewards[0])
    client.post(NEW, TYPED | {"justification": "</textarea><script>alert(1)</script>", "save": "1"})
    card = RateCard.objects.get(state="draft")
    for html in (page(client, card), client.get(f"/admin/cloud_credits/ratecard/{card.pk}/draft/").content.decode()):
        assert "<script>alert(1)" not in html
        assert "&lt;script&gt;alert(1)" in html


def test_draft__once_proposed_is_not_edited(stewards):
    card, client = governed.proposed(stewards[0]), browser(stewards[0])
    address = f"/admin/cloud_credits/ratecard/{card.pk}/draft/"
    answer = nothing_changed(lambda: client.post(address, TYPED | {"save": "1"}))
    assert (answer.status_code, answer.url) == (302, f"/admin/cloud_credits/ratecard/{card.pk}/change/")
    assert client.get(address).status_code == 302


def test_drafting__is_for_stewards_and_operations(stewards):
    card = governed.draft(stewards[0])
    paths = [NEW, f"/admin/cloud_credits/ratecard/{card.pk}/draft/"]
    for role in (Role.STEWARD, Role.OPERATIONS):
        assert [desk_of(role).get(path).status_code for path in paths] == [200, 200]
    plain = make_member("Plain", email="plain@example.org")
    plain.user.is_staff = True
    plain.user.save()
    client = browser(plain)
    checks = [CHECK, f"/admin/cloud_credits/ratecard/{card.pk}/check/"]
    assert [client.get(path).status_code for path in paths] == [403, 403]
    assert [client.post(path, TYPED).status_code for path in [*paths, *checks]] == [403] * 4
    assert [client.get(path).status_code for path in checks] == [405, 405]


def test_second_factor__is_asked_before_anything_of_it(stewards, settings):
    settings.STAFF_MFA_REQUIRED = True
    card = governed.proposed(stewards[0])
    client = browser(stewards[0])
    for path in (NEW, "/rate-cards/", f"/admin/cloud_credits/ratecard/{card.pk}/dry-run/"):
        assert client.get(path).url == "/accounts/2fa/"
    answer = nothing_changed(lambda: client.post("/rate-cards/2/vote/", {"choice": "yes"}))
    assert answer.url == "/accounts/2fa/"


# --- the way of a card


def test_propose__looks_twice_and_then_tells_the_members(stewards):
    card, client = governed.draft(stewards[0], compute_rate="1.2"), browser(stewards[0])
    answer = nothing_changed(lambda: look(client, card, "propose", seen=seen(card)))
    told = words(answer.content.decode())
    assert "Compute 1 → 1.2 CLOUD (+20 %)" in told
    assert "Told now 3 members with a cloud identity" in told
    assert "Voting may open 2027-01-18 12:00 UTC" in told
    assert "nothing on it can be changed" in told
    answer = send(client, card, "propose", seen=seen(card))
    assert answer.status_code == 302
    card = governed.stored(card)
    assert (card.state, card.version) == ("proposed", 2)
    assert RateCardElector.objects.filter(card=card).count() == 3


def test_propose__what_the_rules_forbid_is_told_and_nothing_happens(stewards):
    card = governed.draft(stewards[0], compute_rate="1.6", justification="")
    for attempt in (look, send):
        answer = nothing_changed(
            lambda attempt=attempt: attempt(browser(stewards[0]), card, "propose", seen=seen(card))
        )
        assert answer.status_code == 422
        told = words(answer.content.decode())
        assert "Compute may cost at most 1.5 CLOUD" in told
        assert "A proposal needs the justification." in told


def test_propose__what_was_not_looked_at_is_refused(stewards):
    """Between the second look and the button somebody else changes the draft."""
    card, client = governed.draft(stewards[0], compute_rate="1.2"), browser(stewards[0])
    read = seen(card)
    assert f'name="seen" value="{read}"' in page(client, card)
    assert f'name="seen" value="{read}"' in look(client, card, "propose", seen=read).content.decode()
    changed = governed.terms(compute_rate="1.3")
    rate_cards.save_draft(card=card, terms=changed, acting=governed.steward(stewards[1]))
    for attempt in (look, send):
        for given in ({"seen": read}, {}):
            answer = nothing_changed(lambda a=attempt, g=given: a(client, card, "propose", **g))
            assert answer.status_code == 409
            assert f"Draft {card.pk} was changed after you opened it." in answer.content.decode()
    assert send(client, card, "propose", seen=seen(card)).status_code == 302


def test_draft__changed_by_somebody_else_meanwhile_is_not_overwritten(stewards):
    card, client = governed.draft(stewards[0], compute_rate="1.2"), browser(stewards[0])
    address, read = f"/admin/cloud_credits/ratecard/{card.pk}/draft/", seen(card)
    assert f'name="seen" value="{read}"' in client.get(address).content.decode()
    changed = governed.terms(compute_rate="1.3")
    rate_cards.save_draft(card=card, terms=changed, acting=governed.steward(stewards[1]))
    for given in ({"seen": read}, {}):
        answer = nothing_changed(lambda given=given: client.post(address, TYPED | {"save": "1"} | given))
        assert answer.status_code == 409
        assert f"Draft {card.pk} was changed after you opened it." in answer.content.decode()


def test_open__looks_at_the_electorate_and_freezes_it(clock, stewards):
    card = governed.proposed(stewards[0])
    clock.forward(days=14)
    client = browser(stewards[0])
    closes_at = (clock.moment + timedelta(days=4)).strftime("%Y-%m-%dT%H:%M")
    answer = nothing_changed(lambda: look(client, card, "open-voting", closes_at=closes_at))
    told = words(answer.content.decode())
    assert "Closes 2027-01-22 12:00 UTC" in told
    assert "Electorate, frozen now 3: Steward" in told
    send(client, card, "open-voting", closes_at=closes_at)
    card = governed.stored(card)
    assert (card.state, f"{card.closes_at:%Y-%m-%d %H:%M}") == ("voting", "2027-01-22 12:00")


def test_open__too_early_or_too_short_is_told(clock, stewards):
    card, client = governed.proposed(stewards[0]), browser(stewards[0])
    closes_at = (clock.moment + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    answer = nothing_changed(lambda: look(client, card, "open-voting", closes_at=closes_at))
    told = words(answer.content.decode())
    assert "Members discuss for 14 days: until 2027-01-18 12:00 UTC." in told
    assert "A vote is open for at least 72 hours." in told
    answer = nothing_changed(lambda: look(client, card, "open-voting", closes_at="tomorrow"))
    assert answer.status_code == 422


def test_open__is_not_offered_once_no_vote_fits(clock, stewards):
    card = governed.proposed(stewards[0])
    clock.at(datetime(2027, 2, 22, 23, 59, 59, tzinfo=UTC))
    client = browser(stewards[0])
    assert "verb-open-voting" in page(client, card)
    clock.forward(seconds=1)
    html = page(client, card)
    assert "verb-open-voting" not in html
    assert "verb-withdraw" in html
    told = words(html)
    assert (
        "It is too late for a vote. Its proposer may withdraw it; otherwise it lapses in 10 days and 12 hours" in told
    )
    assert "No vote was opened in time, and none can be any more" in told
    assert "if it is adopted" not in told


def test_vote__is_cast_and_changed_at_the_desk(clock, stewards):
    card = governed.opened(clock, stewards[0])
    client = browser(stewards[1])
    assert "You have not voted yet." in words(page(client, card))
    send(client, card, "vote", choice="no", reason="early")
    clock.forward(minutes=5)
    send(client, card, "vote", choice="yes", reason="convinced")
    assert list(RateCardBallot.objects.values_list("choice", "reason")) == [("no", "early"), ("yes", "convinced")]
    told = words(page(client, card))
    assert "So far, 1 of 3 have voted." in told
    assert "You voted yes" in told


def test_vote__of_others_is_not_told_while_it_is_open(clock, stewards):
    card = governed.opened(clock, stewards[0])
    rate_cards.cast_ballot(card_id=card.pk, choice="no", reason="a secret", acting=governed.steward(stewards[0]))
    html = page(browser(stewards[1]), card)
    assert "a secret" not in html
    assert ">cast<" in html
    told = words(html)
    assert "1 of 3 electors voted" in told
    assert not re.search(r"\d (yes|no\b)|Majority|In favour", told)
    clock.at(card.closes_at)
    rate_cards.settle(card_id=card.pk)
    html = page(browser(stewards[1]), card)
    assert "a secret" in html
    assert "0 yes, 1 no, 0 abstained" in words(html)
    assert "No quorum: 1 of 3 electors voted, 2 must." in html


def test_vote__that_was_broken_off_tells_nobody_how_others_voted(clock, stewards):
    card = governed.opened(clock, stewards[0])
    for each, choice in zip(stewards[:2], ("yes", "no"), strict=True):
        said = f"a secret of {each.pk}"
        rate_cards.cast_ballot(card_id=card.pk, choice=choice, reason=said, acting=governed.steward(each))
    clock.forward(hours=1)
    rate_cards.withdraw(card_id=card.pk, reason="I see it fails", acting=governed.steward(stewards[0]))
    html = page(browser(stewards[0]), card)
    assert f"a secret of {stewards[1].pk}" not in html
    # One's own ballot is no secret.
    assert f"a secret of {stewards[0].pk}" in html
    assert re.findall(r'data-label="Vote">(\w+)<', html) == ["yes", "cast", "none"]
    told = words(html)
    assert "The vote was broken off: how anybody voted is told to nobody." in told
    assert not re.search(r"\d (yes|no\b)|electors voted|Majority|In favour", told)


def test_vote__while_it_is_counted_is_as_secret_as_before(clock, stewards):
    card = governed.opened(clock, stewards[0])
    rate_cards.cast_ballot(card_id=card.pk, choice="no", reason="a secret", acting=governed.steward(stewards[0]))
    clock.at(card.closes_at)
    html = page(browser(stewards[1]), card)
    assert "the ballots are being counted" in html
    assert "a secret" not in html
    assert re.findall(r'data-label="Vote">(\w+)<', html) == ["cast", "none", "none"]
    assert "1 of 3 electors voted" in words(html)
    assert not re.search(r"\d (yes|no\b)|Majority|In favour", words(html))


def test_vote__an_elector_who_lost_the_role_votes_still(clock, stewards):
    members.grant_role(member=stewards[1], role=Role.OPERATIONS, reason="hired", acting=SYSTEM)
    card = governed.opened(clock, stewards[0])
    members.revoke_role(member=stewards[1], role=Role.STEWARD, reason="term over", acting=SYSTEM)
    client = browser(stewards[1])
    assert "verb-vote" in page(client, card)
    assert send(client, card, "vote", choice="no").status_code == 302
    assert list(RateCardBallot.objects.values_list("choice", flat=True)) == ["no"]


def test_vote__is_not_for_operations(clock, stewards):
    card = governed.opened(clock, stewards[0])
    client = desk_of(Role.OPERATIONS)
    assert "verb-vote" not in page(client, card)
    answer = nothing_changed(lambda: send(client, card, "vote", choice="yes"))
    assert answer.status_code == 403


def test_outcome__stands_on_the_card_with_the_rule(clock, stewards):
    card = governed.adopted(clock, stewards)
    told = words(page(browser(stewards[0]), card))
    assert "Adopted." in told
    assert "3 yes and 0 no of 3 electors." in told
    assert "The rule applied: Half of the electorate votes" in told
    assert "verb-withdraw" not in page(browser(stewards[0]), card)


def test_comment__at_the_desk_stands_in_the_same_thread(stewards):
    card = governed.proposed(stewards[0])
    send(browser(stewards[1]), card, "comment", text="From the desk")
    assert RateCardComment.objects.get().member_id == stewards[1].pk
    assert "From the desk" in page(browser(stewards[0]), card)


def test_withdraw__looks_twice_wants_a_reason_and_is_the_proposers_alone(clock, stewards):
    card = governed.opened(clock, stewards[0])
    client = browser(stewards[0])
    answer = nothing_changed(lambda: look(client, card, "withdraw", reason="A mistake"))
    assert "may not be proposed for 30 days" in words(answer.content.decode())
    assert nothing_changed(lambda: send(client, card, "withdraw", reason=" ")).status_code == 422
    assert "verb-withdraw" in page(client, card)
    assert "verb-withdraw" not in page(browser(stewards[1]), card)
    assert nothing_changed(lambda: send(browser(stewards[1]), card, "withdraw", reason="Mine")).status_code == 403
    send(client, card, "withdraw", reason="A mistake")
    assert (governed.stored(card).state, governed.stored(card).ended_reason) == ("withdrawn", "A mistake")
    assert "A mistake" in page(client, card)


def test_card_under_way__is_offered_back_to_its_proposer_alone(stewards):
    """Nobody fills in a reason, or writes a whole amendment, only to be refused at its end."""
    card = governed.proposed(stewards[0], compute_rate="1.2")
    theirs, others = (page(browser(stewards[number]), card) for number in (0, 1))
    for verb in ("verb-withdraw", "verb-amend"):
        assert (verb in theirs, verb in others) == (True, False)
    assert "verb-open-voting" in others
    draft = rate_cards.amend(card_id=card.pk, acting=governed.steward(stewards[0]))
    answer = nothing_changed(lambda: look(browser(stewards[1]), draft, "propose", seen=seen(draft)))
    assert answer.status_code == 403
    assert f"Rate card 2 was proposed by {stewards[0].display_name}. Only they may withdraw it." in words(
        answer.content.decode()
    )
    # Once it has ended, whoever may propose begins anew from it.
    rate_cards.withdraw(card_id=card.pk, reason="A mistake", acting=governed.steward(stewards[0]))
    assert "verb-amend" in page(browser(stewards[1]), card)


def test_card_that_ended__promises_no_day_and_no_vote(clock, stewards):
    """Neither "in force from … if it is adopted" nor a vote of which everybody cast none."""
    card = governed.proposed(stewards[0])
    assert "In force from 00:00 UTC of 2027-03-01, if it is adopted." in words(page(browser(stewards[0]), card))
    rate_cards.withdraw(card_id=card.pk, reason="A mistake", acting=governed.steward(stewards[0]))
    told = words(page(browser(stewards[0]), card))
    assert "In force from 00:00 UTC" not in told
    assert "Withdrawn. A mistake" in told
    assert "No vote was held." in told


def test_open__says_when_it_may_before_anybody_asks(clock, stewards):
    card = governed.proposed(stewards[0])
    early = page(browser(stewards[0]), card)
    assert "the vote cannot open before 2027-01-18 12:00 UTC." in early
    # Four days after it may open, not four days from now.
    assert 'value="2027-01-22T12:00"' in early
    clock.forward(days=14)
    assert "the vote cannot open before" not in page(browser(stewards[0]), card)


def test_amend__opens_a_new_draft_with_the_same_content(stewards):
    card = governed.proposed(stewards[0], compute_rate="1.2")
    answer = send(browser(stewards[0]), card, "amend")
    draft = RateCard.objects.get(state="draft")
    assert answer.url == f"/admin/cloud_credits/ratecard/{draft.pk}/draft/"
    assert (draft.amends_id, draft.compute_rate) == (card.pk, card.compute_rate)
    # The card it amends would give way to it: it does not stand in its own way.
    told = browser(stewards[0]).post(f"/admin/cloud_credits/ratecard/{draft.pk}/check/", TYPED).json()
    assert told["problems"] == []
    assert (
        browser(stewards[0]).post(CHECK, TYPED).json()["problems"][0]["sentence"].startswith("Rate card 2 is proposed")
    )


def test_amend__the_second_look_names_the_card_that_gives_way(stewards):
    card = governed.proposed(stewards[0], compute_rate="1.2")
    client = browser(stewards[0])
    send(client, card, "amend")
    draft = RateCard.objects.get(state="draft")
    answer = nothing_changed(lambda: look(client, draft, "propose", seen=seen(draft)))
    assert "Version 2 withdrawn at once" in words(answer.content.decode())
    send(client, draft, "propose", seen=seen(draft))
    assert [governed.stored(each).state for each in (card, draft)] == ["withdrawn", "proposed"]
    assert "Amended: another card takes its place." in page(client, card)


def problems_told(client: Client, card: RateCard, **typed: str) -> list[str]:
    told = client.post(f"/admin/cloud_credits/ratecard/{card.pk}/check/", TYPED | typed).json()
    return [each["sentence"] for each in told["problems"]]


def test_amend__of_a_card_under_vote_is_told_the_defeat_that_its_proposal_would_be(clock, stewards):
    card, client = governed.opened(clock, stewards[0], compute_rate="1.2"), browser(stewards[0])
    send(client, card, "amend")
    draft = RateCard.objects.get(state="draft")
    defeat = (
        "To propose this breaks off the vote on rate card 2, which is its defeat: equal or higher rates (Compute) may "
        "be proposed again from 2027-02-17 12:00 UTC."
    )
    assert problems_told(client, draft) == [defeat]
    assert defeat in page(client, draft)
    answer = nothing_changed(lambda: look(client, draft, "propose", seen=seen(draft)))
    assert defeat in answer.content.decode()
    refusal = governed.refused(
        CardRefused, lambda: rate_cards.propose(card_id=draft.pk, acting=governed.steward(stewards[0]))
    )
    assert refusal.codes == ["defeated_recently"]
    # Lower rates may follow at once, and page and verb agree in that too.
    assert problems_told(client, draft, compute_rate="1.1") == []
    client.post(
        f"/admin/cloud_credits/ratecard/{draft.pk}/draft/", TYPED | {"compute_rate": "1.1", "seen": seen(draft)}
    )
    assert "Nothing stands in its way" in page(client, draft)
    send(client, draft, "propose", seen=seen(draft))
    assert [governed.stored(each).state for each in (card, draft)] == ["withdrawn", "proposed"]


def test_draft__a_closed_vote_that_nobody_settled_is_told_as_its_defeat(clock, stewards):
    card, client = governed.opened(clock, stewards[0], compute_rate="1.2"), browser(stewards[0])
    draft = governed.draft(stewards[0], compute_rate="1.1")
    assert problems_told(client, draft)[0].startswith("Rate card 2 is being voted on.")
    clock.at(card.closes_at)
    assert problems_told(client, draft)[0].startswith("Rate card 2 was defeated on 2027-01-21: equal or higher rates")
    assert problems_told(client, draft, compute_rate="1.1") == []
    assert "Nothing stands in its way" in page(client, draft)
    assert look(client, draft, "propose", seen=seen(draft)).status_code == 200
    assert governed.stored(card).state == "voting"
    send(client, draft, "propose", seen=seen(draft))
    assert [governed.stored(each).state for each in (card, draft)] == ["rejected", "proposed"]


def test_draft__a_card_adopted_by_a_vote_that_nobody_settled_is_in_flight(clock, stewards):
    card, client = governed.opened(clock, stewards[0], compute_rate="1.2"), browser(stewards[0])
    governed.vote(card, dict.fromkeys(stewards, "yes"))
    draft = governed.draft(stewards[0], effective_date=governed.MARCH + timedelta(days=31))
    clock.at(card.closes_at)
    told = problems_told(client, draft, effective_date="2027-04-01")
    assert told == ["Rate card 2 is approved and not in force yet. Only one normal card at a time is under way."]
    refusal = governed.refused(
        CardRefused, lambda: rate_cards.propose(card_id=draft.pk, acting=governed.steward(stewards[0]))
    )
    assert refusal.codes == ["card_in_flight"]


def test_draft__an_overdue_card_that_nobody_ended_does_not_stand_in_its_way(clock, stewards):
    governed.proposed(stewards[0], effective_date=governed.MARCH + timedelta(days=92))
    draft, client = governed.draft(stewards[0]), browser(stewards[0])
    assert problems_told(client, draft)[0].startswith("Rate card 2 is proposed.")
    clock.forward(days=60)
    assert problems_told(browser(stewards[0]), draft, effective_date="2027-06-01") == []


def test_amend__of_a_card_whose_vote_closed_meanwhile_breaks_nothing_off(clock, stewards):
    card, client = governed.opened(clock, stewards[0], compute_rate="1.2"), browser(stewards[0])
    send(client, card, "amend")
    draft = RateCard.objects.get(state="draft")
    client.post(
        f"/admin/cloud_credits/ratecard/{draft.pk}/draft/", TYPED | {"compute_rate": "1.1", "seen": seen(draft)}
    )
    clock.at(card.closes_at)
    answer = look(client, draft, "propose", seen=seen(draft))
    assert answer.status_code == 200
    assert "withdrawn at once" not in answer.content.decode()
    send(client, draft, "propose", seen=seen(draft))
    assert [governed.stored(each).state for each in (card, draft)] == ["rejected", "proposed"]


# --- the dry run, the list, the home


def test_dry_run__shows_revenue_cost_and_margin_and_writes_nothing(stewards):
    member, key = make_member("Meg", credits="1000"), make_key()
    meter(member, key, quantity="100")
    card = governed.draft(stewards[0], compute_rate="1.2", compute_cost="0.06")
    address = f"/admin/cloud_credits/ratecard/{card.pk}/dry-run/?span=this"
    answer = nothing_changed(lambda: browser(stewards[0]).get(address))
    told = words(answer.content.decode())
    assert "$1,000.00, with this card $1,200.00 (+$200.00)" in told
    assert "$4.16, with this card&#x27;s cost basis $6.00" in told or "$4.16, with this card's cost basis $6.00" in told
    assert "99.58 %, with this card 99.5 %" in told
    # Members are named to who may read their usage anyway.
    assert "Meg" not in told
    assert "Meg" in desk_of(Role.OPERATIONS).get(address).content.decode()


def test_list__leads_to_a_new_draft_and_asks_no_more_for_more_cards(clock, stewards, django_assert_max_num_queries):
    client = browser(stewards[0])
    governed.draft(stewards[0])
    assert (
        'href="/admin/cloud_credits/ratecard/draft/"' in client.get("/admin/cloud_credits/ratecard/").content.decode()
    )
    for _ in range(5):
        governed.draft(stewards[0])
    governed.proposed(stewards[0])
    with django_assert_max_num_queries(20):
        client.get("/admin/cloud_credits/ratecard/")


def test_home__names_the_open_vote_and_whether_i_have_voted(clock, stewards):
    card = governed.opened(clock, stewards[0])
    client = browser(stewards[1])
    told = words(client.get("/admin/").content.decode())
    assert "Rate card 2 voting 0 of 3 have voted, you have not voted" in told
    rate_cards.cast_ballot(card_id=card.pk, choice="yes", acting=governed.steward(stewards[1]))
    assert "1 of 3 have voted, you voted yes" in words(client.get("/admin/").content.decode())
    assert "Rate card 2 voting 1 of 3 have voted. Voting closes" in words(
        desk_of(Role.OPERATIONS).get("/admin/").content.decode()
    )


def test_home__without_a_card_under_way_says_so(stewards):
    assert "No rate card is proposed." in browser(stewards[0]).get("/admin/").content.decode()


def test_history__tells_each_step(clock, stewards):
    card = governed.opened(clock, stewards[0])
    html = page(browser(stewards[0]), card)
    assert 'id="history"' in html
