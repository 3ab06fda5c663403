"""The ordinary way of a rate card, in a browser: eight weeks from the draft to its day, moved by the house's clock."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import HttpResponse
from playwright.sync_api import Locator, Page, expect

from cloud_credits.models import RateCard, RateCardBallot
from cloud_credits.policies.rate_card_papers import content_hash
from cloud_credits.workflows import rate_cards as jobs
from habitat.events.workflows import deliveries
from habitat.members.models import Member
from tests.clock import SharedClock
from tests.cloud_credits import governed
from tests.cloud_credits.metered import make_key, meter
from tests.e2e.following import FollowingMiddleware
from tests.e2e.test_governance import PHONE, in_dialog, is_well, steward
from tests.factories import make_member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chromium, pytest.mark.node, pytest.mark.slow]

DECEMBER = datetime(2026, 12, 20, 12, tzinfo=UTC)
NOTICE = governed.NOON
OPENING = datetime(2027, 1, 18, 12, tzinfo=UTC)
CLOSE = datetime(2027, 1, 22, 12, tzinfo=UTC)
LAST_MINUTE = datetime(2027, 2, 28, 23, 59, tzinfo=UTC)
ITS_DAY = datetime(2027, 3, 1, tzinfo=UTC)
MISSING = "Your vote on rate card 2 is missing"


class Calendar:
    """One time for the database, the worker, the server and every browser."""

    def __init__(self, clock: SharedClock, visit, url: str) -> None:
        self._clock, self._visit, self._url = clock, visit, url
        self._pages: list[Page] = []

    def at(self, moment: datetime) -> None:
        self._clock.at(moment)
        for page in self._pages:
            page.clock.set_fixed_time(moment)

    def sits_down(self, member: Member, path: str, *, width: int = 1280) -> Page:
        """A page of a fresh browser: weeks later people sign in again."""
        page = self._visit(member, width=width, at=self._url)
        page.clock.set_fixed_time(self._clock.moment)
        self._pages.append(page)
        page.goto(path)
        return page

    def work(self) -> None:
        """What the worker does at this moment: the jobs of rate cards, then what the events tell people."""
        for job in (jobs.settle_votes, jobs.remind_electors, jobs.follow_rate_cards):
            job(self._clock.moment)
        deliveries.drain()

    def told(self, member: Member, subject: str) -> Page:
        """The member's notices, after looking that `subject` is among them, once."""
        page = self.sits_down(member, "/notifications/", width=PHONE)
        expect(page.get_by_role("heading", name=subject)).to_have_count(1)
        return page

    def not_told(self, member: Member, subject: str) -> None:
        page = self.sits_down(member, "/notifications/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Notifications")
        expect(page.get_by_role("heading", name=subject)).to_have_count(0)


@pytest.fixture
def calendar(visit, travelling_server, shared_clock) -> Calendar:
    shared_clock.at(DECEMBER)
    return Calendar(shared_clock, visit, travelling_server)


def cell(row: Locator, title: str) -> Locator:
    return row.locator(f'[data-label="{title}"]')


def follow(page: Page, subject: str) -> None:
    """Opens what a notice is about."""
    page.get_by_role("article", name=subject).get_by_role("button", name="Open").click()
    page.wait_for_url("**/rate-cards/2/")


def downloaded(page: Page, link: str) -> bytes:
    with page.expect_download() as saved:
        page.get_by_role("link", name=link, exact=True).click()
    return Path(saved.value.path()).read_bytes()


# --- the steps of a steward


