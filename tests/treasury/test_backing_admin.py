"""The mint switch and the checks at the desk: each flag for itself, a reason for each turn, a check on demand."""

import pytest

from cloud_credits.actions import payment_mints
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.site.reports.home import home
from tests.cloud_credits.bought import buyer, check_backing, pay
from tests.faces.desk import desk_of, page, send
from tests.treasury.reserves import bank_read, flags, owe, stripe_read
from treasury.actions.backing import record_check
from treasury.models import BackingCheck, MintSwitch, MintSwitchChange

pytestmark = pytest.mark.django_db


def the_switch() -> MintSwitch:
    return MintSwitch.objects.get()


def short() -> None:
    """The bank holds 95 % of what is owed, and a check has seen it."""
    owe("1000")
    bank_read("950")
    stripe_read("0", "0")
    record_check(trigger="test", acting=SYSTEM)


def test_switch__is_turned_by_hand_with_a_reason_each_time():
    olga = desk_of(Role.OPERATIONS)
    assert send(olga, the_switch(), "suspend", reason=" ").status_code == 422
    assert send(desk_of(Role.STEWARD), the_switch(), "suspend", reason="x").status_code == 403
    assert send(olga, the_switch(), "resume", reason="x").status_code == 409
    assert (flags(), MintSwitchChange.objects.count()) == ((True, True), 0)
    shown = page(olga, the_switch())
    assert "Suspend minting</button>" in shown
    assert "Resume minting</button>" not in shown

    assert send(olga, the_switch(), "suspend", reason="the bank looks odd").status_code == 302

    assert flags() == (True, False)
    shown = page(olga, the_switch())
    assert "the bank looks odd" in shown
    assert "Resume minting</button>" in shown
    assert "Suspend minting</button>" not in shown
    assert send(olga, the_switch(), "suspend", reason="again").status_code == 409
    assert send(olga, the_switch(), "resume", reason="it was a holiday").status_code == 302
    assert (flags(), MintSwitchChange.objects.count()) == ((True, True), 2)


def test_switch__resumed_by_hand_leaves_the_automatic_flag_off():
    short()
    olga = desk_of(Role.OPERATIONS)
    send(olga, the_switch(), "suspend", reason="while we look")
    answer = send(olga, the_switch(), "resume", reason="looked")
    assert flags() == (False, True)
    assert "once a check finds every credit covered" in olga.get(answer["Location"]).content.decode()


@pytest.mark.parametrize("of_one", [True, False])
def test_check__on_demand_leads_to_its_terms(of_one, settings):
    settings.MERCURY_API_BASE = settings.MERCURY_API_TOKEN = settings.STRIPE_SECRET_KEY = ""
    check_backing("1100")
    olga, before = desk_of(Role.OPERATIONS), BackingCheck.objects.count()
    target = the_switch() if of_one else BackingCheck
    assert send(desk_of(Role.STEWARD), target, "check").status_code == 403
    assert BackingCheck.objects.count() == before

    answer = send(olga, target, "check")

    made = BackingCheck.objects.latest("pk")
    assert (BackingCheck.objects.count(), made.trigger) == (before + 1, "by hand")
    assert answer["Location"] == f"/admin/treasury/backingcheck/{made.pk}/change/"
    shown = page(olga, made)
    for words in ("At the bank, available", "$1,100.00", "Mercury, account 1110", "At Stripe, pending"):
        assert words in shown


def test_checks__are_listed_in_a_fixed_number_of_queries_and_taken_away(django_assert_max_num_queries):
    short()
    record_check(trigger="test", acting=SYSTEM)
    olga = desk_of(Role.OPERATIONS)
    with django_assert_max_num_queries(14):
        listed = olga.get("/admin/treasury/backingcheck/").content.decode()
    assert "shortfall" in listed
    assert olga.get("/admin/treasury/backingcheck/export/csv/").content.count(b"\n") == 3


def test_home__tells_backing_flags_and_what_waits():
    short()
    ada = buyer()
    for member in (ada, None):
        payment_mints.mint_for_payment(payment_id=pay(member, "10").pk, acting=SYSTEM)

    shown = home(may=lambda _: True).minting

    assert (shown.ratio, shown.automatic, shown.manual) == ("95.00 %", False, True)
    assert (shown.waiting, shown.unknown, shown.waiting_since is not None) == (2, 1, True)
    told = desk_of(Role.OPERATIONS).get("/admin/").content.decode()
    for words in ("95.00 %", "Less is held than is owed", "by the checks", "1 of nobody known", "At Stripe, pending"):
        assert words in told


def test_home__of_a_member_without_the_permission_shows_none():
    assert home(may=lambda permission: permission != "treasury.view_backingcheck").minting is None
