"""Usage and margin: what was redeemed against the card's own cost basis and the bills, on screen and in files alike."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection
from django.test import Client
from openpyxl import load_workbook

from cloud_credits.reports import usage_margin as reports
from cloud_credits.reports.usage_margin import Grouping, usage_margin
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.members.policies.statuses import SystemAccount
from tests.cloud_credits.ledger import account
from tests.cloud_credits.metered import make_key, meter
from tests.faces.pdf_text import text_of
from tests.faces.people import browser, reader
from tests.factories import fund, make_member, system_member
from tests.treasury.banking import make_bill
from treasury.errors import RangeBackwards
from treasury.models import Period

pytestmark = pytest.mark.django_db

NOON = datetime.now(tz=UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=5)
DAY = NOON.date()
NEXT = DAY + timedelta(days=1)
MONTH = f"{DAY:%Y-%m}"


def used(member, key, quantity, primitive="compute", unit="compute-hours", **fields):
    return meter(member, key, timestamp=NOON.isoformat(), quantity=quantity, primitive=primitive, unit=unit, **fields)


def staff(role: Role) -> Client:
    person = reader("0", name=role.value.title())
    members.grant_role(member=person, role=role, reason="elected", acting=SYSTEM)
    return browser(type(person).objects.get(pk=person.pk))


@pytest.fixture
def two_members():
    ada, bo, key = make_member("Ada", credits="100"), make_member("Bo", credits="100"), make_key()
    used(ada, key, "2.5", serviceName="builds")
    used(ada, key, "10", "transfer", "GB", serviceName="files")
    used(bo, key, "0.5", serviceName="builds")
    return ada, bo


def shown(report):
    return [
        (row.title, row.primitive.value, row.events, row.quantity, row.credits, row.infrastructure, row.percent)
        for row in report.rows
    ]


def test_by_primitive__credits_against_the_cards_own_cost_basis(two_members):
    report = usage_margin(DAY, NEXT, by=Grouping.PRIMITIVE)

    assert shown(report) == [
        # 3 h at 0.0416 USD; 30 USD redeemed. 10 GB at 0.01 USD; 10 USD redeemed.
        ("", "compute", 2, Decimal(3), Decimal(3), Decimal("0.1248"), Decimal("99.58")),
        ("", "transfer", 1, Decimal(10), Decimal(1), Decimal("0.1"), Decimal("99.00")),
    ]
    total = report.total
    assert (total.events, total.credits, total.usd) == (3, Decimal(4), Decimal(40))
    assert (total.infrastructure, total.margin, total.percent) == (
        Decimal("0.2248"),
        Decimal("39.7752"),
        Decimal("99.44"),
    )


def test_by_service_and_by_member__keep_them_apart(two_members):
    ada, bo = two_members
    by_service = usage_margin(DAY, NEXT, by=Grouping.SERVICE)
    assert [(row.title, row.primitive.value, row.credits) for row in by_service.rows] == [
        ("builds", "compute", Decimal(3)),
        ("files", "transfer", Decimal(1)),
    ]
    by_member = usage_margin(DAY, NEXT, by=Grouping.MEMBER)
    assert [(row.title, row.primitive.value, row.credits) for row in by_member.rows] == [
        (f"Ada ({ada.pk})", "compute", Decimal("2.5")),
        (f"Ada ({ada.pk})", "transfer", Decimal(1)),
        (f"Bo ({bo.pk})", "compute", Decimal("0.5")),
    ]
    assert {row.booked for row in (*by_service.rows, *by_member.rows)} == {None}


def test_booked__the_bills_of_the_days_beside_what_the_cards_reckon(two_members):
    make_bill("2", account="5510", billed_on=DAY, due_on=DAY)
    make_bill("7", account="5540", billed_on=DAY, due_on=DAY)
    make_bill("99", account="5510", billed_on=NEXT, due_on=NEXT)

    report = usage_margin(DAY, NEXT, by=Grouping.PRIMITIVE)

    assert [(row.primitive.value, row.booked, row.difference) for row in report.rows] == [
        ("compute", Decimal(2), Decimal("1.8752")),
        ("transfer", Decimal(0), Decimal("-0.1")),
        ("stm", Decimal(7), Decimal(7)),
    ]
    assert report.total.booked == Decimal(9)
    by_month = usage_margin(DAY, NEXT, by=Grouping.MONTH)
    assert [(row.title, row.primitive.value, row.booked) for row in by_month.rows] == [
        (MONTH, "compute", Decimal(2)),
        (MONTH, "transfer", Decimal(0)),
        (MONTH, "stm", Decimal(7)),
    ]


@pytest.mark.parametrize(
    ("first", "end", "events"), [(DAY, NEXT, 3), (DAY - timedelta(days=1), DAY, 0), (NEXT, NEXT, 0)]
)
def test_range__is_half_open_and_nothing_is_zero(two_members, first, end, events):
    report = usage_margin(first, end, by=Grouping.PRIMITIVE)
    assert (report.total.events, bool(report.rows)) == (events, bool(events))
    if not events:
        assert (report.total.credits, report.total.infrastructure, report.total.percent) == (0, 0, None)


@pytest.mark.django_db(transaction=True)
def test_by_period__what_accounting_periods_hold_whatever_their_months(two_members, superuser_dsn):
    """A period that begins in the middle of a month: usage and bills of the day before are the other period's."""
    turn = DAY - timedelta(days=2)
    meter(make_member(credits="100"), make_key(), quantity="7", timestamp=(NOON - timedelta(days=3)).isoformat())
    make_bill("7", account="5540", billed_on=turn - timedelta(days=1), due_on=DAY)
    cut_period(superuser_dsn, turn)
    make_bill("2", account="5510", billed_on=DAY, due_on=DAY)

    report = usage_margin(turn - timedelta(days=20), NEXT, by=Grouping.PERIOD)

    assert [(row.title, row.primitive.value, row.credits, row.booked) for row in report.rows] == [
        ("Z first", "compute", Decimal(7), Decimal(0)),
        ("Z first", "stm", Decimal(0), Decimal(7)),
        ("A second", "compute", Decimal(3), Decimal(2)),
        ("A second", "transfer", Decimal(1), Decimal(0)),
    ]
    assert report.total.credits == sum(row.credits for row in report.rows)
    assert report.total.booked == sum(row.booked for row in report.rows)


