"""A member signs in and sends credits by preview and confirmation; both sides see it; by mouse and by keyboard."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from cloud_credits.models import CloudTransaction
from cloud_credits.reports.balances import balance_of
from habitat.members.models import Member
from tests.factories import make_member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chromium]


@pytest.fixture
def ada() -> Member:
    return make_member("Ada", credits="50", email="ada@example.org")


@pytest.fixture
def bo() -> Member:
    return make_member("Bo", email="bo@example.org")


def sign_in(page: Page, member: Member) -> None:
    page.goto("/accounts/login/")
    page.get_by_label(re.compile("e-?mail", re.IGNORECASE)).fill(member.user.email)
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/cloud/")


def test_transfer__is_seen_on_both_sides(visit, ada, bo):
    page = visit()
    sign_in(page, ada)
    page.get_by_role("link", name="Transfer credits").click()
    page.get_by_label("To").fill(bo.full_ens_name)
    page.get_by_label("Amount in CLOUD").fill("12.5")
    page.get_by_label("What it is for").fill("bread")
    page.get_by_role("button", name="Check the transfer").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check the transfer")
    expect(page.get_by_role("main")).to_contain_text("You cannot take this back.")
    expect(page.get_by_role("main")).to_contain_text("37.5 CLOUD ($375.00)")
    assert balance_of(bo.pk).liquid == 0
    page.get_by_role("button", name="Send 12.5 CLOUD").click()

    expect(page.get_by_role("main")).to_contain_text("Sent. The credits are in the recipient's balance now.")
    page.goto("/cloud/")
    expect(page.get_by_role("main")).to_contain_text("37.5")
    expect(page.locator("tr", has=page.get_by_role("cell", name="Bo", exact=True))).to_contain_text("−12.5")
    theirs = visit(bo)
    theirs.goto("/cloud/")
    row = theirs.locator("tr", has=theirs.get_by_role("cell", name="Ada", exact=True))
    expect(row).to_contain_text("+12.5")
    expect(row).to_contain_text("bread")
    theirs.goto("/cloud/transactions/")
    expect(theirs.get_by_role("main")).to_contain_text("+12.5")
    assert balance_of(bo.pk).liquid == CloudTransaction.objects.get(type="transfer").amount == Decimal("12.5")


def test_refusal__stands_beside_its_field(visit, ada, bo):
    page = visit(ada)
    page.goto("/cloud/transfer/")
    page.get_by_label("To").fill(str(bo.pk))
    page.get_by_label("Amount in CLOUD").fill("50.00000001")
    page.get_by_role("button", name="Check the transfer").click()

    field = page.get_by_label("Amount in CLOUD")
    expect(field).to_have_attribute("aria-invalid", "true")
    words = [page.locator(f"#{name}").inner_text() for name in field.get_attribute("aria-describedby").split()]
    assert any("50" in text and "50.00000001" in text for text in words), words
    assert not CloudTransaction.objects.filter(type="transfer").exists()


def test_transfer__by_keyboard_alone(visit, ada, bo):
    page = visit(ada)
    page.goto("/cloud/transfer/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "recipient"
    page.keyboard.type(str(bo.pk))
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    page.keyboard.press("Tab")
    page.keyboard.type("tea")
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check the transfer")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Send 3 CLOUD"
    with page.expect_navigation():
        page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_contain_text("Sent.")
    assert balance_of(bo.pk).liquid == 3


def test_menu__opens_on_a_narrow_screen(visit, ada):
    page = visit(ada, width=320)
    page.goto("/cloud/")
    menu = page.get_by_role("button", name="Menu")
    expect(menu).to_have_attribute("aria-expanded", "false")
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
