"""Every list of the API is read to its end by following `next`, one row at a time, and back by `previous`."""

import base64
from datetime import UTC, datetime

import pytest
from django.urls import get_resolver
from rest_framework.pagination import CursorPagination
from rest_framework.test import APIClient

from cloud_credits.actions.transfers import transfer
from cloud_credits.api.usage import UsagePages
from habitat.controls.actions import service_keys
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits import governed
from tests.cloud_credits.bought import check_backing, monthly_purchase, wish
from tests.cloud_credits.invoiced import sent
from tests.cloud_credits.metered import make_key, meter
from tests.faces.people import api, reader
from tests.factories import key, make_member
from tests.notifications.test_webhooks import listening, say

pytestmark = pytest.mark.django_db


def transactions(clock):
    member, other = reader("10"), make_member()
    for amount in ("1", "2"):
        given = {"memo": "eggs", "idempotency_key": key(), "acting": SYSTEM}
        transfer(sender=member, recipient=other, amount=cloud(amount), **given)
    return api(member)


def stakes(clock):
    member = reader("100")
    type(member).objects.filter(pk=member.pk).update(is_investor=True)
    client = api(member)
    for number in range(3):
        asked = {"amount": "1", "days": 90}
        assert client.post("/api/stakes/", asked, format="json", headers={"Idempotency-Key": f"s{number}"}).json()
    return client


def invoices(clock):
    member = reader()
    for number in range(3):
        sent(member, title=f"Project {number}")
    return api(member)


def purchases(clock):
    member = reader()
    check_backing()
    monthly_purchase(member)
    wish(member)
    wish(member, "11")
    return api(member)


def usage(clock):
    """Two of the three ended in the same microsecond, and before the one that was told first."""
    member, meters = reader("100"), make_key()
    now = datetime.now(tz=UTC)
    for second in (2, 1, 1):
        meter(member, meters, timestamp=now.replace(second=second, minute=0, hour=0).isoformat())
    return api(member)


def rate_cards(clock):
    clock.at(governed.NOON)
    people = governed.make_stewards(2)
    governed.opened(clock, people[0], compute_rate="1.2")
    return api(reader())


def service(scope="webhooks"):
    row, token = service_keys.create(name="listener", scopes=[scope], acting=SYSTEM)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return row, client


def endpoints(clock):
    row, client = service()
    for number in range(3):
        listening(f"https://hooks.example.org/{number}", service=row)
    return client


def deliveries(clock):
    row, client = service()
    listening("https://hooks.example.org/", service=row)
    for number in range(3):
        say(number=number)
    return client


LISTS = {
    "api/transactions/": transactions,
    "api/stakes/": stakes,
    "api/invoices/": invoices,
    "api/purchases/": purchases,
    "api/usage/": usage,
    "api/rate-cards/": rate_cards,
    "api/webhooks/endpoints/": endpoints,
    "api/webhooks/deliveries/": deliveries,
}


def walked(patterns, prefix=""):
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from walked(pattern.url_patterns, path)
        else:
            yield path, pattern.callback


def paged():
    """The addresses whose views page with a cursor and hold more than one row."""
    for path, callback in walked(get_resolver().url_patterns):
        view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
        pages = getattr(view, "pagination_class", None)
        if pages is not None and issubclass(pages, CursorPagination) and hasattr(view, "list"):
            yield path


def test_lists__are_all_walked_here():
    assert set(paged()) == set(LISTS)


@pytest.mark.parametrize("address", LISTS)
def test_list__is_read_to_its_end_and_back(address, house_clock):
    client = LISTS[address](house_clock)
    whole = client.get(f"/{address}").json()["results"]
    assert len(whole) >= 2
    read, following, previous = [], f"/{address}?limit=1", None
    while following and len(read) <= len(whole):
        answer = client.get(following)
        assert answer.status_code == 200, answer.content
        page = answer.json()
        read, following, previous = read + page["results"], page["next"], page["previous"]
    assert read == whole
    back = []
    while previous and len(back) <= len(whole):
        page = client.get(previous).json()
        back, previous = page["results"] + back, page["previous"]
    assert back == whole[:-1]


def walk(client, following: str, most: int = 20) -> list[str]:
    """The ids behind an address and all that its `next` leads to."""
    read: list[str] = []
    while following and len(read) < most:
        page = client.get(following).json()
        read, following = read + [row["eventId"] for row in page["results"]], page["next"]
    return read


def of_one_moment(count: int):
    member, meters = reader("100"), make_key()
    moment = datetime.now(tz=UTC).replace(minute=0, second=0).isoformat()
    for _ in range(count):
        meter(member, meters, timestamp=moment)
    return api(member), lambda: meter(member, meters, timestamp=moment)


def test_usage__of_one_moment_is_read_to_its_end_however_much_it_is(monkeypatch):
    """Counted rows of a moment end at a cutoff, from which on a page leads to itself."""
    client, _ = of_one_moment(5)
    monkeypatch.setattr(UsagePages, "offset_cutoff", 2)
    whole = [row["eventId"] for row in client.get("/api/usage/").json()["results"]]
    assert len(whole) == 5
    assert walk(client, "/api/usage/?limit=1") == whole


def test_usage__that_arrives_meanwhile_repeats_none_of_its_moment():
    client, arrive = of_one_moment(4)
    whole = [row["eventId"] for row in client.get("/api/usage/").json()["results"]]
    first = client.get("/api/usage/?limit=2").json()
    arrive()
    assert [row["eventId"] for row in first["results"]] + walk(client, first["next"]) == whole


PLACES = [
    "x", "5", "2026-04-02", "2026-04-02 10:00:00", "2026-04-02T10:00:00Z", "9999-12-31 23:59:59-14:00", "\x00", ",", "",
    "2026-04-02 10:00:00+00:00", "2026-04-02 10:00:00+00:00,", "2026-04-02 10:00:00+00:00,x", "2026-04-02 10:00:00,5",
    "2026-04-02 10:00:00+00:00,-1", f"2026-04-02 10:00:00+00:00,{'9' * 19}", "2026-04-02 10:00:00+00:00,5&o=1",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_place__in_a_list_by_moments_that_is_none_of_ours_is_refused(place):
    cursor = base64.b64encode(f"p={place.replace('+', '%2B')}".encode()).decode()
    answer = api(reader()).get("/api/usage/", {"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("place", ["0001-01-01 00:00:00+00:00,0", f"9999-12-31 23:59:59.999999+00:00,{'9' * 18}"])
@pytest.mark.parametrize("direction", ["", "&r=1"])
def test_place__at_the_ends_of_the_calendar_is_one(place, direction):
    cursor = base64.b64encode(f"p={place.replace('+', '%2B')}{direction}".encode()).decode()
    assert api(reader()).get("/api/usage/", {"cursor": cursor}).status_code == 200
