"""The books in the back office: who sees what, verbs with a reason, and reports whose files equal the page."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from habitat.controls.models import Approval
from habitat.members.actions import roles
from habitat.members.policies.roles import Role
from tests.faces.pdf_text import text_of
from tests.members import people
from tests.treasury.postings import posted, sale
from treasury.models import Account, JournalEntry, Period
from treasury.policies.roles import PERMISSIONS
from treasury.reports.tables import REPORTS

pytestmark = pytest.mark.django_db
RANGE = "?first=2026-04-01&last=2026-06-30&basis=effective"


def signed_in(role: Role | None) -> Client:
    member = people.trusted(role) if role else people.active()
    if role:
        from habitat.controls.policies.roles import PERMISSIONS as CONTROLS
        from habitat.members.policies.roles import PERMISSIONS as MEMBERS

        roles.sync({each: (*MEMBERS[each], *CONTROLS[each], *PERMISSIONS[each]) for each in Role})
    client = Client()
    client.force_login(member.user)
    return client


def send(client: Client, address: str, **fields: str):
    return client.post(address, {"verb_key": f"key-{len(fields)}-{address}", **fields})


@pytest.mark.parametrize("page", ["account", "period", "journalentry"])
def test_lists_and_pages__show_the_books_to_operations(page):
    sale("12.34")
    client = signed_in(Role.OPERATIONS)

    answer = client.get(reverse(f"admin:treasury_{page}_changelist"))
    assert answer.status_code == 200
    row = {"account": Account, "period": Period, "journalentry": JournalEntry}[page].objects.order_by("id").last()
    assert client.get(reverse(f"admin:treasury_{page}_change", args=[row.pk])).status_code == 200


def test_account_list__shows_balances_in_a_fixed_number_of_queries(django_assert_max_num_queries):
    sale("12.34")
    client = signed_in(Role.OPERATIONS)

    with django_assert_max_num_queries(25):
        answer = client.get(reverse("admin:treasury_account_changelist"))

    assert "12.34" in answer.content.decode()


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize(
    ("role", "status"), [(None, 302), (Role.STEWARD, 200), (Role.OPERATIONS, 200), (Role.ADMIN, 200)]
)
def test_reports__open_to_those_who_may(report, role, status):
    client = signed_in(role)

    assert client.get(reverse("treasury_report", args=[report])).status_code == status
    for file_format in ("csv", "xlsx", "pdf"):
        address = reverse("treasury_report_export", args=[report, file_format])
        assert client.get(address).status_code == status
        assert client.post(address).status_code == (405 if status == 200 else 302)


def test_reports__are_refused_to_staff_without_the_permission():
    member = people.trusted(Role.OPERATIONS)
    Group.objects.get(name=Role.OPERATIONS.value).permissions.filter(codename="view_reports").first().group_set.clear()
    client = Client()
    client.force_login(member.user)

    assert client.get(reverse("treasury_report", args=["journal"])).status_code == 403


def test_unknown_report__is_not_found():
    assert signed_in(Role.OPERATIONS).get("/admin/reports/secrets/").status_code == 404


@pytest.mark.parametrize(
    "query", ["?first=2026-06-30&last=2026-04-01", "?first=x", "?last=0001-01-01", "?basis=other", "?account=9999"]
)
def test_reports__name_a_bad_range_and_do_not_break(query):
    client = signed_in(Role.OPERATIONS)

    assert client.get(f"/admin/reports/account-ledger/{query}").status_code == 422
    assert client.get(f"/admin/reports/account-ledger/csv/{query}").status_code == 422


@pytest.mark.parametrize("report", REPORTS)
def test_exports__equal_the_page(report):
    sale("12.34567891", description="=Usage")
    posted(("1110", "1000000", None), ("2240", None, "1000000"))
    client = signed_in(Role.OPERATIONS)
    address = reverse("treasury_report_export", args=[report, "csv"]) + RANGE

    text = b"".join(client.get(address).streaming_content).decode("utf-8-sig")
    sheet = load_workbook(io.BytesIO(client.get(address.replace("/csv/", "/xlsx/")).content)).active
    shown = client.get(reverse("treasury_report", args=[report]) + RANGE).context["shown"]

    written = list(csv.reader(io.StringIO(text)))
    assert written[0] == shown.table.export_titles()
    assert len(written) - 1 == len(shown.rows) == sheet.max_row - 1
    assert written[0] == [cell.value for cell in sheet[1]]
    for row, line in zip(shown.rows, written[1:], strict=True):
        for value, cell in zip(shown.table.export_row(row), line, strict=True):
            if isinstance(value, Decimal):
                assert Decimal(cell) == value


@pytest.mark.parametrize("report", REPORTS)
def test_report_on_paper__says_what_the_page_says(report):
    sale("12.34567891", description="Workshop in May")
    address = reverse("treasury_report_export", args=[report, "pdf"]) + RANGE

    answer = signed_in(Role.OPERATIONS).get(address)

    title, _ = REPORTS[report]
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert title in text_of(answer.content)
    assert "$12.35" in text_of(answer.content)


def test_trial_balance_page__shows_cents_and_the_file_shows_all_digits():
    sale("12.34567891")
    client = signed_in(Role.OPERATIONS)

    page = client.get(reverse("treasury_report", args=["trial-balance"]) + RANGE).content.decode()
    address = reverse("treasury_report_export", args=["trial-balance", "csv"]) + RANGE

    assert "12.35" in page
    assert b"12.34567891" in b"".join(client.get(address).streaming_content)


def test_reverse_verb__posts_the_mirror_once_and_needs_a_reason():
    entry = sale("12.34")
    client = signed_in(Role.OPERATIONS)
    address = reverse("admin:treasury_journalentry_verb", args=[entry.pk, "reverse"])

    assert send(client, address, reason="  ").status_code == 422
    assert send(client, address, reason="Counted twice").status_code == 302
    assert send(client, address, reason="Counted twice").status_code == 302
    assert client.post(address, {"verb_key": "another", "reason": "Again"}).status_code == 409

    assert JournalEntry.objects.filter(reverses=entry).count() == 1


def test_adjust_verb__asks_a_second_person():
    client = signed_in(Role.OPERATIONS)
    address = reverse("admin:treasury_journalentry_list_verb", args=["adjust"])
    given = {
        "effective_on": "2026-03-31",
        "description": "March compute bill",
        "lines": "5510 D 12.50\n2110 c 12.50 the bill",
        "reason": "It came late",
    }

    assert send(client, address, **(given | {"lines": "5510 D 12.50"})).status_code == 422
    assert send(client, address, **(given | {"lines": "5510 D twelve\n2110 C 12"})).status_code == 422
    assert send(client, address, **(given | {"lines": "5510 sideways"})).status_code == 422
    assert Approval.objects.count() == 0
    assert client.post(address, given | {"verb_key": "good"}).status_code == 302

    assert Approval.objects.get().payload["lines"] == '[["5510", "D", "12.5", ""], ["2110", "C", "12.5", "the bill"]]'
    assert JournalEntry.objects.count() == 0


def test_period_verbs__walk_a_period_through_its_life():
    with time_machine.travel(datetime(2026, 8, 1, tzinfo=UTC), tick=True):
        client = signed_in(Role.ADMIN)
        period = Period.objects.get(name="2026-Q1")
        for verb, state in (
            ("begin-close", "closing"),
            ("call-off", "open"),
            ("begin-close", "closing"),
            ("close", "closed"),
            ("reopen", "open"),
            ("begin-close", "closing"),
            ("close", "closed"),
            ("lock", "locked"),
        ):
            address = reverse("admin:treasury_period_verb", args=[period.pk, verb])
            key = f"{verb}-{period.changes.count()}"
            assert client.post(address, {"verb_key": key, "reason": "Quarter end"}).status_code == 302
            assert Period.objects.get(pk=period.pk).state == state
        page = client.get(reverse("admin:treasury_period_change", args=[period.pk])).content.decode()

    assert "Quarter end" in page
    assert period.changes.count() == 8


def test_period_verb__out_of_order_says_why():
    with time_machine.travel(datetime(2026, 8, 1, tzinfo=UTC), tick=True):
        client = signed_in(Role.OPERATIONS)
        period = Period.objects.get(name="2026-Q2")
        answer = send(client, reverse("admin:treasury_period_verb", args=[period.pk, "begin-close"]), reason="End")

    assert answer.status_code == 409
    assert "Period 2026-Q1 stands in the way" in answer.content.decode()


def test_sub_account_verb__opens_one():
    client = signed_in(Role.OPERATIONS)
    address = reverse("admin:treasury_account_list_verb", args=["open"])

    assert send(client, address, parent="3100", suffix="000012", name="Capital of Ana").status_code == 302
    assert Account.objects.get(code="3100-000012").parent.code == "3100"
