"""Rates change in the open, in a browser: a steward drafts, proposes and votes; a member reads what it would cost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from cloud_credits.models import RateCard, RateCardBallot
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.cloud_credits.metered import make_key, meter
from tests.e2e.test_small_screens import STICKS_OUT
from tests.e2e.watching import shut_out, width_needed
from tests.factories import make_member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chromium, pytest.mark.node, pytest.mark.slow]

PHONE = 320


def steward(name: str) -> Member:
    member = make_member(name, email=f"{name.lower()}@example.org")
    members.grant_role(member=member, role=Role.STEWARD, reason="elected", acting=SYSTEM)
    return Member.objects.get(pk=member.pk)


def is_well(page: Page) -> None:
    """Nobody is shut out, in either scheme, and nothing scrolls sideways on a phone."""
    before = page.viewport_size
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {line}" for line in shut_out(page)]
    page.set_viewport_size({"width": PHONE, "height": 800})
    found += page.evaluate(STICKS_OUT) if "/admin/" in page.url else []
    assert (found, width_needed(page)) == ([], PHONE)
    page.set_viewport_size(before)
    page.emulate_media(color_scheme="light")


def in_dialog(page: Page, verb: str) -> Locator:
    page.locator(f'[data-dialog-open="verb-{verb}"]').click()
    dialog = page.locator(f"#verb-{verb}")
    expect(dialog).to_be_visible()
    return dialog


def draft(page: Page, days: int) -> None:
    """The draft of an emergency card, typed: the cap is told before anything is sent."""
    live = page.locator("#id_transfer_rate_live")
    page.locator("#id_transfer_rate").fill("0.2")
    expect(live).to_contain_text("Transfer may cost at most 0.15 CLOUD a GB then")
    expect(page.locator("#id_transfer_rate")).to_have_attribute("aria-invalid", "true")
    page.locator("#id_transfer_rate").fill("0.05")
    expect(live).to_contain_text("Transfer costs at least 0.1 CLOUD a GB")
    page.locator("#id_transfer_rate").fill("0.15")
    expect(live).to_be_empty()
    expect(page.locator('[data-change="transfer"]')).to_have_text("In force: 0.1. Change: +50 %.")
    page.locator("#id_transfer_cost").fill("0.03")
    page.get_by_label("This is an emergency card").check()
    expect(page.locator("[data-verdict]")).to_contain_text("the evidence of the emergency")
    page.get_by_label("In force from").fill((datetime.now(tz=UTC) + timedelta(days=days)).strftime("%Y-%m-%d"))
    page.get_by_label("Evidence").fill("The provider's letter of this week.")
    page.get_by_label("Justification").fill("Outbound traffic costs three times as much.")
    page.get_by_label("Capacity").fill("Traffic as in the last quarter.")
    expect(page.locator("[data-verdict]")).to_have_text("Nothing stands in its way.")


def test_governance__a_steward_does_all_of_it_and_a_member_sees_it(visit):
    ben, elin = steward("Ben"), steward("Elin")
    ana = make_member("Ana", credits="100", email="ana@example.org")
    meter(ana, make_key(), primitive="transfer", unit="gigabytes", quantity="40")
    page = visit(ben)
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Open votes")).to_be_visible()
    page.get_by_role("link", name="All rate cards").click()
    page.get_by_role("link", name="Draft a rate card").click()
    draft(page, days=9)
    is_well(page)
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator("body")).to_contain_text("Nobody is told before you propose it.")
    expect(page.locator("body")).to_contain_text("it can be proposed now")
    is_well(page)

    in_dialog(page, "propose").get_by_role("button", name="Propose to the members").click()
    expect(page.locator(".verb-page h1")).to_contain_text("look once more")
    expect(page.locator(".verb-facts")).to_contain_text("0.1 → 0.15 CLOUD (+50 %)")
    assert RateCard.objects.get(version=None).state == "draft"
    is_well(page)
    page.get_by_role("button", name="Propose to the members").click()
    expect(page.locator("#gov-state")).to_contain_text("Version 2")

    dialog = in_dialog(page, "comment")
    dialog.get_by_label("Comment").fill("The letter is in the shared folder.")
    dialog.get_by_role("button", name="Comment").click()
    expect(page.locator(".thread")).to_contain_text("The letter is in the shared folder.")

    dialog = in_dialog(page, "open-voting")
    expect(dialog.locator("form")).to_contain_text("In your zone:")
    dialog.get_by_role("button", name="Open the vote").click()
    expect(page.locator(".verb-facts")).to_contain_text("2: Ben, Elin")
    page.get_by_role("button", name="Open the vote").click()
    expect(page.locator("#gov-state")).to_contain_text("voting")

    for choice in ("No", "Yes"):
        dialog = in_dialog(page, "vote")
        dialog.get_by_label(choice, exact=True).check()
        dialog.get_by_role("button", name="Vote").click()
        expect(page.locator("body")).to_contain_text(f"You voted {choice.lower()}")
    is_well(page)
    page.goto("/admin/")
    expect(page.locator("body")).to_contain_text("1 of 2 have voted, you voted yes")
    assert [ballot.choice for ballot in RateCardBallot.objects.order_by("pk")] == ["no", "yes"]

    theirs = visit(ana, width=PHONE, scheme="dark")
    theirs.goto("/rate-cards/")
    is_well(theirs)
    expect(theirs.locator("[data-until]").first).to_contain_text("in ")
    theirs.get_by_role("link", name="Read version 2").click()
    main = theirs.get_by_role("main")
    expect(main).to_contain_text("you paid 4 CLOUD. With this card it would have been 6 CLOUD ($60.00): +2 CLOUD more")
    expect(main).to_contain_text("The letter is in the shared folder.")
    expect(main).not_to_contain_text("Cast my vote")
    is_well(theirs)
    theirs.get_by_label("Your comment").fill("Fine with me.")
    theirs.get_by_role("button", name="Say it").click()
    expect(main).to_contain_text("Fine with me.")
    theirs.get_by_role("link", name="Event by event").click()
    expect(main).to_contain_text("40 gigabytes × 0.15 CLOUD = 6 CLOUD (60.00 USD)")
    is_well(theirs)
    with theirs.expect_download() as saved:
        theirs.goto("/rate-cards/2/")
        theirs.get_by_role("link", name="The hashed file").click()
    assert b'"rateCloud":"0.15"' in Path(saved.value.path()).read_bytes()

    hers = visit(elin)
    hers.goto("/rate-cards/2/")
    hers.get_by_label("Yes", exact=True).check()
    hers.get_by_role("button", name="Cast my vote").click()
    expect(hers.get_by_role("main")).to_contain_text("2 of 2 electors voted")
    expect(hers.get_by_role("main")).to_contain_text("You voted yes")
    is_well(hers)


def test_draft__works_without_scripts(chromium, server):
    """Somebody whose browser runs no scripts drafts all the same, and is told the same."""
    from django.conf import settings

    from tests.faces.people import browser as signed_in

    context = chromium.new_context(base_url=server, java_script_enabled=False)
    cookie = signed_in(steward("Ben")).cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": server}])
    page = context.new_page()
    page.goto("/admin/cloud_credits/ratecard/draft/")
    page.locator("#id_compute_rate").fill("1.6")
    page.get_by_role("button", name="Check").click()
    expect(page.locator("[data-verdict]")).to_contain_text("Compute may cost at most 1.5 CLOUD a comp-hr then")
    page.locator("#id_compute_rate").fill("1.5")
    page.get_by_role("button", name="Save the draft").click()
    assert str(RateCard.objects.get(state="draft").compute_rate) == "1.50000000"
    context.close()


def test_times__are_told_in_the_readers_zone(chromium, server):
    """A deadline names the zone it is told in; a clock elsewhere does not move it."""
    from django.conf import settings

    from tests.faces.people import browser as signed_in

    ana = make_member("Ana", email="ana@example.org")
    cookie = signed_in(ana).cookies[settings.SESSION_COOKIE_NAME]
    told = {}
    for zone in ("America/New_York", "Asia/Tokyo"):
        context = chromium.new_context(base_url=server, timezone_id=zone, locale="en-GB")
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": server}])
        page = context.new_page()
        page.goto("/rate-cards/1/")
        told[zone] = page.locator('time[data-when="zone"]').first.inner_text()
        context.close()
    assert "28 Feb 2026, 19:00" in told["America/New_York"]
    assert "1 Mar 2026, 09:00" in told["Asia/Tokyo"]
    assert "GMT" in told["Asia/Tokyo"]
