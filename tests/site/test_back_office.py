"""The back office's home and the one-member page: what they tell, to whom, in how many queries."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cloud_credits.actions.mints import request_manual_mint
from habitat.controls.actions.alerts import raise_alert
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.money import cloud
from habitat.site.reports.home import home
from habitat.site.reports.people import person
from habitat.workflows.actions import jobs
from tests.cloud_credits.metered import make_key, meter
from tests.factories import key, make_member
from tests.members.people import acting_as, active, trusted
from tests.treasury.postings import posted
from treasury.workflows import reconciliation

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client):
    """The client of an operations person, and that person."""
    member = trusted(Role.OPERATIONS)
    client.force_login(member.user)
    return client, member


def everything(permission: str) -> bool:
    return True


def test_home__adds_up():
    alice, bob = make_member("Alice", credits="100"), make_member("Bob", credits="20.5")
    metering = make_key()
    meter(alice, metering)
    meter(bob, metering, primitive="stm", unit="gigabyte-hours", quantity="4")
    raise_alert(code="outbox_stuck", cause="waiting:treasury", message="Deliveries wait.")
    operator = trusted(Role.OPERATIONS)
    request_manual_mint(
        member=alice, amount=cloud("5"), reason="prize", idempotency_key=key(), acting=acting_as(operator)
    )

    shown = home(may=everything)

    assert shown.books.outstanding == Decimal("116")
    assert (shown.books.in_2220, shown.books.in_1130, shown.books.agrees) == (Decimal("1160"), 0, True)
    assert dict(shown.members)["active"] == 3
    assert {row.primitive: (row.quantity, row.cost) for row in shown.usage} == {
        "Compute": (Decimal("2.5"), Decimal("2.5")),
        "Transfer": (0, 0),
        "Long-term memory": (0, 0),
        "Short-term memory": (Decimal("4"), Decimal("2")),
    }
    assert (shown.alerts.count, shown.approvals.count) == (1, 1)
    assert (shown.verification.at, shown.verification.broken) == (None, 0)
    today = timezone.now().date()
    assert shown.period.start <= today < shown.period.end
    assert shown.period.passed == (today - shown.period.start).days + 1


def test_home__shows_nothing_to_who_may_nothing():
    shown = home(may=lambda permission: False)

    assert [part for part in (getattr(shown, name) for name in shown.__slots__) if part is not None] == []


def test_home__asks_twenty_four_queries_however_much_there_is(django_assert_num_queries):
    metering = make_key()
    for number in range(3):
        member = make_member(credits="10")
        meter(member, metering)
        raise_alert(code="outbox_stuck", cause=f"waiting:{number}", message="Deliveries wait.")

    with django_assert_num_queries(24):
        home(may=everything)


def test_home__counts_the_money_that_waits():
    reconciliation.reconcile_stripe(as_of=timezone.now(), acting=SYSTEM)
    posted(("1115", "10", None), ("2240", None, "10"), occurred_at=timezone.now())
    reconciliation.reconcile_stripe(as_of=timezone.now(), acting=SYSTEM)

    shown = {row.title: (row.count, row.since is not None) for row in home(may=everything).money}

    assert shown == {
        "Open exceptions": (1, True),
        "Bank lines without a match": (0, False),
        "Matches to confirm": (0, False),
        "Failed webhooks": (0, False),
        "Debts of members": (0, False),
        "Stuck sagas": (0, False),
    }


def test_home_page__names_the_last_proof_and_the_broken(office):
    client, _ = office
    jobs.insert_due(now=timezone.now(), acting=SYSTEM)
    while claim := jobs.claim(acting=SYSTEM):
        jobs.finish(claim=claim, acting=SYSTEM)
    page = client.get("/admin/").content.decode()
    assert "All hold." in page
    assert "Last nightly run" in page

    raise_alert(code="books_broken", cause="guards: every trigger", message="trigger x on y is disabled")
    page = client.get("/admin/").content.decode()

    assert "1 broken." in page
    assert "trigger x on y is disabled" in page


def test_home_page__of_a_steward_leaves_out_what_a_steward_may_not_see(client):
    client.force_login(trusted(Role.STEWARD).user)

    page = client.get("/admin/").content.decode()

    assert "Credits and books" in page
    assert "Queue and dead letters" not in page
    assert "Waiting for a second person" not in page


def test_home_page__has_no_script_or_style_of_its_own(office):
    client, _ = office
    page = client.get("/admin/").content.decode()

    own = page[page.index('<div class="office">') :]
    assert "<svg" in own
    assert "The numbers as a table" in own


def test_person_page__tells_one_member_whole(office):
    client, _ = office
    alice = make_member("Alice", credits="100", email="alice@example.org")
    meter(alice, make_key())

    page = client.get(f"/admin/people/{alice.pk}/").content.decode()

    for words in (
        "alice@example.org",
        f"m{alice.pk}.habitat.eth",
        "97.5 CLOUD",
        "$975.00",
        "2.5 compute-hours × 1 CLOUD",
    ):
        assert words in page
    assert "admitted by the board" in page


def test_person_page__of_a_steward_shows_no_usage_and_no_keys(client):
    alice = make_member("Alice", credits="100")
    client.force_login(trusted(Role.STEWARD).user)

    page = client.get(f"/admin/people/{alice.pk}/").content.decode()

    assert "100 CLOUD" in page
    assert "Service keys" not in page
    assert "Usage of the last" not in page


def test_person_page__is_for_who_may_see_members(client):
    alice, plain = make_member("Alice"), active("Petra")

    assert client.get(f"/admin/people/{alice.pk}/").status_code == 302
    client.force_login(plain.user)
    assert client.get(f"/admin/people/{alice.pk}/").status_code in {302, 403}


def test_person_page__unknown_member_and_wrong_method(office):
    client, member = office

    assert client.get(f"/admin/people/{Member.objects.latest('pk').pk + 1}/").status_code == 404
    assert client.post(f"/admin/people/{member.pk}/").status_code == 405


def test_person_page__asks_as_much_for_one_row_as_for_five():
    alice, metering = make_member("Alice", credits="100", email="alice@example.org"), make_key()
    asked = []
    for _number in range(2):
        meter(alice, metering)
        with CaptureQueriesContext(connection) as queries:
            person(Member.objects.select_related("user").get(pk=alice.pk), may=everything)
        asked.append(len(queries))
        for _more in range(3):
            meter(alice, metering)

    assert asked == [13, 13]


def test_members_own_page__leads_to_the_whole_person(office):
    client, _ = office
    alice = make_member("Alice")

    page = client.get(f"/admin/members/member/{alice.pk}/change/").content.decode()

    assert f'href="/admin/people/{alice.pk}/"' in page
