"""`/cloud/usage/` and `/rate-cards/`: each line's arithmetic, totals, what waits, and exports that equal the screen."""

import csv
import io
import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from cloud_credits.actions import metering
from cloud_credits.models import SelfMeterCharge
from cloud_credits.reports import member_usage
from cloud_credits.reports.member_usage import Month
from habitat.controls.actions import approvals, service_keys
from habitat.controls.reports.service_keys import actor_of
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.cloud_credits.metered import event, make_key, meter
from tests.faces.people import browser, reader
from tests.factories import actor, make_member
from tests.members.people import trusted
from treasury.models import Period

pytestmark = pytest.mark.django_db

UNITS = {"compute": "compute-hours", "transfer": "gigabytes", "ltm": "gigabyte-months", "stm": "gigabyte-hours"}
LINE = "0.25 compute-hours × 1 CLOUD = 0.25 CLOUD (2.50 USD)"


def use(member, *events, ago=timedelta(0)):
    """Meters (primitive, quantity) pairs that ended so long ago, in order, a millisecond apart."""
    key, _ = service_keys.create(
        name="builds",
        scopes=["metering:write"],
        expires_at=datetime.now(tz=UTC) + timedelta(days=1),
        acting=SYSTEM,
    )
    now = datetime.now(tz=UTC) - ago
    for number, (primitive, quantity) in enumerate(events):
        metering.receive(
            body={
                "eventId": f"{member.pk}-{number}",
                "memberId": str(member.pk),
                "primitive": primitive,
                "quantity": quantity,
                "unit": UNITS[primitive],
                "serviceName": "builds",
                "timestamp": (now + timedelta(milliseconds=number)).isoformat(),
            },
            key_id=key.pk,
            acting=actor_of(key),
        )


def body(response):
    assert response.status_code == 200
    return response.content.decode()


def test_usage__each_line_shows_its_arithmetic_and_its_card():
    member = reader("10")
    use(member, ("compute", "0.25"))
    page = body(browser(member).get("/cloud/usage/"))
    assert LINE in page
    assert '<a href="/rate-cards/1/">v1</a>' in page


@pytest.mark.parametrize(
    ("ago", "told", "days"),
    [
        (timedelta(hours=23), "in time", 0),
        (timedelta(days=1, minutes=1), "1 day late", 1),
        (timedelta(days=12, hours=1), "12 days late", 12),
    ],
)
def test_usage__that_came_late_is_flagged_on_the_page_and_in_the_api(ago, told, days):
    member = reader("10")
    use(member, ("compute", "0.25"), ago=ago)
    client = browser(member)
    ended = datetime.now(tz=UTC) - ago
    page = body(client.get(f"/cloud/usage/?period={ended:%Y-%m}"))
    assert re.findall(r'data-label="Reported"><span>(.*?)</span>', page) == [told]
    [line] = client.get("/api/usage/").json()["results"]
    assert line["daysLate"] == days
    assert line["receivedAt"] > line["meteredAt"]


def test_usage__of_a_periods_last_hour_that_comes_in_the_next_is_late(house_clock):
    """Six hours, and another period's books: flagged to the member, in the file, by the API and on the desk."""
    member, key = reader("10"), make_key()
    turn = Period.objects.get(start__lte=datetime.now(tz=UTC), end__gt=datetime.now(tz=UTC)).end
    period = Period.objects.get(start=turn)
    ended = datetime.combine(turn, time(), UTC) - timedelta(hours=1)
    house_clock.at(ended + timedelta(hours=6))
    meter(member, key, quantity="1", timestamp=ended.isoformat())
    meter(member, key, quantity="2", timestamp=(ended + timedelta(hours=2)).isoformat())
    client = browser(member)
    told = f"late, booked in {period.name}"

    page = body(client.get(f"/cloud/usage/?period={ended:%Y-%m}"))
    assert re.findall(r'data-label="Reported"><span>(.*?)</span>', page) == [told]
    newer, older = client.get("/api/usage/").json()["results"]
    assert (older["late"], older["daysLate"], older["approvedLate"], older["bookedPeriod"]) == (
        True,
        0,
        False,
        period.name,
    )
    assert (newer["late"], newer["bookedPeriod"]) == (False, period.name)
    desk = body(trusted_browser().get("/admin/cloud_credits/resourceusage/"))
    assert re.findall(r'class="[^"]*field-reported[^"]*"[^>]*>\s*(.*?)\s*</td>', desk) == ["in time", told]


def test_desk__calls_the_same_usage_late_as_the_member_does():
    """Twelve days late needs nobody's leave; what two persons let in is said in those words."""
    member = make_member(credits="10")
    meter(member, make_key(), timestamp=(datetime.now(tz=UTC) - timedelta(days=12, hours=1)).isoformat())
    client = trusted_browser()
    desk = body(client.get("/admin/cloud_credits/resourceusage/"))
    assert "12 days late" in desk
    assert "let in by two persons" in desk
    assert "12 days late" not in body(client.get("/admin/cloud_credits/resourceusage/?is_late__exact=1"))


def trusted_browser():
    return browser(trusted(Role.OPERATIONS))