def draft_is_refused_and_mended(page: Page) -> None:
    page.get_by_role("link", name="All rate cards").click()
    page.get_by_role("link", name="Draft a rate card").click()
    verdict = page.locator("[data-verdict]")
    expect(page.get_by_label("In force from")).to_have_value("2027-03-01")
    expect(page.locator("[data-dates]")).to_have_text("Proposed now, 2027-02-04 is the first day it could take effect.")
    page.locator("#id_compute_rate").fill("1.50000001")
    expect(page.locator("#id_compute_rate_live")).to_contain_text("Compute may cost at most 1.5 CLOUD a comp-hr then")
    page.locator("#id_compute_rate").fill("0.4")
    expect(page.locator("#id_compute_rate_live")).to_contain_text("Compute costs at least 0.5 CLOUD a comp-hr")
    page.get_by_label("In force from").fill("2027-02-03")
    expect(verdict).to_contain_text("2027-02-04 is the first day it could.")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator(".verb-error, .gov-problems p").first).to_contain_text("Compute costs at least 0.5 CLOUD")
    assert not RateCard.objects.filter(state="draft").exists()
    is_well(page)

    page.locator("#id_compute_rate").fill("1.2")
    page.locator("#id_compute_cost").fill("0.06")
    page.get_by_label("In force from").fill("2027-03-01")
    expect(verdict).to_contain_text("A proposal needs the justification.")
    page.get_by_label("Justification").fill("Power costs more.")
    page.get_by_label("Capacity").fill("As in the last quarter.")
    expect(verdict).to_have_text("Nothing stands in its way.")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator("body")).to_contain_text("Nobody is told before you propose it.")


def dry_run(page: Page) -> None:
    """10 comp-hr and 40 GB: (140 − 0.816) ÷ 140 and (160 − 1) ÷ 160 are the margins."""
    page.get_by_role("link", name="Dry run over everybody's usage").click()
    sums = page.locator(".verb-facts")
    expect(page.locator("#dry-sum")).to_have_text("2026-Q4")
    expect(sums).to_contain_text("$140.00, with this card $160.00 (+$20.00)")
    expect(sums).to_contain_text("$0.82, with this card's cost basis $1.00")
    expect(sums).to_contain_text("99.42 %, with this card 99.38 %; its target is 90 %")
    is_well(page)
    page.get_by_role("link", name="Back to the card").click()


def propose(page: Page) -> None:
    in_dialog(page, "propose").get_by_role("button", name="Propose to the members").click()
    facts = page.locator(".verb-facts")
    expect(facts).to_contain_text("1 → 1.2 CLOUD (+20 %)")
    expect(facts).to_contain_text("3 members with a cloud identity")
    expect(facts).to_contain_text("Mon, Jan 18, 2027")
    is_well(page)
    page.get_by_role("button", name="Propose to the members").click()
    expect(page.locator("#gov-state")).to_contain_text("Version 2")
    expect(page.locator(".next")).to_contain_text("Voting may open in 14 days")


def opening_is_too_early(page: Page) -> None:
    dialog = in_dialog(page, "open-voting")
    expect(dialog).to_contain_text("the vote cannot open before 2027-01-18 12:00 UTC.")
    dialog.get_by_role("button", name="Open the vote").click()
    expect(page.locator(".verb-error")).to_contain_text("Members discuss for 14 days: until 2027-01-18 12:00 UTC.")
    is_well(page)
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator("#gov-state")).to_contain_text("proposed")


def open_by_date_and_vote_twice(page: Page) -> None:
    expect(page.locator("body")).to_contain_text("Discussion is open. Voting must open in")
    page.get_by_role("link", name="Rate card 2").click()
    in_dialog(page, "open-voting").get_by_role("button", name="Open the vote").click()
    expect(page.locator(".verb-facts")).to_contain_text("2: Ben, Elin")
    expect(page.locator(".verb-facts")).to_contain_text("Fri, Jan 22, 2027")
    page.get_by_role("button", name="Open the vote").click()
    expect(page.locator(".next")).to_contain_text("Voting closes in 4 days")
    for choice in ("No", "Yes"):
        dialog = in_dialog(page, "vote")
        dialog.get_by_label(choice, exact=True).check()
        dialog.get_by_role("button", name="Vote").click()
        expect(page.locator("body")).to_contain_text(f"You voted {choice.lower()}")
    assert [ballot.choice for ballot in RateCardBallot.objects.order_by("pk")] == ["no", "yes"]


# --- what members see


