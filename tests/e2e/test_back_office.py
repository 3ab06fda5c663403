"""Operations at work in a browser: the second factor, a suspension with its reason, a mint that two people make."""

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import hotp_value, yield_hotp_counters_from_time
from playwright.sync_api import Page, expect

from cloud_credits.models import CloudTransaction
from cloud_credits.reports.balances import balance_of
from habitat.controls.models import Approval
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.e2e.test_transfer import sign_in
from tests.factories import make_member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chromium]


def trusted(name: str) -> Member:
    member = make_member(name, email=f"{name.lower()}@example.org")
    members.grant_role(member=member, role=Role.OPERATIONS, reason="elected", acting=SYSTEM)
    return Member.objects.get(pk=member.pk)


def code_for(secret: str) -> str:
    return f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06d}"


def in_dialog(page: Page, verb: str) -> Page:
    """The open dialog of a verb, after its button was pressed."""
    page.locator(f'[data-dialog-open="verb-{verb}"]').click()
    dialog = page.locator(f"#verb-{verb}")
    expect(dialog).to_be_visible()
    return dialog


def test_staff__enrol_a_second_factor_and_only_then_come_in(visit, strict_server):
    olga = trusted("Olga")
    page = visit(at=strict_server)
    page.goto("/accounts/login/")
    page.get_by_label(re.compile("e-?mail", re.IGNORECASE)).fill(olga.user.email)
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/accounts/2fa/")
    page.goto("/admin/")
    assert page.url.endswith("/accounts/2fa/")
    expect(page.get_by_role("main")).to_contain_text("need a second factor")
    page.goto("/accounts/2fa/totp/activate/")
    # Whoever changes a sign-in proves again who they are.
    page.get_by_label("Password").fill("correct horse battery")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/2fa/totp/activate/")
    secret = page.locator("#authenticator_secret").input_value()
    page.locator("input[name=code]").fill(code_for(secret))
    page.locator("main form button[type=submit]").click()
    page.wait_for_url(re.compile("recovery-codes|2fa/$"))
    assert Authenticator.objects.filter(user=olga.user, type="totp").count() == 1

    page.goto("/admin/")
    expect(page.get_by_role("link", name="All members")).to_be_visible()


def test_operations__suspend_with_a_reason(visit):
    olga, ada = trusted("Olga"), make_member("Ada")
    page = visit()
    sign_in(page, olga)
    page.goto("/admin/")
    page.get_by_role("link", name="All members").click()
    page.get_by_role("link", name="Ada", exact=True).first.click()
    dialog = in_dialog(page, "suspend")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_label("Reason").fill("lost card")
    dialog.get_by_role("button", name="Suspend").click()

    expect(page.locator("#history")).to_contain_text("lost card")
    assert Member.objects.get(pk=ada.pk).status == "suspended"


def test_refusal__shows_the_sentence_beside_the_field(visit):
    olga, ada = trusted("Olga"), make_member("Ada", credits="5")
    page = visit(olga)
    page.goto(f"/admin/cloud_credits/cloudbalance/{ada.cloud_balance.pk}/change/")
    dialog = in_dialog(page, "burn")
    dialog.get_by_label("Amount").fill("0.000000001")
    dialog.get_by_label("Reason").fill("spoiled")
    dialog.get_by_role("button", name="Burn").click()

    error = page.locator(".verb-field", has=page.get_by_label("Amount")).locator(".verb-error")
    expect(error).to_contain_text("decimal")
    assert balance_of(ada.pk).liquid == 5


def test_mint__one_person_asks_and_another_approves(visit):
    olga, dev, ada = trusted("Olga"), trusted("Dev"), make_member("Ada", credits="1")
    asks = visit(olga)
    asks.goto(f"/admin/cloud_credits/cloudbalance/{ada.cloud_balance.pk}/change/")
    dialog = in_dialog(asks, "mint")
    dialog.get_by_label("Amount").fill("25")
    dialog.get_by_label("Reason").fill("prize")
    dialog.get_by_role("button", name="Ask for a mint").click()
    expect(asks.locator("body")).to_contain_text("another person")
    approval = Approval.objects.get()
    assert CloudTransaction.objects.get(type="mint").state == "pending"

    asks.goto(f"/admin/controls/approval/{approval.pk}/change/")
    dialog = in_dialog(asks, "grant")
    dialog.get_by_label("Reason").fill("my own")
    dialog.get_by_role("button", name="Grant").click()
    expect(asks.locator(".verb-error").first).to_be_visible()
    assert Approval.objects.get().state == "requested"

    agrees = visit(dev)
    agrees.goto(f"/admin/controls/approval/{approval.pk}/change/")
    dialog = in_dialog(agrees, "grant")
    dialog.get_by_label("Reason").fill("agreed by the board")
    dialog.get_by_role("button", name="Grant").click()
    expect(agrees.locator("body")).to_contain_text("granted")
    assert CloudTransaction.objects.get(type="mint").state == "completed"
    assert balance_of(ada.pk).liquid == 26