def test_usage__says_what_the_months_spending_counts_so_that_it_can_be_recomputed():
    """Usage that ended before the month and was booked in it counts; what two persons let in does not."""
    member = reader("100")
    client, key = browser(member), make_key()
    meter(member, key, quantity="1")
    meter(member, key, quantity="2", timestamp=(datetime.now(tz=UTC) - timedelta(days=34)).isoformat())
    late = event(member, quantity="4", timestamp=(datetime.now(tz=UTC) - timedelta(days=40)).isoformat())
    asker, second = (actor(make_member(), metering.LATE_USAGE_PERMISSION) for _ in range(2))
    asked = metering.request_late_usage(event=late, key_id=key.pk, reason="found", acting=asker)
    approvals.grant(approval=asked, reason="right", acting=second)

    lines = client.get("/api/usage/").json()["results"]
    month = f"{datetime.now(tz=UTC):%Y-%m}"
    counted = [line for line in lines if line["bookedAt"].startswith(month) and not line["approvedLate"]]
    spent = client.get("/api/spending").json()["spent"]
    assert sum(Decimal(line["cloudCost"]) for line in counted) == Decimal(spent) == 3

    seen = {}
    for ended in {line["meteredAt"][:7] for line in lines}:
        response = client.get(f"/cloud/usage/?period={ended}&export=csv")
        for row in csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))):
            seen[Decimal(row["CLOUD"])] = (row["Booked"][:7], "let in by two persons" in row["Reported"])
    assert seen == {1: (month, False), 2: (month, False), 4: (month, True)}
    assert "let in counts in no month" in body(client.get("/cloud/spending/"))


def test_usage__totals_by_primitive_and_in_all():
    member = reader("10")
    use(member, ("compute", "0.25"), ("compute", "0.5"), ("stm", "1.000001"))
    page = body(browser(member).get("/cloud/usage/"))
    totals = page[page.index('id="usage-totals"') :]
    totals = totals[: totals.index("</table>")]
    cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", totals)]
    assert cells[:8] == ["Compute", "2", "0.75", "compute-hours", "1", "v1", "0.75", "$7.50"]
    assert cells[8:16] == ["Short-term memory", "1", "1.000001", "gigabyte-hours", "0.5", "v1", "0.5000005", "$5.00"]
    assert cells[-2:] == ["1.2500005", "$12.50"]


def test_usage__export_equals_the_screen():
    member = reader("10")
    use(member, ("compute", "0.25"), ("transfer", "2"), ("compute", "1"))
    client = browser(member)
    response = client.get("/cloud/usage/?primitive=compute&export=csv")
    rows = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))
    page = body(client.get("/cloud/usage/?primitive=compute"))
    shown = re.findall(r'data-label="Arithmetic"><span>(.*?)</span>', page)
    arithmetic = rows[0].index("Arithmetic")
    assert [row[arithmetic] for row in rows[1:]] == shown == ["1 compute-hours × 1 CLOUD = 1 CLOUD (10.00 USD)", LINE]


def test_usage__only_mine():
    member, other = reader("10"), reader("10")
    use(other, ("compute", "3"))
    assert "Nothing was metered in this month" in body(browser(member).get("/cloud/usage/"))


def test_usage__another_month_is_empty_and_nonsense_is_this_month():
    member = reader("10")
    use(member, ("compute", "0.25"))
    client = browser(member)
    assert LINE not in body(client.get("/cloud/usage/?period=2026-03"))
    for nonsense in ("2026-13", "x", "99999-01", "-1-1", "2026-0"):
        assert LINE in body(client.get(f"/cloud/usage/?period={nonsense}"))


def test_usage__nothing_of_this_primitive_is_not_nothing_at_all():
    member = reader("10")
    use(member, ("compute", "0.25"))
    page = body(browser(member).get("/cloud/usage/?primitive=ltm"))
    assert "Nothing matches" in page
    assert "Totals of" in page


def test_usage__what_could_not_be_charged_is_shown_with_its_reason():
    member = reader("10")
    now = datetime.now(tz=UTC)
    SelfMeterCharge.objects.create(
        member=member,
        primitive="compute",
        window_start=now - timedelta(hours=2),
        window_end=now - timedelta(hours=1),
        quantity="0.000012",
        due_at=now,
        refusal="Too little to spend.",
    )
    for path in ("/cloud/", "/cloud/usage/"):
        page = body(browser(member).get(path))
        assert "0.000012 of compute" in page
        assert "Too little to spend." in page


def test_usage__pages_hold_every_line_once():
    member = reader("100")
    use(member, *[("compute", f"0.{number:02}") for number in range(1, 31)])
    client = browser(member)
    first = body(client.get("/cloud/usage/"))
    older = re.search(r'href="(\?[^"]*before=[^"]*)" rel="next"', first)[1].replace("&amp;", "&")
    second = body(client.get(f"/cloud/usage/{older}"))
    found = [re.findall(r'data-label="Arithmetic"><span>(.*?) compute', page) for page in (first, second)]
    assert [len(part) for part in found] == [25, 5]
    assert found[0] + found[1] == [f"{number / 100:g}" for number in range(30, 0, -1)]


def test_usage__costs_the_same_queries_for_many_lines(django_assert_num_queries):
    member = reader("100")
    client = browser(member)
    use(member, ("compute", "1"))
    client.get("/cloud/usage/")
    with django_assert_num_queries(USAGE_QUERIES):
        client.get("/cloud/usage/")
    use(member, *[("stm", "0.5")] * 10)
    with django_assert_num_queries(USAGE_QUERIES):
        client.get("/cloud/usage/")


# Seven find the sign-in and note its session, one the membership, one counts unread notices for the menu.
USAGE_QUERIES = 17


def test_month__is_half_open_and_turns_the_year():
    month = Month(2026, 12)
    assert (month.start, month.end) == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert member_usage.month_of("2026-12") == month


def test_rate_cards__listed_with_standing_and_opened():
    client = browser(reader())
    listed = body(client.get("/rate-cards/"))
    assert '<a href="/rate-cards/1/">Version 1</a>' in listed
    assert 'status--ok">in force' in listed
    page = body(client.get("/rate-cards/1/"))
    for words in ("compute-hours", "gigabyte-months", "$10.00", "Target margin"):
        assert words in page
    assert client.get("/rate-cards/2/").status_code == 404
