"""`/cloud/transactions/`: filters in the address, pages by cursor, exports that equal the screen, one row in full."""

import csv
import io
import re
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from cloud_credits.actions.transfers import transfer
from cloud_credits.models import CloudTransaction
from cloud_credits.reports import activity
from cloud_credits.reports.activity import ActivityFilter, Direction
from habitat.money import cloud
from tests.faces.people import browser, reader
from tests.factories import actor, key, make_member

pytestmark = pytest.mark.django_db


def send(sender, recipient, amount, memo=""):
    return transfer(
        sender=sender, recipient=recipient, amount=cloud(amount), memo=memo, idempotency_key=key(), acting=actor(sender)
    ).transaction


def shown_rows(response):
    page = response.content.decode()
    body = page[page.index("<tbody>") : page.index("</tbody>")]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.S)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)] for row in rows]


def exported(response):
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


@pytest.fixture
def pair():
    ada, bo = reader("100", name="Ada Brook"), make_member("Bo Reed", credits="50")
    send(ada, bo, "10", "eggs")
    send(bo, ada, "2.5", "honey")
    send(ada, bo, "1", "wool")
    return ada, bo


def test_list__newest_first_with_sign_counterparty_and_balance_after(pair):
    ada, _ = pair
    rows = shown_rows(browser(ada).get("/cloud/transactions/"))
    assert [row[2:5] + row[5:8] for row in rows] == [
        ["transfer", "Bo Reed", "wool", "−1", "−$10.00", "91.5"],
        ["transfer", "Bo Reed", "honey", "+2.5", "$25.00", "92.5"],
        ["transfer", "Bo Reed", "eggs", "−10", "−$100.00", "90"],
        ["correction", "", "opening balance", "+100", "$1,000.00", "100"],
    ]


@pytest.mark.parametrize(
    ("query", "memos"),
    [
        ("direction=in", ["honey", "opening balance"]),
        ("direction=out", ["wool", "eggs"]),
        ("direction=within", []),
        ("type=transfer", ["wool", "honey", "eggs"]),
        ("text=EGG", ["eggs"]),
        ("text=reed", ["wool", "honey", "eggs"]),
        ("text=ada", []),
        ("type=transfer&direction=in", ["honey"]),
        ("first_day=2020-01-01&last_day=2020-01-02", []),
        ("first_day=2020-01-01", ["wool", "honey", "eggs", "opening balance"]),
    ],
)
def test_filter__page_csv_and_xlsx_hold_the_same_rows(pair, query, memos):
    client = browser(pair[0])
    page = client.get(f"/cloud/transactions/?{query}")
    assert ([row[4] for row in shown_rows(page)] if memos else []) == memos
    table = exported(client.get(f"/cloud/transactions/?{query}&export=csv"))
    assert [row[4] for row in table[1:]] == memos
    book = load_workbook(io.BytesIO(client.get(f"/cloud/transactions/?{query}&export=xlsx").content)).active
    assert [row[4] for row in book.iter_rows(min_row=2, values_only=True)] == memos
    if not memos:
        assert "Nothing matches" in page.content.decode()


def test_export__carries_exact_and_cents(pair):
    table = exported(browser(pair[0]).get("/cloud/transactions/?export=csv"))
    assert table[0] == [
        "Number",
        "Booked",
        "Type",
        "With",
        "For",
        "CLOUD",
        "USD",
        "USD (exact)",
        "Liquid after",
        "State",
    ]
    assert table[1][5:] == ["-1", "-10.00", "-10", "91.5", "completed"]


def test_filter__nonsense_shows_the_list_and_the_error(pair):
    response = browser(pair[0]).get("/cloud/transactions/?first_day=yesterday")
    assert response.status_code == 200
    assert "Enter a valid date." in response.content.decode()


def test_pages__walk_down_and_up_through_every_row_once():
    ada, bo = reader("100"), make_member(credits="100")
    for number in range(6):
        send(ada, bo, "1", f"a{number}")
        send(bo, ada, "1", f"b{number}")
    everything = [row.transaction.pk for row in activity.every(ada.pk, ActivityFilter())]
    assert everything == sorted(everything, reverse=True)

    seen, part = [], activity.page(ada.pk, ActivityFilter(), size=5)
    pages = [part]
    while part.older:
        part = activity.page(ada.pk, ActivityFilter(), size=5, before=part.older)
        pages.append(part)
    for each in pages:
        seen += [row.transaction.pk for row in each.rows]
    assert seen == everything
    assert [len(each.rows) for each in pages] == [5, 5, 3]

    back = activity.page(ada.pk, ActivityFilter(), size=5, after=pages[2].newer)
    assert [row.transaction.pk for row in back.rows] == everything[5:10]
    first = activity.page(ada.pk, ActivityFilter(), size=5, after=back.newer)
    assert [row.transaction.pk for row in first.rows] == everything[:5]
    assert first.newer is None


def test_list__costs_the_same_queries_for_many_rows(django_assert_num_queries):
    ada, bo = reader("100"), make_member()
    client = browser(ada)
    client.get("/cloud/transactions/")
    for _ in range(12):
        send(ada, bo, "1")
    with django_assert_num_queries(LIST_QUERIES):
        client.get("/cloud/transactions/")


LIST_QUERIES = 12


def test_detail__shows_my_balance_after_and_never_the_other_sides(pair):
    ada, bo = pair
    row = CloudTransaction.objects.get(description="eggs")
    page = browser(ada).get(f"/cloud/transactions/{row.pk}/").content.decode()
    assert "90 <span" in page
    assert "$900.00" in page
    assert "60 <span" not in page
    assert "Bo Reed" in page
    assert "the books did not" in page
    assert "not sealed yet" in page


def test_detail__operations_see_both_sides(pair):
    operations = reader("0", "cloud_credits.view_cloudtransaction")
    row = CloudTransaction.objects.get(description="eggs")
    page = browser(operations).get(f"/cloud/transactions/{row.pk}/").content.decode()
    assert "90 <span" in page
    assert "60 <span" in page


@pytest.mark.parametrize("permissions", [(), ("members.view_member",)])
def test_detail__another_members_transaction_is_not_found(pair, permissions):
    stranger = reader("0", *permissions)
    row = CloudTransaction.objects.get(description="eggs")
    assert browser(stranger).get(f"/cloud/transactions/{row.pk}/").status_code == 404


def test_direction__a_stake_stays_within():
    row = CloudTransaction(type="stake", from_member_id=1, to_member_id=1, amount=Decimal(5))
    seen = activity.Activity(row, 1)
    assert (seen.direction, seen.change, seen.counterparty) == (Direction.WITHIN, Decimal(-5), "")
