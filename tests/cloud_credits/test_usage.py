"""What members used: rows with their arithmetic, sums, and pages that cost the same wherever they begin."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection

from cloud_credits.models import ResourceUsage
from cloud_credits.policies.primitives import Primitive
from cloud_credits.reports import usage as reports
from habitat.members.models import User
from tests.cloud_credits.metered import make_key, meter
from tests.factories import make_member

pytestmark = pytest.mark.django_db

NOON = datetime.now(tz=UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=5)
DAY = (NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=1))


def used(member, key, at, quantity="2.5", primitive="compute", unit="compute-hours"):
    return meter(member, key, timestamp=at.isoformat(), quantity=quantity, primitive=primitive, unit=unit)


def test_summary__adds_up_by_primitive_and_rate():
    member, other, key = make_member(credits="100"), make_member(credits="100"), make_key()
    used(member, key, NOON)
    used(member, key, NOON, "0.5")
    used(member, key, NOON, "10", "transfer", "GB")
    used(other, key, NOON, "7")
    found = reports.summary(start=DAY[0], end=DAY[1], member_id=member.pk)
    assert [(line.primitive, line.events, line.quantity, line.cost) for line in found.lines] == [
        (Primitive.COMPUTE, 2, Decimal(3), Decimal(3)),
        (Primitive.TRANSFER, 1, Decimal(10), Decimal(1)),
    ]
    assert (found.cost, found.usd) == (Decimal(4), Decimal(40))
    assert found.lines[0].arithmetic == "3 compute-hours × 1 CLOUD = 3 CLOUD (30.00 USD)"
    assert found.lines[1].arithmetic == "10 gigabytes × 0.1 CLOUD = 1 CLOUD (10.00 USD)"


def test_summary__of_nothing_is_zero():
    found = reports.summary(start=DAY[0], end=DAY[1])
    assert (found.lines, found.cost) == ((), Decimal(0))


@pytest.mark.parametrize(
    ("at", "inside"), [(DAY[0], True), (DAY[1], False), (DAY[1] - timedelta(microseconds=1), True)]
)
def test_summary__interval_is_half_open(at, inside):
    member, key = make_member(credits="100"), make_key()
    used(member, key, at)
    assert bool(reports.summary(start=DAY[0], end=DAY[1]).lines) is inside


def test_by_member__keeps_members_apart():
    first, second, key = make_member(credits="100"), make_member(credits="100"), make_key()
    used(first, key, NOON)
    used(second, key, NOON, "4", "stm", "GB-hr")
    found = reports.by_member(start=DAY[0], end=DAY[1])
    assert [(line.member_id, line.primitive, line.cost) for line in found.lines] == [
        (first.pk, Primitive.COMPUTE, Decimal("2.5")),
        (second.pk, Primitive.STM, Decimal(2)),
    ]


def test_page__walks_every_row_once_newest_first():
    member, key = make_member(credits="100"), make_key()
    moments = [NOON, NOON, NOON, NOON - timedelta(hours=1), NOON + timedelta(hours=1)]
    for at in moments:
        used(member, key, at)
    rows, seen, mark = reports.of_member(member.pk), [], None
    while True:
        page, mark = reports.page(rows, size=2, after=mark)
        seen += [row.usage for row in page]
        if mark is None:
            break
    assert [usage.metered_at for usage in seen] == sorted(moments, reverse=True)
    assert len({usage.pk for usage in seen}) == 5
    assert page[-1].arithmetic == "2.5 compute-hours × 1 CLOUD = 2.5 CLOUD (25.00 USD)"


def test_page__filters_by_primitive_and_time():
    member, key = make_member(credits="100"), make_key()
    used(member, key, NOON)
    used(member, key, NOON, "1", "transfer", "GB")
    used(member, key, NOON - timedelta(days=2))
    rows = reports.of_member(member.pk, start=DAY[0], end=DAY[1], primitive=Primitive.TRANSFER)
    assert [usage.primitive for usage in rows] == ["transfer"]


def test_visible_to__own_for_members_none_for_strangers():
    member, other, key = make_member(credits="10", email="a@example.org"), make_member(credits="10"), make_key()
    used(member, key, NOON)
    used(other, key, NOON)
    user = User.objects.get(pk=member.user_id)
    assert [usage.member_id for usage in ResourceUsage.objects.visible_to(user)] == [member.pk]
    assert not ResourceUsage.objects.visible_to(AnonymousUser()).exists()


def test_pages__are_index_scans_in_page_order():
    """The planner takes the member's index backwards for a page: no sort, however many rows there are."""
    member = make_member()
    mark = reports.Mark(NOON, 10)
    for after in (None, mark):
        rows = reports.of_member(member.pk)
        if after:
            rows = rows.filter(metered_at__lte=after.metered_at).exclude(metered_at=after.metered_at, id__gte=after.id)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        plan = rows[:51].explain()
        assert "Index Scan Backward using usage_member_metered" in plan
        assert "Sort" not in plan


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_pages__among_a_million_rows_read_only_their_own(superuser_dsn):
    """A page and a month's sum of one member touch that member's rows, not the table, at a million rows."""
    member, key = make_member(credits="100"), make_key()
    made_up = meter(member, key).meter_id
    _grow(superuser_dsn, made_up, rows=1_000_000, members=1_000)
    rows = reports.of_member(member.pk)
    for after in (None, reports.Mark(datetime.now(tz=UTC) - timedelta(days=20), 0)):
        page, mark = reports.page(rows, size=50, after=after)
        assert len(page) == 50
        assert mark is not None
        chosen = rows
        if after:
            chosen = rows.filter(metered_at__lte=after.metered_at).exclude(
                metered_at=after.metered_at, id__gte=after.id
            )
        plan = chosen[:51].explain(analyze=True, buffers=True)
        assert "usage_member_metered" in plan
        assert "Seq Scan on cloud_credits_resourceusage" not in plan
    start, end = datetime.now(tz=UTC) - timedelta(days=30), datetime.now(tz=UTC)
    plan = ResourceUsage.objects.filter(member=member, metered_at__gte=start, metered_at__lt=end).explain(analyze=True)
    assert "usage_member_metered" in plan
    assert reports.summary(start=start, end=end, member_id=member.pk).lines[0].events > 500


def _grow(dsn, pattern, *, rows, members):
    """Copies of one row, spread over members and a month; guards off, for only the planner looks at them."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "ALTER TABLE cloud_credits_resourceusage DROP CONSTRAINT cloud_credits_resourceusage_transaction_id_key"
        )
        owner.execute(
            "INSERT INTO cloud_credits_resourceusage (member_id, primitive, quantity, unit, rate, cost, rate_card_id,"
            " service_key_id, service_name, event_id, digest, metered_at, received_at, is_late, transaction_id,"
            " journal_entry_id)"
            " SELECT u.member_id + n %% %s, u.primitive, u.quantity, u.unit, u.rate, u.cost, u.rate_card_id,"
            " u.service_key_id, u.service_name, 'n' || n, u.digest, u.metered_at - n * interval '2.5 s',"
            " u.received_at, false, u.transaction_id, u.journal_entry_id"
            " FROM cloud_credits_resourceusage u, generate_series(1, %s) n WHERE u.id = %s",
            [members, rows, pattern],
        )
        owner.execute("ANALYZE cloud_credits_resourceusage")
