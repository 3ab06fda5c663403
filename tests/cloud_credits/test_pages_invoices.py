"""`/cloud/invoices/`, its API and its back office: whose it is, what it says, paid once, and on paper to the digit."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Group

from cloud_credits.actions import invoices
from cloud_credits.models import Invoice, InvoiceChange
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.cloud_credits.invoiced import drafted, in_days, invoice_rows, item, sent, stored_invoice
from tests.cloud_credits.ledger import holds, row_counts
from tests.cloud_credits.test_pages_transfer import hidden
from tests.faces.pdf_text import text_of
from tests.faces.people import api, browser, reader
from tests.factories import actor, key, make_member

pytestmark = pytest.mark.django_db


def body(response) -> str:
    return response.content.decode()


def staff(role: Role) -> Member:
    """A member whose rights are their role's alone."""
    member = reader("0")
    members.grant_role(member=member, role=role, reason="elected", acting=SYSTEM)
    assert Group.objects.get(name=role.value).permissions.filter(codename="view_invoice").exists()
    return Member.objects.get(pk=member.pk)


# --- pages


def test_list__shows_what_was_sent_with_state_due_day_and_export():
    member = reader("1000")
    drafted(member, title="Not yet")
    paid, late = sent(member, title="Paid work"), sent(member, item("2", "1.5"), title="Late work")
    invoices.pay(invoice=paid, idempotency_key=key(), acting=actor(member))
    invoices.mark_overdue(as_of=in_days(31).date(), acting=SYSTEM)
    sent(make_member(), title="Somebody else's")
    client = browser(member)
    page = body(client.get("/cloud/invoices/"))
    for words in ("Paid work", "Late work", "overdue", "paid", "$30.00", stored_invoice(late).due_on.isoformat()):
        assert words in page
    assert "Not yet" not in page
    assert "Somebody else" not in page
    filtered = body(client.get("/cloud/invoices/?state=open"))
    assert "Late work" in filtered
    assert "Paid work" not in filtered
    lines = b"".join(client.get("/cloud/invoices/?state=open&export=csv").streaming_content).decode().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("2,Late work,")
    assert lines[1].endswith(",3,30.00,30,overdue")


def test_list__nothing_yet_and_nothing_that_matches_are_told_apart():
    client = browser(reader("0"))
    assert "No invoices" in body(client.get("/cloud/invoices/"))
    assert "Nothing matches" in body(client.get("/cloud/invoices/?state=paid"))


def test_list__goes_on_to_older_ones():
    member = reader("0")
    for number in range(26):
        sent(member, item("1", "1"), title=f"Work {number:02}")
    client = browser(member)
    first = body(client.get("/cloud/invoices/"))
    assert "Work 25" in first
    assert "Work 00" not in first
    assert "?before=2" in first
    assert "Work 00" in body(client.get("/cloud/invoices/?before=2"))


def test_pay__behind_a_preview__once_however_often_the_form_is_sent():
    member = reader("600", name="Ada Brook")
    invoice = sent(member)
    client, address = browser(member), f"/cloud/invoices/{invoice.pk}/"
    assert "Pay from your balance" in body(client.get(address))
    before = row_counts()
    preview = client.post(f"{address}pay/", {"paying": "balance"})
    for words in ("500 CLOUD", "$5,000.00", "Ada Brook", "Techne", "100 CLOUD", "You cannot take this back."):
        assert words in body(preview)
    assert row_counts() == before
    form = {name: value for name, value in hidden(preview).items() if name in {"paying", "key"}}
    assert "Invoice 1 is paid." in body(client.post(f"{address}pay/confirm/", form, follow=True))
    assert "It was not made again." in body(client.post(f"{address}pay/confirm/", form, follow=True))
    assert holds(member)[0] == Decimal(100)
    page = body(client.get(address))
    assert "Nothing is left to do." in page
    assert "Pay from your balance" not in page


