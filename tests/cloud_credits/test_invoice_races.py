"""Invoices at once: paid once, void or paid and never both, numbered without a gap, lines frozen while being sent."""

import threading
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from cloud_credits.actions import invoices
from cloud_credits.models import CloudTransaction, Invoice
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from tests.cloud_credits.invoiced import drafted, sent, stored_invoice
from tests.cloud_credits.ledger import account, broken_proofs, holds
from tests.cloud_credits.test_concurrency import at_once, codes
from tests.cloud_credits.test_invoices import minted
from tests.factories import actor, key, make_member, system_member

pytestmark = pytest.mark.django_db(transaction=True)


def pay(invoice, idempotency_key=""):
    return invoices.pay(
        invoice=invoice, idempotency_key=idempotency_key or key(), acting=actor(invoice.member), reason=""
    )


def test_one_invoice__eight_payers__is_paid_once():
    member = make_member(credits="5000")
    invoice = sent(member)
    assert codes(at_once(*(lambda: pay(invoice) for _ in range(8)))) == {"done": 1, "invoice_not_payable": 7}
    assert (holds(member)[0], account("4110")) == (Decimal(4500), Decimal(-5000))
    assert CloudTransaction.objects.filter(purpose="invoice").count() == 1
    assert broken_proofs() == []


def test_one_key__eight_times__is_one_payment_and_seven_replays():
    member = make_member(credits="5000")
    invoice = sent(member)
    assert codes(at_once(*(lambda: pay(invoice, "same") for _ in range(8)))) == {"done": 1, "replayed": 7}
    assert holds(member)[0] == Decimal(4500)


def test_void_against_pay__one_wins_and_the_other_is_told():
    for _ in range(6):
        member = make_member(credits="500")
        invoice = sent(member)
        result = codes(
            at_once(
                lambda invoice=invoice: pay(invoice),
                lambda invoice=invoice: invoices.void(invoice=invoice, reason="x", acting=SYSTEM),
            )
        )
        state = stored_invoice(invoice).state
        lost = {"paid": "invoice_not_voidable", "void": "invoice_not_payable"}[state]
        assert result == {"done": 1, lost: 1}
        assert holds(member)[0] == {"paid": Decimal(0), "void": Decimal(500)}[state]
    assert broken_proofs() == []


def test_refund_twice__gives_back_once():
    member = make_member(credits="500")
    invoice = sent(member)
    pay(invoice)
    results = at_once(
        *(
            lambda: invoices.refund(invoice=invoice, reason="late", idempotency_key=key(), acting=SYSTEM)
            for _ in range(4)
        )
    )
    assert codes(results) == {"done": 1, "invoice_not_refundable": 3}
    assert (holds(member)[0], account("1130")) == (Decimal(500), 0)


def test_sending__eight_at_once__is_numbered_one_to_eight():
    member = make_member()
    drafts = [drafted(member) for _ in range(8)]
    at_once(*(lambda draft=draft: invoices.send(invoice=draft, acting=SYSTEM) for draft in drafts))
    assert sorted(Invoice.objects.values_list("number", flat=True)) == list(range(1, 9))


def test_payments_and_mints_for_invoices__never_wait_in_a_circle():
    """Both hold techne's balance and a member's; a mint that took the member's first would meet a payment crosswise."""
    people = [make_member(credits="500") for _ in range(3)]
    owed = {person.pk: [sent(person) for _ in range(6)] for person in people}

    def by_mint(invoice):
        with transaction.atomic():
            return minted(invoice, "500")

    calls = [lambda i=invoice: by_mint(i) for person in people for invoice in owed[person.pk][:3]]
    calls += [lambda i=invoice: pay(i) for person in people for invoice in owed[person.pk][3:]]
    results = codes(at_once(*calls))
    assert set(results) <= {"done", "insufficient_balance"}
    paid = Invoice.objects.filter(state="paid").count()
    assert holds(system_member(SystemAccount.TECHNE))[0] == Decimal(500 * paid)
    assert account("1130") == Decimal(5000 * paid)
    assert broken_proofs() == []


def test_a_line_written_while_the_invoice_is_being_sent__waits_and_is_refused():
    draft = drafted(make_member())
    locked, refusal = threading.Event(), []

    def add_line():
        try:
            locked.wait(10)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO cloud_credits_invoiceline (invoice_id, position, description, quantity, price, amount)"
                    " VALUES (%s, 2, 'more', 1, 1, 1)",
                    [draft.pk],
                )
        except DatabaseError as error:
            refusal.append(str(error))
        finally:
            connection.close()

    thread = threading.Thread(target=add_line)
    thread.start()
    with transaction.atomic():
        invoices.send(invoice=draft, acting=SYSTEM)
        locked.set()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(10)
    assert len(refusal) == 1
    assert "an invoice that is sent keeps its lines" in refusal[0]
    assert stored_invoice(draft).lines.count() == 1
