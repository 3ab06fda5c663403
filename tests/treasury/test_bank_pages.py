"""The bank's pages: the review queue with what is suggested and why, verbs by POST, and the manual match."""

from decimal import Decimal

import pytest
from django.urls import reverse

from habitat.faces.admin import KEY_FIELD
from habitat.members.policies.roles import Role
from tests.sandboxes import MERCURY_TOKEN
from tests.treasury.banking import deposit, make_bank, make_bill, read, the_line
from tests.treasury.test_faces import signed_in
from treasury.models import BankLine, BankMatch, Bill
from treasury.reports.accounts import account_balance

pytestmark = pytest.mark.django_db


def verb(client, model: str, pk: int | None, name: str, **fields):
    kind, args = ("list_verb", [name]) if pk is None else ("verb", [pk, name])
    return client.post(reverse(f"admin:treasury_{model}_{kind}", args=args), {KEY_FIELD: f"key-{name}", **fields})


def test_queue__shows_what_is_suggested_and_why_and_confirms():
    make_bank()
    olga = signed_in(Role.OPERATIONS)
    match = BankMatch.objects.get()

    page = olga.get(reverse("admin:treasury_bankmatch_changelist") + "?state__exact=suggested").content.decode()
    assert "It names number R-00001" in page or "It names Hetzner" in page
    detail = olga.get(reverse("admin:treasury_bankmatch_change", args=[match.pk])).content.decode()
    assert "Confirm" in detail
    assert detail.count("−$120.00") >= 2
    assert "120.00000000" not in detail

    assert verb(olga, "bankmatch", match.pk, "confirm", reason="Seen").status_code == 302
    match.refresh_from_db()
    assert (match.state, Bill.objects.get().state, account_balance("1110")) == ("confirmed", "paid", -120)
    assert "Undo the match" in olga.get(reverse("admin:treasury_bankmatch_change", args=[match.pk])).content.decode()
    assert verb(olga, "bankmatch", match.pk, "unmatch", reason="Wrong").status_code == 302
    assert account_balance("1110") == 0


def test_line__is_matched_by_hand_on_its_page():
    make_bank()
    other = make_bill("20", supplier="Other")
    olga, line = signed_in(Role.OPERATIONS), BankLine.objects.get()
    bill = Bill.objects.get(amount=120)
    given = {"kind": "bill", "reason": "Statement", "others": ""}

    wrong = verb(olga, "bankline", line.pk, "match", **given, targets=f"bill {bill.pk}\nbill {other.pk}")
    assert wrong.status_code == 422
    assert "must be equal to the cent" in wrong.content.decode()
    assert account_balance("1110") == 0
    assert verb(olga, "bankline", line.pk, "match", **given, targets="cheque 1").status_code == 422
    assert verb(olga, "bankline", line.pk, "match", **given, targets=f"bill {bill.pk}").status_code == 302

    assert account_balance("1110") == -120
    page = olga.get(reverse("admin:treasury_bankline_changelist") + "?match=waiting").content.decode()
    assert "Hetzner" not in page


def test_line__is_explained_or_a_duplicate_on_its_page(mercury_sandbox):
    first, second = deposit(mercury_sandbox, "-5", "A"), deposit(mercury_sandbox, "-5", "B")
    read(mercury_sandbox)
    olga = signed_in(Role.OPERATIONS)
    one, two = the_line(first), the_line(second)

    assert verb(olga, "bankline", one.pk, "ignore", reason="A test of the bank").status_code == 302
    assert verb(olga, "bankline", two.pk, "duplicate", of=one.pk, reason="Same").status_code == 302

    assert sorted(BankMatch.objects.filter(state="confirmed").values_list("kind", flat=True)) == [
        "duplicate",
        "ignored",
    ]


def test_bill__is_recorded_and_voided_on_its_page():
    olga = signed_in(Role.OPERATIONS)
    given = {
        "kind": "tax", "account": "6510", "supplier": "IRS", "number": "941", "amount": "12.34",
        "billed_on": "2026-06-01", "due_on": "2026-06-30",
    }  # fmt: skip
    assert verb(olga, "bill", None, "record", **given).status_code == 302
    assert account_balance("2120") == Decimal("12.34")

    assert verb(olga, "bill", Bill.objects.get().pk, "void", reason="Not due").status_code == 302
    assert account_balance("2120") == 0


def test_bank__is_read_on_demand_and_says_when_none_is_connected(mercury_sandbox, settings):
    olga = signed_in(Role.OPERATIONS)
    deposit(mercury_sandbox, "5", status="pending")
    settings.MERCURY_API_BASE = settings.MERCURY_API_TOKEN = ""
    refused = verb(olga, "bankaccount", None, "read-now")
    assert (refused.status_code, "MERCURY_API_BASE" in refused.content.decode()) == (503, True)

    settings.MERCURY_API_BASE, settings.MERCURY_API_TOKEN = mercury_sandbox.url, MERCURY_TOKEN
    assert verb(olga, "bankaccount", None, "read-now").status_code == 302

    assert BankLine.objects.count() == 1
    for model in ("bankaccount", "bankline"):
        pk = BankLine.objects.get().account_id if model == "bankaccount" else BankLine.objects.get().pk
        assert olga.get(reverse(f"admin:treasury_{model}_change", args=[pk])).status_code == 200


def test_steward__sees_and_may_not_decide():
    make_bank()
    steward, match = signed_in(Role.STEWARD), BankMatch.objects.get()

    assert steward.get(reverse("admin:treasury_bankmatch_change", args=[match.pk])).status_code == 200
    assert verb(steward, "bankmatch", match.pk, "confirm", reason="x").status_code == 403
    assert BankMatch.objects.get().state == "suggested"