def test_pay__too_little__says_how_much_is_missing_and_moves_nothing():
    member = reader("499.9999")
    invoice = sent(member)
    client, address = browser(member), f"/cloud/invoices/{invoice.pk}/"
    assert "That is 0.001 CLOUD too little." in body(client.get(address))
    before = invoice_rows()
    for path, form in (("pay/", {}), ("pay/confirm/", {"key": "k1"})):
        answer = client.post(address + path, {"paying": "balance"} | form)
        assert answer.status_code == 402
        assert "499.9999 CLOUD to spend; this needs 500." in body(answer)
    assert invoice_rows() == before
    assert client.post(f"{address}pay/", {"paying": "beads"}).status_code == 422


@pytest.mark.parametrize("part", ["", "invoice.pdf", "pay/", "pay/confirm/"])
def test_anothers_invoice_and_a_draft__are_not_found(part):
    member, other = reader("1000"), reader("1000")
    form = {"paying": "balance", "key": "k1"}
    for invoice in (sent(other), drafted(member)):
        client, address = browser(member), f"/cloud/invoices/{invoice.pk}/{part}"
        answer = client.post(address, form) if part.startswith("pay") else client.get(address)
        assert answer.status_code == 404


def test_states__each_says_what_it_means():
    member = reader("500")
    void, refunded, waiting = sent(member), sent(member), sent(member)
    invoices.void(invoice=void, reason="wrong client", acting=SYSTEM)
    invoices.pay(invoice=refunded, idempotency_key=key(), acting=actor(member))
    invoices.refund(invoice=refunded, reason="late", idempotency_key=key(), acting=SYSTEM)
    invoices.note_payment_received(invoice_id=waiting.pk, at=in_days(0), acting=SYSTEM)
    for invoice, words in ((void, "Nothing is owed"), (refunded, "came back with"), (waiting, "Your payment is here")):
        page = body(browser(member).get(f"/cloud/invoices/{invoice.pk}/"))
        assert words in page
        assert "Pay from your balance" not in page


# --- on paper