@pytest.mark.django_db(transaction=True)
def test_by_period__usage_before_the_first_is_told_apart(two_members, superuser_dsn):
    cut_period(superuser_dsn, NEXT)
    with psycopg.connect(superuser_dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("DELETE FROM treasury_period WHERE start < %s", [NEXT])
    assert {row.title for row in usage_margin(DAY, NEXT, by=Grouping.PERIOD).rows} == {"in no period"}


def cut_period(superuser_dsn, turn):
    """The period of `turn` ends there, and another begins."""
    with psycopg.connect(superuser_dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        [(end,)] = owner.execute(
            "UPDATE treasury_period p SET \"end\" = %(turn)s, name = 'Z first' FROM treasury_period old"
            ' WHERE old.id = p.id AND p.start < %(turn)s AND p."end" > %(turn)s RETURNING old."end"',
            {"turn": turn},
        )
        owner.execute(
            "INSERT INTO treasury_period (name, start, \"end\", state) VALUES ('A second', %s, %s, 'open')",
            [turn, end],
        )


def test_page__offers_the_accounting_periods_as_ranges(two_members):
    page = staff(Role.STEWARD).get("/admin/reports/usage-margin/?by=period")
    period = Period.objects.get(start__lte=DAY, end__gt=DAY)
    assert (period.name, f"?first={period.start}&last={period.end - timedelta(days=1)}&by=period") in page.context[
        "periods"
    ]
    assert f">{period.name}</a>" in page.content.decode()


def test_range__backwards_is_refused():
    with pytest.raises(RangeBackwards):
        usage_margin(NEXT, DAY, by=Grouping.PRIMITIVE)


def test_own_usage__is_told_apart_because_it_is_no_revenue():
    techne = system_member(SystemAccount.TECHNE)
    fund(techne, "10")
    used(techne, make_key(), "2")
    report = usage_margin(DAY, NEXT, by=Grouping.PRIMITIVE)
    assert (report.total.credits, report.own) == (Decimal(2), Decimal(2))


def test_revenue__what_was_redeemed_ties_to_the_books(two_members):
    """Usage of five days ago, booked today: over all days it is 4420 exactly, on each of the two the rest is told."""
    techne = system_member(SystemAccount.TECHNE)
    fund(techne, "10")
    used(techne, make_key(), "2")
    today = datetime.now(tz=UTC).date()
    whole = usage_margin(DAY, today + timedelta(days=1), by=Grouping.PRIMITIVE)
    assert (whole.total.usd, whole.own_usd, whole.revenue, whole.of_other_days) == (60, 20, 40, 0)
    assert whole.revenue == -account("4420")
    ended, booked = (usage_margin(day, day + timedelta(days=1), by=Grouping.MONTH) for day in (DAY, today))
    assert (ended.total.usd, ended.revenue, ended.of_other_days) == (60, 0, 40)
    assert (booked.total.usd, booked.revenue, booked.of_other_days) == (0, 40, -40)
    client = staff(Role.STEWARD)
    for first, last, said in (
        (
            DAY,
            today,
            "in these days: 40.00 USD. That is the 60.00 USD redeemed, less 20.00 USD for the cooperative&#x27;s own",
        ),
        (
            today,
            today,
            "in these days: 40.00 USD. That is the 0.00 USD redeemed, and 40.00 USD for usage that was booked on",
        ),
    ):
        assert said in client.get(f"/admin/reports/usage-margin/?first={first}&last={last}").content.decode()


def test_revenue__that_is_all_of_what_was_redeemed_is_said_so(two_members):
    query = f"?first={DAY}&last={datetime.now(tz=UTC).date()}"
    page = staff(Role.STEWARD).get(f"/admin/reports/usage-margin/{query}").content.decode()
    assert "Booked to 4420 in these days: 40.00 USD: all of the 40.00 USD redeemed." in page


@pytest.mark.django_db(transaction=True)
def test_card__each_usage_is_held_against_the_basis_of_its_own_card(superuser_dsn):
    """Two cards with different costs in one range: the sum of two products, not the product of two sums."""
    ada, key = make_member("Ada", credits="100"), make_key()
    used(ada, key, "3")
    other = used(ada, key, "2").meter_id
    with psycopg.connect(superuser_dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        # A second card without the vote it would have had: only its costs matter here.
        owner.execute("ALTER TABLE cloud_credits_ratecard DROP CONSTRAINT rate_card_voted_before_adopted")
        owner.execute(
            "CREATE TEMP TABLE card AS SELECT * FROM cloud_credits_ratecard WHERE version = 1;"
            "UPDATE card SET id = 9999, version = 2, compute_cost = 1, effective_date = effective_date + 30;"
            "INSERT INTO cloud_credits_ratecard SELECT * FROM card"
        )
        owner.execute("UPDATE cloud_credits_resourceusage SET rate_card_id = 9999 WHERE id = %s", [other])

    [row] = usage_margin(DAY, NEXT, by=Grouping.PRIMITIVE).rows

    # 3 × 0.0416 + 2 × 1
    assert (row.quantity, row.infrastructure) == (Decimal(5), Decimal("2.1248"))


@pytest.mark.parametrize("role", [Role.STEWARD, Role.OPERATIONS, Role.ADMIN])
@pytest.mark.parametrize("by", [by for by in Grouping if by is not Grouping.MEMBER])
def test_files__equal_the_page(two_members, role, by):
    client = staff(role)
    query = f"?first={DAY}&last={DAY}&by={by.value}"
    page = client.get(f"/admin/reports/usage-margin/{query}")
    rows = page.context["report"].rows

    text = b"".join(client.get(f"/admin/reports/usage-margin/csv/{query}").streaming_content).decode("utf-8-sig")
    book = client.get(f"/admin/reports/usage-margin/xlsx/{query}").content
    sheet = load_workbook(io.BytesIO(book)).active
    paper = client.get(f"/admin/reports/usage-margin/pdf/{query}")

    written = list(csv.DictReader(io.StringIO(text)))
    assert len(written) == len(rows) == sheet.max_row - 1
    assert [Decimal(line["CLOUD"]) for line in written] == [row.credits for row in rows]
    assert [Decimal(line["Infrastructure, USD (exact)"]) for line in written] == [row.infrastructure for row in rows]
    assert [cell.value for cell in sheet[1]] == list(written[0])
    assert (paper.status_code, paper["Content-Type"]) == (200, "application/pdf")
    assert "$39.78" in text_of(paper.content)
    body = page.content.decode()
    assert "$39.78" in body
    assert "99.58" in body
    assert "Redeemed" in body


def test_members__are_named_only_to_whoever_may_see_usage(two_members):
    assert staff(Role.STEWARD).get("/admin/reports/usage-margin/?by=member").status_code == 422
    page = staff(Role.OPERATIONS).get(f"/admin/reports/usage-margin/?by=member&first={DAY}&last={DAY}")
    assert "Ada (" in page.content.decode()


@pytest.mark.parametrize("query", ["?first=2026-06-30&last=2026-04-01", "?first=x", "?last=0001-01-01", "?by=colour"])
def test_page__names_a_bad_range_and_does_not_break(query):
    client = staff(Role.OPERATIONS)
    assert client.get(f"/admin/reports/usage-margin/{query}").status_code == 422
    assert client.get(f"/admin/reports/usage-margin/csv/{query}").status_code == 422


def test_page__of_nothing_says_so():
    page = staff(Role.OPERATIONS).get("/admin/reports/usage-margin/?first=2026-01-01&last=2026-01-02")
    assert "Nothing was metered and nothing billed" in page.content.decode()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_volume__a_day_of_half_a_million_rows_is_read_by_the_index(superuser_dsn):
    """A day among a month's rows of a thousand members costs that day's rows, a stretch of the index a member."""
    pattern = used(make_member(credits="100"), make_key(), "2.5").meter_id
    _grow(superuser_dsn, pattern, rows=500_000, members=1_000)

    first = DAY - timedelta(days=3)
    sort, title = reports._KEYS[Grouping.PRIMITIVE]
    since, until = reports.moments(first, first + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (ANALYZE, BUFFERS) " + reports.USED.format(sort=sort, title=title, kept="month"),
            {"start": since, "end": until, "techne": "techne"},
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "usage_member_metered" in plan, plan
    assert "Seq Scan on cloud_credits_resourceusage" not in plan, plan
    assert usage_margin(first, first + timedelta(days=1), by=Grouping.MEMBER).total.events > 10_000


def _grow(dsn, pattern, *, rows, members):
    """Copies of one row, spread over new members and a month; guards off, for only the planner looks at them."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "ALTER TABLE cloud_credits_resourceusage DROP CONSTRAINT cloud_credits_resourceusage_transaction_id_key"
        )
        owner.execute(
            "INSERT INTO members_member (id, kind, display_name, status, is_investor, created_at)"
            " SELECT 1000000 + n, 'person', 'Member ' || n, 'active', false, now() FROM generate_series(0, %s) n",
            [members - 1],
        )
        owner.execute(
            "INSERT INTO cloud_credits_resourceusage (member_id, primitive, quantity, unit, rate, cost, rate_card_id,"
            " service_key_id, service_name, event_id, digest, metered_at, received_at, is_late, transaction_id,"
            " journal_entry_id)"
            " SELECT 1000000 + n %% %s, u.primitive, u.quantity, u.unit, u.rate, u.cost, u.rate_card_id,"
            " u.service_key_id, u.service_name, 'n' || n, u.digest, u.metered_at - n * interval '5 s',"
            " u.received_at, false, u.transaction_id, u.journal_entry_id"
            " FROM cloud_credits_resourceusage u, generate_series(1, %s) n WHERE u.id = %s",
            [members, rows, pattern],
        )
        owner.execute("ANALYZE cloud_credits_resourceusage")
        owner.execute("ANALYZE members_member")