def is_told_and_sees_line_by_line(page: Page) -> None:
    is_well(page)
    follow(page, "Rate card 2 is proposed")
    main = page.get_by_role("main")
    expect(main).to_contain_text(
        "On your own usage of 2026-Q4 you paid 14 CLOUD. With this card it would have been 16 CLOUD ($160.00): "
        "+2 CLOUD more (+14.29 %)."
    )
    lines = page.locator("#effect tbody tr")
    expect(lines).to_have_count(2)
    for row, told in enumerate((("Compute", "10", "12", "+2"), ("Transfer", "4", "4", "0"))):
        titles = ("Primitive", "What you paid", "With this card", "Difference")
        for title, value in zip(titles, told, strict=True):
            expect(cell(lines.nth(row), title)).to_have_text(value)
    is_well(page)
    page.get_by_label("Your comment").fill("Why does compute rise?")
    page.get_by_role("button", name="Say it").click()
    expect(page.locator(".thread")).to_contain_text("Why does compute rise?")


def is_answered(desk: Page, page: Page) -> None:
    desk.reload()
    expect(desk.locator(".thread")).to_contain_text("Why does compute rise?")
    dialog = in_dialog(desk, "comment")
    dialog.get_by_label("Comment").fill("The new machines need more power.")
    dialog.get_by_role("button", name="Comment").click()
    page.reload()
    expect(page.locator(".thread li").nth(1)).to_contain_text("The new machines need more power.")
    expect(page.locator(".thread li").nth(1)).to_contain_text("Ben")


def reminder_leads_to_the_vote(page: Page) -> None:
    follow(page, MISSING)
    page.get_by_role("link", name="Vote", exact=True).click()
    page.get_by_label("Yes", exact=True).check()
    page.get_by_role("button", name="Cast my vote").click()
    expect(page.get_by_role("main")).to_contain_text("2 of 2 electors voted")


def outcome_is_told_in_full(page: Page) -> None:
    main = page.get_by_role("main")
    page.reload()
    expect(main).to_contain_text("Adopted.")
    expect(main).to_contain_text("2 yes, 0 no, 0 abstained")
    expect(main).to_contain_text("The rule applied: Half of the electorate votes")
    expect(main).to_contain_text("Takes effect in 37 days and 12 hours")
    is_well(page)


def papers_agree_with_the_page(page: Page) -> None:
    hash_text = page.locator("#papers + .sheet .hash").inner_text()
    assert re.fullmatch("0x[0-9a-f]{64}", hash_text)
    assert content_hash(downloaded(page, "The hashed file (JSON)")) == hash_text
    told = downloaded(page, "Markdown").decode()
    for line in (
        "# Rate card version 2",
        "- State: in force",
        "- Members told: 2027-01-04 12:00 UTC",
        f"- Hash (keccak-256): `{hash_text}`",
        "- Yes 2, no 0, abstained 0",
    ):
        assert line in told.splitlines()


# --- the two ways


def test_ordinary_card__from_its_draft_to_its_day(calendar):
    ben, elin = steward("Ben"), steward("Elin")
    ana, key = make_member("Ana", credits="100", email="ana@example.org"), make_key()
    meter(ana, key, quantity="10")
    meter(ana, key, primitive="transfer", unit="gigabytes", quantity="40")

    calendar.at(NOTICE)
    desk = calendar.sits_down(ben, "/admin/")
    draft_is_refused_and_mended(desk)
    dry_run(desk)
    propose(desk)
    opening_is_too_early(desk)
    calendar.work()
    theirs = calendar.told(ana, "Rate card 2 is proposed")
    is_told_and_sees_line_by_line(theirs)
    is_answered(desk, theirs)

    calendar.at(OPENING)
    open_by_date_and_vote_twice(calendar.sits_down(ben, "/admin/"))
    calendar.work()
    calendar.not_told(elin, MISSING)
    calendar.at(datetime(2027, 1, 20, 12, tzinfo=UTC))
    calendar.work()
    calendar.not_told(ben, MISSING)
    reminder_leads_to_the_vote(calendar.told(elin, MISSING))
    calendar.at(datetime(2027, 1, 21, 12, tzinfo=UTC))
    calendar.work()
    calendar.told(elin, MISSING)
    calendar.not_told(ben, MISSING)

    calendar.at(CLOSE)
    theirs = calendar.sits_down(ana, "/rate-cards/2/", width=PHONE)
    expect(theirs.get_by_role("main")).to_contain_text("The ballots are being counted.")
    calendar.work()
    outcome_is_told_in_full(theirs)
    desk = calendar.sits_down(ben, "/admin/cloud_credits/ratecard/")
    desk.get_by_role("link", name="Version 2").click()
    expect(desk.locator("[aria-labelledby=gov-roll] tbody tr")).to_contain_text(["Ben", "Elin"])
    expect(cell(desk.locator("[aria-labelledby=gov-roll] tbody tr"), "Vote")).to_have_text(["yes", "yes"])
    is_well(desk)

    it_takes_effect_by_date(calendar, ana)