def test_pdf__says_the_lines_and_the_total_to_the_digit():
    member = reader("1000", name="Łucja Żak")
    invoice = sent(member, item("1.5", "33.33333333", "Schöne Gestaltung"), item("2", "0.00000001", "Rest"))
    held = stored_invoice(invoice)
    answer = browser(member).get(f"/cloud/invoices/{invoice.pk}/invoice.pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == 'inline; filename="invoice-1.pdf"'
    words = text_of(answer.content).splitlines()
    assert words[:2] == ["Invoice 1", "Project X"]
    assert f"Łucja Żak, member {member.pk}, {member.full_ens_name}" in words
    start = words.index("Line")
    assert words[start : start + 18] == [
        *["Line", "What", "Quantity", "Price", "CLOUD"],
        *["1", "Schöne Gestaltung", "1.5", "33.33333333", "50"],
        *["2", "Rest", "2", "0.00000001", "0.00000002"],
        *["Total", "50.00000002", "Total: 50.00000002 CLOUD ($500.00)"],
    ]
    assert held.due_on.isoformat() in words
    assert browser(member).get(f"/cloud/invoices/{invoice.pk}/invoice.pdf").content == answer.content


# --- API


def pay_by_api(member, invoice, idempotency_key="k1", **asked):
    return api(member).post(
        f"/api/invoices/{invoice.pk}/pay",
        {"method": "balance"} | asked,
        format="json",
        headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
    )


def test_api__lists_own_ones_and_pays_once():
    member, other = reader("600"), reader("600")
    invoice = sent(member)
    sent(other)
    client = api(member)
    [row] = client.get("/api/invoices/").json()["results"]
    assert row == client.get(f"/api/invoices/{invoice.pk}").json()
    assert (row["id"], row["number"], row["total"], row["totalUsd"]) == (str(invoice.pk), 1, "500", "5000")
    assert row["lines"] == [
        {"position": 1, "description": "Full stack development", "quantity": "10", "price": "50", "amount": "500"}
    ]
    first, second = pay_by_api(member, invoice), pay_by_api(member, invoice)
    assert (first.status_code, first.json()["state"], first.json()["paidBy"]) == (200, "paid", "cloud_balance")
    assert (first.json()["replayed"], second.json()["replayed"]) == (False, True)
    assert pay_by_api(member, invoice, "k2").json()["code"] == "invoice_not_payable"
    assert holds(member)[0] == Decimal(100)
    assert client.get("/api/invoices/?state=open").json()["results"] == []


def test_api__refuses_by_name():
    member, other = reader("10"), reader("600")
    invoice = sent(member)
    assert pay_by_api(member, invoice).json()["code"] == "insufficient_balance"
    assert pay_by_api(member, invoice).status_code == 402
    assert pay_by_api(other, invoice).status_code == 404
    assert pay_by_api(member, invoice, "").json()["code"] == "idempotency_key_required"
    assert pay_by_api(member, invoice, method="beads").status_code == 422
    members.suspend(member=member, reason="x", acting=SYSTEM)
    assert stored_invoice(invoice).state == "sent"


def test_api__a_steward_reads_all_and_pays_nobodys():
    member, steward = reader("600"), staff(Role.STEWARD)
    invoice = sent(member)
    assert api(steward).get(f"/api/invoices/{invoice.pk}").status_code == 200
    assert api(steward).get(f"/api/invoices/?member={member.pk}").json()["results"][0]["id"] == str(invoice.pk)
    assert pay_by_api(steward, invoice).json()["code"] == "not_allowed"
    assert stored_invoice(invoice).state == "sent"


# --- back office


def verb(client, name, invoice=None, **fields):
    where = f"{invoice.pk}/verb" if invoice else "verb"
    return client.post(f"/admin/cloud_credits/invoice/{where}/{name}/", {"verb_key": key()} | fields, follow=True)


def test_back_office__writes_changes_sends_pays_and_refunds():
    member, client = reader("600"), browser(staff(Role.OPERATIONS))
    written = verb(client, "draft", member=str(member.pk), title="Site", lines="10 × 45.5 Design, 2 × 3\n1x45 Set-up\n")
    assert "The draft over 500 CLOUD is written." in body(written)
    invoice = Invoice.objects.get()
    assert [(line.description, line.amount) for line in invoice.lines.all()] == [
        ("Design, 2 × 3", Decimal(455)),
        ("Set-up", Decimal(45)),
    ]
    assert "10 × 45.5 Design" in body(client.get(f"/admin/cloud_credits/invoice/{invoice.pk}/change/"))
    verb(client, "change", invoice, title="Site", lines="2 * 100 Design")
    assert stored_invoice(invoice).total == Decimal(200)
    assert f"Invoice 1 is sent to {member}" in body(verb(client, "send", invoice))
    verb(client, "pay", invoice, reason="asked by telephone")
    assert (stored_invoice(invoice).state, holds(member)[0]) == ("paid", Decimal(400))
    verb(client, "refund", invoice, reason="late")
    assert (stored_invoice(invoice).state, holds(member)[0]) == ("refunded", Decimal(600))
    page = body(client.get(f"/admin/cloud_credits/invoice/{invoice.pk}/change/"))
    for words in ("asked by telephone", "late", "refunded"):
        assert words in page
    assert list(InvoiceChange.objects.values_list("verb", flat=True)) == ["draft", "change", "send", "pay", "refund"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("Design", "is not quantity × price"),
        ("0 × 5 Design", "Line 1: the quantity 0 must be more than zero"),
        ("1 × 1e3 Design", "is not a number"),
        ("1 × 0.000000001 Design", "more than 8 decimals"),
    ],
)
def test_back_office__a_line_it_cannot_read_is_named_and_nothing_is_written(lines, words):
    member, client = reader("0"), browser(staff(Role.OPERATIONS))
    answer = verb(client, "draft", member=str(member.pk), title="Site", lines=lines)
    assert answer.status_code == 422
    assert words in body(answer)
    assert not Invoice.objects.exists()


def test_back_office__void_needs_a_reason__and_a_steward_only_looks():
    member, client = reader("0"), browser(staff(Role.OPERATIONS))
    invoice = sent(member)
    assert verb(client, "void", invoice, reason=" ").status_code == 422
    assert stored_invoice(invoice).state == "sent"
    steward = browser(staff(Role.STEWARD))
    assert steward.get(f"/admin/cloud_credits/invoice/{invoice.pk}/change/").status_code == 200
    assert verb(steward, "void", invoice, reason="x").status_code == 403
    verb(client, "void", invoice, reason="wrong client")
    assert stored_invoice(invoice).state == "void"
