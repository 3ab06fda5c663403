"""`/rate-cards/`: what is proposed and what it would cost me, the thread, the vote, the outcome, the papers."""

import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from openpyxl import load_workbook

from cloud_credits.actions import rate_cards
from cloud_credits.models import RateCard, RateCardBallot, RateCardComment
from cloud_credits.policies.rate_card_papers import content_hash
from cloud_credits.reports import rate_card_effects
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.cloud_credits import governed
from tests.cloud_credits.metered import make_key, meter
from tests.faces.people import browser, reader

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\n# Heading\n[link](javascript:alert(1)) & <b>bold</b>"


def open_page(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def text_of(page: str) -> str:
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<main") :]))
    return re.sub(r" (?=[.,:)])", "", words)


def proposal(stewards: list[Member], **fields) -> RateCard:
    return governed.proposed(stewards[0], **({"compute_rate": "1.2", "ltm_rate": "0.06"} | fields))


def voting(clock, stewards: list[Member], **fields) -> RateCard:
    return governed.opened(clock, stewards[0], compute_rate="1.2", **fields)


# --- the list


def test_list__first_what_is_under_way_then_what_is_in_force(stewards):
    proposal(stewards)
    page = text_of(open_page(browser(reader()), "/rate-cards/"))
    assert page.index("Under way") < page.index("In force: version 1") < page.index("Every version")
    assert "Version 2 proposed" in page
    assert "Voting may open in 14 days, 2027-01-18 12:00 UTC." in page
    assert "Compute: 1 → 1.2 CLOUD a comp-hr (+20 %)" in page
    assert "Long-term memory: 0.05 → 0.06 CLOUD a GB-mo (+20 %)" in page


def test_list__shows_no_draft(stewards):
    governed.draft(stewards[0], compute_rate="1.4")
    page = open_page(browser(reader()), "/rate-cards/")
    assert "Under way" not in page
    assert "1.4" not in page


def test_list__a_vote_counts_down_to_its_close(clock, stewards):
    card = voting(clock, stewards)
    page = open_page(browser(reader()), "/rate-cards/")
    assert "Voting closes" in page
    stamp = card.closes_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f'data-until="{stamp}" data-past="now">in 3 days<' in page
    assert f'<time datetime="{stamp}" data-when="zone">' in page


def test_changelog__tells_every_version_and_what_it_changes(clock, stewards):
    governed.adopted(clock, stewards, compute_rate="1.2")
    page = text_of(open_page(browser(reader()), "/rate-cards/changelog/"))
    assert page.index("Version 2 scheduled") < page.index("Version 1 in force")
    assert "Compute: 1 → 1.2 CLOUD a comp-hr (+20 %)" in page
    assert "Compute: 1 CLOUD a comp-hr (new)" in page


def test_changelog__promises_no_day_to_what_was_not_adopted(clock, stewards):
    card = proposal(stewards)
    told = text_of(open_page(browser(reader()), "/rate-cards/changelog/"))
    assert "in force from 2027-03-01, if it is adopted · compared" in told
    rate_cards.withdraw(card_id=card.pk, reason="A mistake", acting=governed.steward(stewards[0]))
    told = text_of(open_page(browser(reader()), "/rate-cards/changelog/"))
    assert "was to be in force from 2027-03-01 · compared with version 1" in told
    assert "in force from 2026-04-01" in told


# --- one card


def test_card__is_compared_with_the_one_in_force(stewards):
    proposal(stewards, compute_rate="0.9")
    page = open_page(browser(reader()), "/rate-cards/2/")
    assert "Compared with version 1, in force now" in page
    assert re.search(r'rate-down">−10 %<', page)
    assert re.search(r'rate-up">\+20 %<', page)
    assert page.count('class="quiet">unchanged<') == 2


def test_card__says_what_it_would_have_cost_me_and_nobody_else(stewards):
    member, other, key = reader("100"), reader("100"), make_key()
    meter(member, key, quantity="10")
    meter(other, key, quantity="77")
    proposal(stewards)
    page = open_page(browser(member), "/rate-cards/2/")
    assert "you paid 10 CLOUD. With this card it would have been <strong>12 CLOUD ($120.00)</strong>" in page
    assert "+2 CLOUD more</span> (+20 %)" in page
    assert "77" not in text_of(page)


def test_card__on_which_no_vote_fits_any_more_says_so(clock, stewards):
    """60 days after the notice it lapses by itself; until then its proposer alone can clear the way."""
    proposal(stewards)
    clock.at(datetime(2027, 2, 23, tzinfo=UTC))
    client = browser(reader())
    told = text_of(open_page(client, "/rate-cards/2/"))
    words = "It is too late for a vote. Its proposer may withdraw it; otherwise it lapses in 10 days and 12 hours"
    assert f"{words}." in told
    assert "Vote : not reached 2027-02-23 00:00 UTC had to open by then, and did not" in told.replace("Vote:", "Vote :")
    assert "No vote was opened in time, and none can be any more: it had to open by 2027-02-23 00:00 UTC." in told
    assert "Voting has not opened" not in told
    listed = text_of(open_page(client, "/rate-cards/"))
    assert f"{words}, 2027-03-05 12:00 UTC." in listed
    assert "Was to be in force from 00:00 UTC of 2027-03-01." in listed
    assert "if it is adopted" not in listed
    log = text_of(open_page(client, "/rate-cards/changelog/"))
    assert "was to be in force from 2027-03-01 · compared with version 1" in log


def test_card__says_who_proposed_it(stewards):
    proposal(stewards)
    client = browser(reader())
    assert f"Proposed by {stewards[0].display_name}" in text_of(open_page(client, "/rate-cards/2/"))
    assert "Proposed by the cooperative" in text_of(open_page(client, "/rate-cards/1/"))


def test_card__in_force_is_no_proposal_and_costs_what_it_costs(stewards):
    assert "What it would have cost you" not in open_page(browser(reader()), "/rate-cards/1/")


def test_card__who_used_nothing_is_told_so(stewards):
    proposal(stewards)
    assert "You used nothing in 2027-Q1 so far" in open_page(browser(reader()), "/rate-cards/2/")


def test_card__another_time_can_be_chosen(stewards):
    proposal(stewards)
    client = browser(reader())
    assert "You used nothing in 2026-Q4:" in open_page(client, "/rate-cards/2/?span=last")
    # Nonsense is as if nothing had been chosen.
    assert "You used nothing in 2027-Q1 so far" in open_page(
        client, "/rate-cards/2/?span=%00x&before=y".replace("%00", "")
    )


def test_card__somebody_without_membership_reads_it_too(stewards, django_user_model):
    proposal(stewards)
    client = Client()
    user = django_user_model.objects.build(email="guest@example.org", password="correct horse battery")
    user.save()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = open_page(client, "/rate-cards/2/")
    assert "What it would have cost you" not in page


def test_card__needs_a_sign_in_and_a_version_that_is_published(stewards):
    governed.draft(stewards[0])
    assert Client().get("/rate-cards/1/").status_code == 302
    client = browser(reader())
    for version in (2, 0, 10**12):
        assert client.get(f"/rate-cards/{version}/").status_code == 404


def test_card__sent_back_by_an_emergency_keeps_its_page_and_thread(clock, stewards):
    card = proposal(stewards, effective_date=date(2027, 6, 1))
    rate_cards.comment(
        card_id=card.pk, member=stewards[1], text="What about spring?", acting=governed.steward(stewards[1])
    )
    assert "What about spring?" in open_page(browser(reader()), "/rate-cards/2/")
    clock.forward(days=1)
    governed.adopted(clock, stewards, is_emergency=True, effective_date=date(2027, 1, 14))
    page = text_of(open_page(browser(reader()), "/rate-cards/2/"))
    assert "sent back It never took effect." in page
    assert "Emergency card 3 was adopted: rate card 2 is a draft again." in page
    assert "Compute compute-hours 1 1.2 +20 % 0.0416" in page
    assert "What about spring?" in page
    # Proposed again and withdrawn, its first version still tells what happened to it then.
    again = rate_cards.propose(card_id=card.pk, acting=governed.steward(stewards[0]))
    rate_cards.withdraw(card_id=again.pk, reason="Second thoughts", acting=governed.steward(stewards[0]))
    page = text_of(open_page(browser(reader()), "/rate-cards/2/"))
    assert "Emergency card 3 was adopted: rate card 2 is a draft again." in page
    assert "Second thoughts" not in page


def sent_back_after_its_vote(clock, stewards: list[Member]) -> RateCard:
    """Version 2 was adopted, and an emergency sent it back before its day."""
    card = governed.adopt_for(clock, stewards, effective_date=date(2027, 3, 1), compute_rate="1.5")
    clock.at(datetime(2027, 2, 20, tzinfo=UTC))
    governed.adopted(clock, stewards, is_emergency=True, effective_date=date(2027, 3, 1), compute_rate="1.1")
    return card


def test_sent_back__after_its_vote_keeps_outcome_papers_and_hash(clock, stewards):
    card = sent_back_after_its_vote(clock, stewards)
    client = browser(reader())
    page = open_page(client, "/rate-cards/2/")
    assert "What it asked for, compared with version 1" in page
    assert "Adopted, 2027-01-17 00:00 UTC. 3 yes and 0 no of 3 electors." in text_of(page)
    assert "The rule applied: Half of the electorate votes;" in text_of(page)
    assert card.content_hash in page
    paper = client.get("/rate-cards/2/card.json")
    assert content_hash(paper.content) == card.content_hash
    body = client.get("/rate-cards/2/card.md").content.decode()
    assert body.startswith("# Rate card version 2\n")
    assert "- State: sent back. Emergency card 3 was adopted: rate card 2 is a draft again." in body
    assert "| Primitive | Unit | CLOUD a unit | Version 1 | Change | Cost to the cooperative, USD |" in body
    assert "- Adopted: 3 yes and 0 no of 3 electors.\n- Closed: 2027-01-17 00:00 UTC\n- Electors: 3 (" in body
    assert "\n- Yes 3, no 0, abstained 0" in body
    assert f"`{card.content_hash}`" in body


def test_sent_back__edited_since_its_papers_stay_as_they_were_told(clock, stewards):
    card = sent_back_after_its_vote(clock, stewards)
    rate_cards.save_draft(
        card=governed.stored(card),
        terms=governed.terms(compute_rate="1.2", justification="Second try", effective_date=date(2027, 5, 1)),
        acting=governed.steward(stewards[1]),
    )
    client = browser(reader())
    assert content_hash(client.get("/rate-cards/2/card.json").content) == card.content_hash
    assert "Second try" not in open_page(client, "/rate-cards/2/")
    assert "1.5" in open_page(client, "/rate-cards/2/")


def test_sent_back__during_its_vote_tells_no_ballot(clock, stewards):
    card = governed.opened(clock, stewards[0], effective_date=date(2027, 4, 1), compute_rate="1.2")
    rate_cards.cast_ballot(card_id=card.pk, choice="no", reason="Too dear for me", acting=governed.steward(stewards[1]))
    governed.adopted(clock, stewards, is_emergency=True, effective_date=date(2027, 2, 1))
    client = browser(stewards[0])
    page = text_of(open_page(client, "/rate-cards/2/"))
    assert "The vote was broken off: it came to no outcome" in page
    assert "Too dear for me" not in page
    assert stewards[1].display_name not in page
    assert "## The vote" not in client.get("/rate-cards/2/card.md").content.decode()


def test_sent_back__is_linked_from_the_list_the_changelog_and_its_next_version(clock, stewards):
    card = sent_back_after_its_vote(clock, stewards)
    client = browser(reader())
    log = open_page(client, "/rate-cards/changelog/")
    assert text_of(log).index("Version 3 scheduled") < text_of(log).index("Version 2 sent back")
    assert "Compute: 1 → 1.5 CLOUD a comp-hr (+50 %)" in text_of(log)
    assert 'href="/rate-cards/2/"' in log
    listed = open_page(client, "/rate-cards/")
    assert 'href="/rate-cards/2/"' in listed
    under_way = listed[listed.index("Under way") : listed.index("In force:")]
    assert "/rate-cards/3/" in under_way
    assert "/rate-cards/2/" not in under_way
    rate_cards.save_draft(
        card=governed.stored(card),
        terms=governed.terms(effective_date=date(2027, 5, 1)),
        acting=governed.steward(stewards[0]),
    )
    again = rate_cards.propose(card_id=card.pk, acting=governed.steward(stewards[0]))
    page = open_page(client, f"/rate-cards/{again.version}/")
    assert 'already as <a href="/rate-cards/2/">version 2</a>, which an emergency card sent back.' in page
    assert "already as" not in open_page(client, "/rate-cards/3/")


def test_sent_back__papers_of_a_number_nobody_was_told_are_not_found(stewards):
    governed.draft(stewards[0])
    client = browser(reader())
    for version in (2, 0, 10**12):
        assert client.get(f"/rate-cards/{version}/card.json").status_code == 404
        assert client.get(f"/rate-cards/{version}/card.md").status_code == 404


# --- my usage, event by event


def test_my_usage__each_event_under_both_prices(stewards):
    member = reader("100")
    meter(member, make_key(), quantity="2.5")
    proposal(stewards)
    page = open_page(browser(member), "/rate-cards/2/my-usage/?span=this")
    assert "2.5 compute-hours × 1 CLOUD = 2.5 CLOUD (25.00 USD)" in page
    assert "2.5 compute-hours × 1.2 CLOUD = 3 CLOUD (30.00 USD)" in page
    exported = b"".join(browser(member).get("/rate-cards/2/my-usage/?span=this&export=csv").streaming_content).decode()
    assert "2.5 compute-hours × 1.2 CLOUD = 3 CLOUD (30.00 USD)" in exported
    assert exported.strip().endswith(",0.5")


def test_my_usage__pages_hold_every_event_once(stewards):
    member, key = reader("100"), make_key()
    for number in range(1, 31):
        meter(member, key, quantity=f"0.{number:02}")
    proposal(stewards)
    client = browser(member)
    first = open_page(client, "/rate-cards/2/my-usage/?span=this")
    older = re.search(r'href="(\?[^"]*before=[^"]*)" rel="next"', first)[1].replace("&amp;", "&")
    second = open_page(client, f"/rate-cards/2/my-usage/{older}")
    found = [re.findall(r'data-label="What you paid"><span>(.*?) compute', page) for page in (first, second)]
    assert [len(part) for part in found] == [25, 5]
    assert len({*found[0], *found[1]}) == 30


def test_my_usage__an_export_holds_every_event_however_many(stewards, monkeypatch):
    monkeypatch.setattr(rate_card_effects, "EXPORT_PIECE", 2)
    member, key = reader("100"), make_key()
    for number in range(1, 6):
        meter(member, key, quantity=f"0.{number}")
    proposal(stewards)
    client = browser(member)
    exported = b"".join(client.get("/rate-cards/2/my-usage/?span=this&export=csv").streaming_content).decode()
    assert re.findall(r"(0\.\d) compute-hours × 1\.2", exported) == ["0.5", "0.4", "0.3", "0.2", "0.1"]
    book = client.get("/rate-cards/2/my-usage/?span=this&export=xlsx").content
    assert load_workbook(io.BytesIO(book)).active.max_row == 6


# --- the thread


def test_comment__stands_in_the_thread_with_its_name(stewards):
    proposal(stewards)
    ana, bob = reader(), reader()
    answer = browser(ana).post("/rate-cards/2/comment/", {"text": "  Too dear for me.\r\nReally. "})
    assert (answer.status_code, answer.url) == (302, "/rate-cards/2/#discussion")
    page = open_page(browser(bob), "/rate-cards/2/")
    assert "Too dear for me.\nReally.</p>" in page
    assert f"<strong>{ana.display_name}</strong>" in page
    assert "Discussion (1)" in page


def test_comment__words_stay_words(stewards):
    proposal(stewards, justification=HOSTILE)
    browser(reader()).post("/rate-cards/2/comment/", {"text": HOSTILE})
    page = open_page(browser(reader()), "/rate-cards/2/")
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
    assert "<b>bold" not in page
    assert "javascript:alert(1))" in page
    assert 'href="javascript' not in page


@pytest.mark.parametrize("text", ["", "   ", "x" * 5_001])
def test_comment__empty_or_endless_is_refused_beside_its_field(stewards, text):
    proposal(stewards)
    answer = browser(reader()).post("/rate-cards/2/comment/", {"text": text})
    assert answer.status_code == 422
    assert "field__error" in answer.content.decode()
    assert not RateCardComment.objects.exists()


def test_comment__only_while_it_is_discussed(clock, stewards):
    card = voting(clock, stewards)
    client = browser(reader())
    assert "Say it" in open_page(client, "/rate-cards/2/")
    clock.at(card.closes_at)
    rate_cards.settle_due()
    assert "Say it" not in open_page(client, "/rate-cards/2/")
    for version in (1, 2):
        answer = client.post(f"/rate-cards/{version}/comment/", {"text": "Late"})
        assert answer.status_code == 409
        assert "nothing to discuss" in answer.content.decode()
    assert not RateCardComment.objects.exists()


def test_thread__shows_the_newest_fifty_and_leads_to_the_earlier_ones(clock, stewards):
    card, member = proposal(stewards), reader()
    for number in range(53):
        rate_cards.comment(card_id=card.pk, member=member, text=f"word {number:02}", acting=governed.steward(member))
    client = browser(reader())
    page = open_page(client, "/rate-cards/2/")
    assert re.findall(r"word (\d\d)", page) == [f"{number:02}" for number in range(3, 53)]
    earlier = re.search(r'href="(\?before=\d+)#discussion"', page)[1]
    assert re.findall(r"word (\d\d)", open_page(client, f"/rate-cards/2/{earlier}")) == ["00", "01", "02"]


# --- the vote


def test_vote__a_steward_casts_and_changes_it_on_the_page(clock, stewards):
    card = voting(clock, stewards)
    client = browser(stewards[1])
    assert "Cast my vote" in open_page(client, "/rate-cards/2/")
    answer = client.post("/rate-cards/2/vote/", {"choice": "no", "reason": "Too early"})
    assert (answer.status_code, answer.url) == (302, "/rate-cards/2/#vote")
    clock.forward(minutes=1)
    client.post("/rate-cards/2/vote/", {"choice": "yes", "reason": ""})
    page = open_page(client, "/rate-cards/2/")
    assert "You voted <strong>yes</strong>" in page
    assert "Change my vote" in page
    assert "1 of 3 electors voted" in page
    assert [ballot.choice for ballot in RateCardBallot.objects.filter(card=card)] == ["no", "yes"]


def test_vote__while_it_is_open_nobody_reads_how_it_stands(clock, stewards):
    card = voting(clock, stewards)
    governed.vote(card, {stewards[0]: "yes", stewards[1]: "no"})
    page = text_of(open_page(browser(reader()), "/rate-cards/2/"))
    assert "2 of 3 electors voted" in page
    for told in ("1 yes", "1 no", "In favour", "Majority"):
        assert told not in page


def test_vote__an_elector_who_lost_the_role_votes_still(clock, stewards):
    card = voting(clock, stewards)
    members.revoke_role(member=stewards[1], role=Role.STEWARD, reason="term over", acting=SYSTEM)
    client = browser(stewards[1])
    assert "Cast my vote" in open_page(client, "/rate-cards/2/")
    answer = client.post("/rate-cards/2/vote/", {"choice": "no", "reason": ""})
    assert (answer.status_code, answer.url) == (302, "/rate-cards/2/#vote")
    assert [ballot.choice for ballot in RateCardBallot.objects.filter(card=card)] == ["no"]
    assert "Change my vote" in open_page(client, "/rate-cards/2/")


def test_vote__a_member_sees_no_ballot_and_cannot_send_one(clock, stewards):
    voting(clock, stewards)
    client = browser(reader())
    assert "Cast my vote" not in open_page(client, "/rate-cards/2/")
    answer = client.post("/rate-cards/2/vote/", {"choice": "yes"})
    assert answer.status_code == 403
    assert not RateCardBallot.objects.exists()


def test_vote__a_steward_of_a_later_day_is_told_who_votes(clock, stewards):
    voting(clock, stewards)
    late = governed.make_steward("Late")
    answer = browser(late).post("/rate-cards/2/vote/", {"choice": "yes"})
    assert answer.status_code == 403
    assert "You are not in the electorate of rate card 2" in answer.content.decode()


@pytest.mark.parametrize("choice", ["", "maybe"])
def test_vote__nonsense_is_refused_beside_its_field(clock, stewards, choice):
    voting(clock, stewards)
    answer = browser(stewards[0]).post("/rate-cards/2/vote/", {"choice": choice})
    assert answer.status_code == 422
    assert "field__error" in answer.content.decode()
    assert not RateCardBallot.objects.exists()


def test_vote__after_the_close_is_too_late_and_the_page_says_counting(clock, stewards):
    card = voting(clock, stewards)
    clock.at(card.closes_at)
    client = browser(stewards[0])
    page = open_page(client, "/rate-cards/2/")
    assert "The ballots are being counted." in page
    assert "Cast my vote" not in page
    answer = client.post("/rate-cards/2/vote/", {"choice": "yes"})
    assert answer.status_code == 409
    assert "The vote on rate card 2 closed at" in answer.content.decode()
    assert not RateCardBallot.objects.exists()


def test_vote__that_is_closed_but_not_counted_tells_its_turnout_alone(clock, stewards):
    """An emergency whose vote closed earlier may still break it off."""
    card = voting(clock, stewards)
    governed.vote(card, {stewards[0]: "yes", stewards[1]: "no"})
    clock.at(card.closes_at)
    page = text_of(open_page(browser(reader()), "/rate-cards/2/"))
    assert "2 of 3 electors voted" in page
    assert not re.search(r"\d (yes|no\b)|Majority|In favour", page)


def test_vote__that_was_broken_off_tells_no_count(clock, stewards):
    card = voting(clock, stewards)
    governed.vote(card, {stewards[0]: "yes", stewards[1]: "no"})
    clock.forward(hours=1)
    rate_cards.withdraw(card_id=card.pk, reason="I see it fails", acting=governed.steward(stewards[0]))
    client = browser(reader())
    page = text_of(open_page(client, "/rate-cards/2/"))
    assert "The vote was broken off: how anybody voted is told to nobody." in page
    assert not re.search(r"\d (yes|no\b)|electors voted|Majority|In favour", page)
    assert "## The vote" not in client.get("/rate-cards/2/card.md").content.decode()


def test_outcome__tells_the_tally_the_rule_and_who_could_vote(clock, stewards):
    card = voting(clock, stewards)
    governed.vote(card, {stewards[0]: "yes", stewards[1]: "yes", stewards[2]: "no"})
    clock.at(card.closes_at)
    rate_cards.settle(card_id=card.pk)
    page = text_of(open_page(browser(reader()), "/rate-cards/2/"))
    assert "Adopted. 2 yes and 1 no of 3 electors." in page
    assert "2 yes, 1 no, 0 abstained" in page
    assert "The rule applied: Half of the electorate votes; more yes than no" in page
    for each in stewards:
        assert each.display_name in page
    assert "Takes effect in" in page


# --- papers


def test_papers__the_file_has_the_hash_that_the_page_shows(stewards):
    card = proposal(stewards, justification=HOSTILE)
    client = browser(reader())
    paper = client.get("/rate-cards/2/card.json")
    assert paper["Content-Type"] == "application/json"
    assert content_hash(paper.content) == card.content_hash
    assert card.content_hash in open_page(client, "/rate-cards/2/")
    assert "rate-card-hash-v2" in open_page(client, "/rate-cards/2/")


def test_papers__the_first_card_has_them_too(stewards):
    client = browser(reader())
    assert content_hash(client.get("/rate-cards/1/card.json").content) in open_page(client, "/rate-cards/1/")
    assert client.get("/rate-cards/1/card.md").content.startswith(b"# Rate card version 1\n")


def test_papers__markdown_is_text_to_keep_and_hostile_words_stay_words(stewards):
    proposal(stewards, justification=HOSTILE)
    paper = browser(reader()).get("/rate-cards/2/card.md")
    assert paper["Content-Type"] == "text/markdown; charset=utf-8"
    assert paper["Content-Disposition"] == 'attachment; filename="rate-card-v2.md"'
    body = paper.content.decode()
    assert "> \\<script\\>alert(1)\\</script\\>\n> \\# Heading\n> \\[link\\](javascript:alert(1)) &amp; \\<b\\>" in body
    assert "| Compute | compute-hours | 1.2 | 1 | +20 % | 0.0416 |" in body


# --- what it costs the database


def test_pages__ask_the_database_as_often_for_a_long_thread(clock, stewards, django_assert_num_queries):
    card, member = voting(clock, stewards), reader("10")
    meter(member, make_key(), quantity="1", timestamp=(clock.moment - timedelta(minutes=1)).isoformat())
    client = browser(member)
    for path, queries in QUERIES.items():
        client.get(path)
        with django_assert_num_queries(queries):
            client.get(path)
    for number in range(20):
        rate_cards.comment(card_id=card.pk, member=member, text=f"word {number}", acting=governed.steward(member))
    governed.vote(card, dict.fromkeys(stewards, "yes"))
    for path, queries in QUERIES.items():
        with django_assert_num_queries(queries):
            client.get(path)


# Seven find the sign-in and note its session, one the membership, one counts unread notices for the menu.
QUERIES = {"/rate-cards/": 12, "/rate-cards/changelog/": 12, "/rate-cards/2/": 22, "/rate-cards/1/": 16}


def test_a_day_in_the_past__is_no_obstacle_to_reading(clock):
    """On the first card's own first day there is no ended period with usage, and no card before it."""
    clock.at(datetime(2026, 4, 1, tzinfo=UTC))
    page = text_of(open_page(browser(reader()), "/rate-cards/1/"))
    assert "in force" in page
    assert date(2026, 4, 1).isoformat() in page