def it_takes_effect_by_date(calendar: Calendar, ana: Member) -> None:
    """Nobody works at midnight: the pages and the prices go by the date."""
    calendar.at(LAST_MINUTE)
    page = calendar.sits_down(ana, "/rate-cards/", width=PHONE)
    expect(page.locator("#force-head")).to_have_text("In force: version 1")
    expect(page.locator(".next")).to_contain_text("Takes effect in 1 minute")
    calendar.at(ITS_DAY)
    page.reload()
    expect(page.locator("#force-head")).to_have_text("In force: version 2")
    calendar.work()
    assert dict(RateCard.objects.values_list("version", "state")) == {1: "superseded", 2: "active"}
    calendar.told(ana, "Rate card 2 was adopted")
    calendar.told(ana, "Rate card 2 is in force")
    page.goto("/rate-cards/")
    page.get_by_role("link", name="Changelog").click()
    expect(page.locator(".log h2")).to_have_text(["Version 2 in force", "Version 1 past"])
    expect(page.locator(".log li li").first).to_have_text("Compute: 1 → 1.2 CLOUD a comp-hr (+20 %)")
    is_well(page)
    page.get_by_role("link", name="Version 2", exact=True).click()
    papers_agree_with_the_page(page)


def test_withdrawal__is_the_proposers_and_everybody_reads_why(calendar):
    ben, elin, ana = steward("Ben"), steward("Elin"), make_member("Ana", email="ana@example.org")
    calendar.at(NOTICE)
    card = governed.proposed(ben, compute_rate="1.2")
    address = f"/admin/cloud_credits/ratecard/{card.pk}/change/"
    others = calendar.sits_down(elin, address)
    expect(others.locator('[data-dialog-open="verb-comment"]')).to_be_visible()
    expect(others.locator('[data-dialog-open="verb-withdraw"]')).to_have_count(0)
    desk = calendar.sits_down(ben, address)
    dialog = in_dialog(desk, "withdraw")
    dialog.get_by_label("Reason").fill("The supplier took its letter back.")
    dialog.get_by_role("button", name="Withdraw").click()
    expect(desk.locator(".verb-warning")).to_contain_text("the same rates can be proposed again, with a new notice")
    is_well(desk)
    desk.get_by_role("button", name="Withdraw").click()
    expect(desk.locator("body")).to_contain_text("Version 2 is withdrawn.")
    expect(desk.locator(".gov")).to_contain_text("Withdrawn. The supplier took its letter back.")
    expect(desk.locator(".gov")).to_contain_text("No vote was held.")
    is_well(desk)

    calendar.work()
    theirs = calendar.told(ana, "Rate card 2 was withdrawn")
    follow(theirs, "Rate card 2 was withdrawn")
    expect(theirs.get_by_role("main")).to_contain_text("Withdrawn. The supplier took its letter back.")
    expect(theirs.get_by_label("Your comment")).to_have_count(0)
    is_well(theirs)
    theirs.goto("/rate-cards/changelog/")
    expect(theirs.locator(".log li").first).to_contain_text("was to be in force from 2027-03-01")

    in_dialog(desk, "amend").get_by_role("button", name="Amend").click()
    expect(desk.locator("#id_compute_rate")).to_have_value("1.2")
    expect(desk.locator("[data-verdict]")).to_have_text("Nothing stands in its way.")


def test_moved_clock__is_followed_on_a_tests_own_database_alone():
    """A house started with these settings on its own books does not come up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connection.settings_dict, "NAME", "habitat")
        with pytest.raises(ImproperlyConfigured, match="habitat is no test's own database"):
            FollowingMiddleware(lambda request: HttpResponse())
