"""CLOUD invoices: written, sent, paid, overdue, void, refunded; exact amounts, and nothing moved on a refusal."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_credits import locks
from cloud_credits.actions import invoices, mints, movements
from cloud_credits.actions.burns import burn
from cloud_credits.actions.corrections import reverse
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import (
    InsufficientBalance,
    InvoiceLineInvalid,
    InvoiceNotDraft,
    InvoiceNotPayable,
    InvoiceNotRefundable,
    InvoiceNotVoidable,
    InvoiceTitleInvalid,
    InvoiceWithoutLines,
    MemberNotActive,
    NoCloudIdentity,
    NotInvoiceable,
    NotReversible,
    TechneTakesNoTransfers,
    TooManyInvoiceLines,
)
from cloud_credits.models import Invoice, InvoiceChange
from cloud_credits.policies.invoices import INVOICE_EDGES, InvoiceState, Item, Paying, check_items, due_on, to_buy
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from cloud_credits.workflows.invoices import mark_overdue
from habitat.errors import AmountTooLarge, IdempotencyConflict, NotAllowed, ReasonRequired
from habitat.events.actions.outbox import emit
from habitat.events.models import Event
from habitat.events.workflows.deliveries import drain
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from habitat.notifications.models import Email, Notification
from tests.cloud_credits.invoiced import drafted, in_days, invoice_rows, item, sent, stored_invoice
from tests.cloud_credits.ledger import (
    account,
    broken_proofs,
    commit_checks,
    entry_lines,
    holds,
    refused,
    told,
)
from tests.factories import actor, key, make_member, system_member

pytestmark = pytest.mark.django_db

OPERATIONS = "cloud_credits.write_invoice", "cloud_credits.refund_invoice", "cloud_credits.transfer_for_members"


def pay(invoice, *, acting=None, idempotency_key="", reason=""):
    return invoices.pay(
        invoice=invoice,
        idempotency_key=idempotency_key or key(),
        acting=acting or actor(invoice.member),
        reason=reason,
    ).invoice


def refuses(error, attempt):
    """The named error, and neither a row of the ledger nor anything of an invoice changed."""
    before = invoice_rows()
    caught = refused(error, attempt)
    assert invoice_rows() == before
    return caught


# --- lines


LINES = [
    ([("10", "50")], "500"),
    ([("0.333333", "0.00000003")], "0.00000001"),
    ([("1.5", "0.00000001")], "0.00000002"),
    ([("3", "33.33333333"), ("0.000001", "0.5")], "100.00000049"),
    ([("0.1", "0.2"), ("0.7", "0.1")], "0.09"),
    ([("0.5", "0.00000001"), ("0.5", "0.00000001")], "0.00000002"),
]


@pytest.mark.parametrize(("lines", "total"), LINES)
def test_total__is_the_sum_of_its_lines_each_half_up(lines, total):
    invoice = drafted(make_member(), *(item(quantity, price) for quantity, price in lines))
    assert stored_invoice(invoice).total == Decimal(total)
    commit_checks()


@given(
    st.lists(
        st.tuples(
            st.decimals("0.000001", "9999", places=6),
            st.decimals("0.01", "9999", places=8),
        ),
        min_size=1,
        max_size=100,
    )
)
@settings(max_examples=100)
def test_total__of_any_lines_is_exact_in_integers(rows):
    items = [Item("Work", quantity, price) for quantity, price in rows]
    in_units = 0
    for quantity, price in rows:
        # Quantity has six decimals and price eight: their product in units of 1e-14, half-up to units of 1e-8.
        units = int(quantity.scaleb(6)) * int(price.scaleb(8))
        in_units += (units + 500_000) // 1_000_000
    try:
        assert int(check_items(items).scaleb(8)) == in_units
    except InvoiceLineInvalid:
        assert any((int(q.scaleb(6)) * int(p.scaleb(8)) + 500_000) // 1_000_000 == 0 for q, p in rows)


BAD_LINES = [
    ([], InvoiceWithoutLines),
    ([item("0", "1")], InvoiceLineInvalid),
    ([item("-1", "1")], InvoiceLineInvalid),
    ([item("1", "0")], InvoiceLineInvalid),
    ([item("0.0000001", "1")], InvoiceLineInvalid),
    ([item("1", "0.000000001")], InvoiceLineInvalid),
    ([item("0.1", "0.00000001")], InvoiceLineInvalid),  # rounds to nothing
    ([item(description="  ")], InvoiceLineInvalid),
    ([item(description="x" * 301)], InvoiceLineInvalid),
    ([item("1000", "99999999999")], InvoiceLineInvalid),
    ([item("1", "60000000000"), item("1", "60000000000")], AmountTooLarge),
    ([item()] * 101, TooManyInvoiceLines),
]


@pytest.mark.parametrize(("items", "error"), BAD_LINES)
def test_lines__refused_ones_write_nothing(items, error):
    member = make_member()
    refuses(error, lambda: invoices.draft(member=member, title="Project X", items=items, acting=SYSTEM))


@pytest.mark.parametrize("title", ["", "  ", "x" * 201])
def test_title__is_needed(title):
    member = make_member()
    refuses(
        InvoiceTitleInvalid,
        lambda: invoices.draft(member=member, title=title, items=[item()], acting=SYSTEM),
    )


def test_line_refusal__names_the_line():
    with pytest.raises(InvoiceLineInvalid) as caught:
        check_items([item(), item("0", "1")])
    assert caught.value.sentence == "Line 2: the quantity 0 must be more than zero, with at most 6 decimals."


@pytest.mark.parametrize("holder", list(SystemAccount))
def test_draft__for_the_cooperatives_own_accounts__is_refused(holder):
    refuses(
        NotInvoiceable,
        lambda: invoices.draft(member=system_member(holder), title="x", items=[item()], acting=SYSTEM),
    )


def test_draft__needs_the_permission():
    member = make_member()
    mine, acting = drafted(member), actor(member)
    for verb in (
        lambda: invoices.draft(member=member, title="x", items=[item()], acting=acting),
        lambda: invoices.change_draft(invoice=mine, title="x", items=[item()], acting=acting),
        lambda: invoices.send(invoice=mine, acting=acting),
        lambda: invoices.void(invoice=mine, reason="x", acting=acting),
    ):
        refuses(NotAllowed, verb)


def test_change__writes_the_draft_anew():
    invoice = drafted(make_member(), item(), item("1", "3"))
    invoices.change_draft(invoice=invoice, title=" Project Y ", items=[item("2", "1.5", "Design")], acting=SYSTEM)
    held = stored_invoice(invoice)
    assert (held.title, held.total, held.state) == ("Project Y", Decimal(3), "draft")
    assert [(line.position, line.description, line.amount) for line in held.lines.all()] == [(1, "Design", Decimal(3))]
    commit_checks()


# --- sending


def test_send__numbers_dates_and_announces_with_the_briefs_fields():
    member = make_member("Venture")
    invoice = sent(member)
    today = datetime.now(tz=UTC).date()
    held = stored_invoice(invoice)
    assert (held.state, held.number, held.due_on) == ("sent", 1, today + timedelta(days=30))
    assert told("invoice.created") == {
        "invoice_id": invoice.pk,
        "from": "techne.habitat.eth",
        "to": member.pk,
        "amount_cloud": "500",
        "amount_usd": "5000",
        "description": "Project X",
        "due_date": (today + timedelta(days=30)).isoformat(),
        "created_at": held.sent_at.isoformat(),
        "number": 1,
    }


def test_send__counts_on_without_a_gap__whatever_becomes_of_drafts_and_refused_ones():
    member = make_member()
    first, never, second = drafted(member), drafted(member), drafted(member)
    assert invoices.send(invoice=first, acting=SYSTEM).number == 1
    with transaction.atomic():
        invoices.send(invoice=never, acting=SYSTEM)
        transaction.set_rollback(True)
    invoices.void(invoice=never, reason="not done", acting=SYSTEM)
    assert invoices.send(invoice=second, acting=SYSTEM).number == 2


def test_send__twice__is_refused():
    invoice = sent(make_member())
    assert refuses(InvoiceNotDraft, lambda: invoices.send(invoice=invoice, acting=SYSTEM)).sentence == (
        "Invoice 1 is sent: only a draft can be changed or sent. Void it and write a new one."
    )


def test_send__to_somebody_who_cannot_pay__is_refused():
    suspended, nameless = make_member(), make_member(identity=False)
    members.suspend(member=suspended, reason="x", acting=SYSTEM)
    for member, error in ((suspended, MemberNotActive), (nameless, NoCloudIdentity)):
        invoice = drafted(member)
        refuses(error, lambda invoice=invoice: invoices.send(invoice=invoice, acting=SYSTEM))


def test_change__of_a_sent_invoice__is_refused():
    invoice = sent(make_member())
    refuses(
        InvoiceNotDraft,
        lambda: invoices.change_draft(invoice=invoice, title="cheaper", items=[item("1", "1")], acting=SYSTEM),
    )


# --- paying


def test_pay__500_cloud_are_5000_dollars_of_revenue_and_of_credits_held():
    member = make_member("Venture", credits="600")
    invoice = sent(member)
    paid = pay(invoice)
    row = paid.payment_transaction
    assert (holds(member)[0], holds(system_member(SystemAccount.TECHNE))[0]) == (Decimal(100), Decimal(500))
    assert entry_lines(row.journal_entry_id) == {("1130", "D", "5000"), ("4110", "C", "5000")}
    assert (row.type, row.purpose, row.amount) == ("transfer", "invoice", Decimal(500))
    assert (account("1130"), account("4110"), account("2220")) == (Decimal(5000), Decimal(-5000), Decimal(-6000))
    held = stored_invoice(invoice)
    assert (held.state, held.paid_by, held.paid_at) == ("paid", "cloud_balance", row.booked_at)
    assert told("invoice.paid") == {
        "invoice_id": invoice.pk,
        "payer": member.pk,
        "payee": "techne.habitat.eth",
        "amount_cloud": "500",
        "payment_method": "cloud_balance",
        "paid_at": row.booked_at.isoformat(),
        "number": 1,
        "transaction_id": row.pk,
        "journal_entry_id": row.journal_entry_id,
    }
    commit_checks()
    assert broken_proofs() == []


def test_pay__more_than_the_balance__is_refused():
    member = make_member("Venture", credits="499.99999999")
    invoice = sent(member)
    assert refuses(InsufficientBalance, lambda: pay(invoice)).sentence == (
        "Venture has 499.99999999 CLOUD to spend; this needs 500."
    )


def test_pay__the_same_key_again__is_the_first_result():
    member = make_member(credits="1000")
    invoice = sent(member)
    again = {"invoice": invoice, "idempotency_key": "once", "acting": actor(member)}
    assert not invoices.pay(**again).replayed
    second = invoices.pay(**again)
    assert (second.replayed, second.invoice.state, holds(member)[0]) == (True, "paid", Decimal(500))
    other = sent(member)
    refuses(IdempotencyConflict, lambda: invoices.pay(**again | {"invoice": other}))


def test_pay__another_key__is_told_that_it_is_paid():
    member = make_member(credits="1000")
    invoice = sent(member)
    pay(invoice)
    assert refuses(InvoiceNotPayable, lambda: pay(invoice)).sentence == (
        "Invoice 1 is paid, so there is nothing to pay."
    )


def test_pay__a_draft_or_a_void_invoice__is_refused():
    member = make_member(credits="1000")
    void = sent(member)
    invoices.void(invoice=void, reason="wrong client", acting=SYSTEM)
    for invoice in (drafted(member), void):
        refuses(InvoiceNotPayable, lambda invoice=invoice: pay(invoice))


@pytest.mark.parametrize("verb", [members.suspend, members.expel, members.deactivate, members.withdraw])
def test_pay__by_a_member_who_is_not_active__is_refused(verb):
    member = make_member(credits="1000")
    invoice = sent(member)
    verb(member=member, reason="x", acting=SYSTEM)
    refuses(MemberNotActive, lambda: pay(invoice))


def test_pay__for_another_member__needs_the_right_and_a_reason():
    member, other = make_member(credits="1000"), make_member(credits="1000")
    invoice = sent(member)
    refuses(NotAllowed, lambda: pay(invoice, acting=actor(other)))
    operations = actor(other, *OPERATIONS)
    refuses(ReasonRequired, lambda: pay(invoice, acting=operations, reason="  "))
    pay(invoice, acting=operations, reason="asked by telephone")
    change = InvoiceChange.objects.filter(invoice=invoice).latest("id")
    assert (change.verb, change.reason, change.actor) == ("pay", "asked by telephone", operations.label)
    assert holds(other)[0] == Decimal(1000)


def test_pay__by_a_plain_transfer_to_techne__is_refused():
    member = make_member(credits="10")
    refuses(
        TechneTakesNoTransfers,
        lambda: transfer(
            sender=member,
            recipient=system_member(SystemAccount.TECHNE),
            amount=cloud("1"),
            idempotency_key=key(),
            acting=actor(member),
        ),
    )


# --- paying with credits just minted


def minted(invoice, amount: str, member=None):
    """What the mint of a payment does around an invoice: lock, mint, pay."""
    locks.invoice_and_balances(invoice.pk)
    movement = Movement(
        TransactionType.MINT, Decimal(amount), Purpose.MANUAL, to_member=(member or invoice.member).pk, description="x"
    )
    [applied] = movements.apply([movement], acting=SYSTEM)
    emit(mints.minted(applied, payment_method="test"), acting=SYSTEM)
    return invoices.pay_after_mint(invoice_id=invoice.pk, minted=applied, acting=SYSTEM)


def test_pay_after_mint__mints_and_pays_in_one_transaction():
    member = make_member(credits="100")
    invoice = sent(member)
    invoices.note_payment_received(invoice_id=invoice.pk, at=datetime.now(tz=UTC), acting=SYSTEM)
    assert minted(invoice, "400").paid_by == "card"
    assert (stored_invoice(invoice).state, holds(member)[0]) == ("paid", Decimal(0))
    assert told("invoice.paid")["payment_method"] == "card"
    assert account("1130") == Decimal(5000)
    commit_checks()


def test_pay_after_mint__an_invoice_paid_or_void_meanwhile__leaves_the_credits_with_the_member():
    member = make_member(credits="500")
    paid, void = sent(member), sent(member)
    pay(paid)
    invoices.void(invoice=void, reason="x", acting=SYSTEM)
    for invoice, left in ((paid, Decimal(500)), (void, Decimal(1000))):
        state = stored_invoice(invoice).state
        assert minted(invoice, "500") is None
        assert (stored_invoice(invoice).state, holds(member)[0]) == (state, left)


def test_pay_after_mint__too_few_by_now_or_somebody_elses__stays_open_and_forgets_the_payment():
    member, other = make_member(credits="100"), make_member()
    invoice = sent(member)
    for buyer, amount in ((member, "399.99999999"), (other, "500")):
        invoices.note_payment_received(invoice_id=invoice.pk, at=datetime.now(tz=UTC), acting=SYSTEM)
        assert stored_invoice(invoice).payment_received_at is not None
        assert minted(invoice, amount, buyer) is None
        held = stored_invoice(invoice)
        assert (held.state, held.payment_received_at) == ("sent", None)
    assert (holds(member)[0], holds(other)[0]) == (Decimal("499.99999999"), Decimal(500))


def test_payment_received__is_noted_once_and_only_on_what_is_owed():
    member = make_member(credits="500")
    invoice = sent(member)
    first = datetime.now(tz=UTC)
    for at in (first, first + timedelta(hours=1)):
        invoices.note_payment_received(invoice_id=invoice.pk, at=at, acting=SYSTEM)
    assert stored_invoice(invoice).payment_received_at == first
    pay(invoice)
    other = sent(member)
    invoices.void(invoice=other, reason="x", acting=SYSTEM)
    assert invoices.note_payment_received(invoice_id=other.pk, at=first, acting=SYSTEM).payment_received_at is None


TO_BUY = [
    ("500", "100", Paying.MISSING, "400"),
    ("500", "100", Paying.CARD, "500"),
    ("500", "500", Paying.MISSING, "0"),
    ("500", "900", Paying.MISSING, "0"),
    ("0.00000001", "0", Paying.CARD, "0.001"),
    ("10.0010", "0.00000001", Paying.MISSING, "10.001"),
    ("10.00100001", "0", Paying.MISSING, "10.002"),
]


@pytest.mark.parametrize(("total", "liquid", "paying", "bought"), TO_BUY)
def test_to_buy__what_is_missing_or_all_of_it__up_to_a_whole_cent(total, liquid, paying, bought):
    amount = to_buy(total=Decimal(total), liquid=Decimal(liquid), paying=paying)
    assert amount == Decimal(bought)
    assert amount * 1000 == int(amount * 1000)


# --- overdue


def test_overdue__the_due_day_itself_is_in_time():
    invoice = sent(make_member())
    due = stored_invoice(invoice).due_on
    midnight = datetime(due.year, due.month, due.day, tzinfo=UTC)
    mark_overdue(midnight)
    assert stored_invoice(invoice).state == "sent"
    mark_overdue(midnight + timedelta(days=1))
    assert stored_invoice(invoice).state == "overdue"
    assert told("invoice.overdue") == {
        "invoice_id": invoice.pk,
        "to": invoice.member_id,
        "amount_cloud": "500",
        "due_date": due.isoformat(),
        "as_of": (due + timedelta(days=1)).isoformat(),
        "number": 1,
    }
    assert invoices.mark_overdue(as_of=due + timedelta(days=1), acting=SYSTEM) == 0
    assert Event.objects.filter(name="invoice.overdue").count() == 1


def test_overdue__is_still_payable_and_voidable():
    member = make_member(credits="500")
    paid, void = sent(member), sent(member)
    assert invoices.mark_overdue(as_of=in_days(31).date(), acting=SYSTEM) == 2
    pay(paid)
    invoices.void(invoice=void, reason="x", acting=SYSTEM)
    assert (stored_invoice(paid).state, stored_invoice(void).state) == ("paid", "void")


def test_overdue__what_is_paid_void_draft_or_waits_for_its_credits__is_left_alone():
    member = make_member(credits="500")
    paid, void, waiting = sent(member), sent(member), sent(member)
    draft = drafted(member)
    pay(paid)
    invoices.void(invoice=void, reason="x", acting=SYSTEM)
    invoices.note_payment_received(invoice_id=waiting.pk, at=datetime.now(tz=UTC), acting=SYSTEM)
    assert invoices.mark_overdue(as_of=in_days(400).date(), acting=SYSTEM) == 0
    assert [stored_invoice(i).state for i in (paid, void, waiting, draft)] == ["paid", "void", "sent", "draft"]


def test_due__counts_utc_days():
    late = datetime(2026, 2, 10, 23, 59, 59, tzinfo=UTC)
    assert due_on(late).isoformat() == "2026-03-12"
    west = datetime.fromisoformat("2026-02-10T17:00:00-08:00")
    assert due_on(west).isoformat() == "2026-03-13"


# --- void and refund


def test_void__needs_a_reason_and_something_unpaid():
    member = make_member(credits="500")
    invoice = sent(member)
    refuses(ReasonRequired, lambda: invoices.void(invoice=invoice, reason=" ", acting=SYSTEM))
    pay(invoice)
    assert refuses(InvoiceNotVoidable, lambda: invoices.void(invoice=invoice, reason="x", acting=SYSTEM)).sentence == (
        "Invoice 1 is paid and can no longer be voided. A paid invoice is refunded."
    )


def test_void__of_a_draft__tells_nobody():
    invoice = drafted(make_member())
    invoices.void(invoice=invoice, reason="a mistake", acting=SYSTEM)
    assert stored_invoice(invoice).state == "void"
    assert not Event.objects.filter(name="invoice.voided").exists()
    assert InvoiceChange.objects.get(invoice=invoice, verb="void").reason == "a mistake"


def test_refund__gives_the_credits_back_and_takes_the_revenue():
    member = make_member(credits="600")
    invoice = sent(member)
    pay(invoice)
    members.expel(member=member, reason="x", acting=SYSTEM)
    refunded = invoices.refund(
        invoice=invoice, reason="work was late", idempotency_key=key(), acting=SYSTEM
    ).invoice.refund_transaction
    assert entry_lines(refunded.journal_entry_id) == {("4110", "D", "5000"), ("1130", "C", "5000")}
    assert holds(member)[0] == Decimal(600)
    assert (account("1130"), account("4110"), stored_invoice(invoice).state) == (0, 0, "refunded")
    assert told("invoice.refunded")["reason"] == "work was late"
    commit_checks()
    assert broken_proofs() == []


def test_refund__when_techne_has_spent_the_credits__is_refused():
    member, techne = make_member(credits="500"), system_member(SystemAccount.TECHNE)
    invoice = sent(member)
    pay(invoice)
    burn(member=techne, amount=cloud("0.5"), reason="used", idempotency_key=key(), acting=SYSTEM)
    assert refuses(
        InsufficientBalance,
        lambda: invoices.refund(invoice=invoice, reason="x", idempotency_key=key(), acting=SYSTEM),
    ).sentence == ("Techne has 499.5 CLOUD to spend; this needs 500.")


def test_refund__needs_the_right_a_reason_and_a_paid_invoice__and_happens_once():
    member = make_member(credits="500")
    invoice = sent(member)
    asked = {"invoice": invoice, "reason": "late", "idempotency_key": "r1", "acting": SYSTEM}
    refuses(InvoiceNotRefundable, lambda: invoices.refund(**asked))
    pay(invoice)
    refuses(NotAllowed, lambda: invoices.refund(**asked | {"acting": actor(member)}))
    refuses(ReasonRequired, lambda: invoices.refund(**asked | {"reason": ""}))
    assert not invoices.refund(**asked).replayed
    assert invoices.refund(**asked).replayed
    refuses(InvoiceNotRefundable, lambda: invoices.refund(**asked | {"idempotency_key": "r2"}))
    assert holds(member)[0] == Decimal(500)


def test_reverse__of_an_invoices_payment__is_refused():
    member = make_member(credits="500")
    row = pay(sent(member)).payment_transaction
    assert "refund the invoice" in str(
        refuses(NotReversible, lambda: reverse(original=row, reason="x", idempotency_key=key(), acting=SYSTEM))
    )


# --- who is told


def test_notices__say_what_happened_to_the_member_once():
    member = make_member("Venture", credits="1000", email="venture@example.org")
    drain()
    before = Notification.objects.latest("id").pk
    paid, void, late = sent(member), sent(member), sent(member)
    pay(paid)
    invoices.void(invoice=void, reason="wrong client", acting=SYSTEM)
    invoices.mark_overdue(as_of=in_days(31).date(), acting=SYSTEM)
    invoices.refund(invoice=paid, reason="late", idempotency_key=key(), acting=SYSTEM)
    drain()
    drain()
    subjects = Notification.objects.filter(member=member, pk__gt=before).values_list("subject", flat=True)
    assert sorted(subjects) == sorted(
        [
            *["Invoice for 500 CLOUD"] * 3,
            "Invoice 1 is paid",
            "Invoice 2 is void",
            "Invoice 3 is overdue",
            "Invoice 1 is refunded",
        ]
    )
    assert Email.objects.filter(member=member, subject="Invoice 3 is overdue").count() == 1
    assert Notification.objects.get(subject="Invoice 3 is overdue").link == f"/cloud/invoices/{late.pk}/"
    assert not Notification.objects.filter(member=system_member(SystemAccount.TECHNE)).exists()


# --- what the database refuses by itself


@pytest.fixture
def world():
    member = make_member(credits="1000")
    draft, open_one, paid = drafted(member), sent(member), sent(member)
    pay(paid)
    return {"draft": draft.pk, "sent": open_one.pk, "paid": paid.pk, "member": make_member().pk}


ATTACKS = [
    "UPDATE cloud_credits_invoice SET total = 1 WHERE id = {sent}",
    "UPDATE cloud_credits_invoice SET title = 'cheaper' WHERE id = {sent}",
    "UPDATE cloud_credits_invoice SET due_on = due_on + 1 WHERE id = {sent}",
    "UPDATE cloud_credits_invoice SET number = 9 WHERE id = {sent}",
    "UPDATE cloud_credits_invoice SET member_id = {member} WHERE id = {draft}",
    "UPDATE cloud_credits_invoice SET total = 1 WHERE id = {draft}",
    "UPDATE cloud_credits_invoice SET state = 'draft' WHERE id = {sent}",
    "UPDATE cloud_credits_invoice SET state = 'void' WHERE id = {paid}",
    "UPDATE cloud_credits_invoice SET state = 'sent', number = 7, sent_at = now(), "
    "due_on = (now() AT TIME ZONE 'UTC')::date + 30 WHERE id = {draft}",
    "UPDATE cloud_credits_invoice SET state = 'sent', number = 3, sent_at = now(), "
    "due_on = (now() AT TIME ZONE 'UTC')::date + 31 WHERE id = {draft}",
    "UPDATE cloud_credits_invoice SET state = 'paid', paid_at = now(), paid_by = 'card', payment_transaction_id = "
    "(SELECT max(id) FROM cloud_credits_cloudtransaction WHERE type = 'correction') WHERE id = {sent}",
    "UPDATE cloud_credits_invoice SET state = 'refunded', refund_transaction_id = payment_transaction_id "
    "WHERE id = {paid}",
    "UPDATE cloud_credits_invoice SET payment_received_at = now() WHERE id = {paid}",
    "DELETE FROM cloud_credits_invoice WHERE id = {draft}",
    "DELETE FROM cloud_credits_invoiceline WHERE invoice_id = {sent}",
    "DELETE FROM cloud_credits_invoiceline WHERE invoice_id = {draft}",
    "UPDATE cloud_credits_invoiceline SET description = 'x' WHERE invoice_id = {sent}",
    "INSERT INTO cloud_credits_invoiceline (invoice_id, position, description, quantity, price, amount) "
    "VALUES ({sent}, 2, 'more', 1, 1, 1)",
    "INSERT INTO cloud_credits_invoiceline (invoice_id, position, description, quantity, price, amount) "
    "VALUES ({draft}, 2, 'more', 1, 1, 1)",
    "INSERT INTO cloud_credits_invoiceline (invoice_id, position, description, quantity, price, amount) "
    "VALUES ({draft}, 2, 'more', 1, 1, 2)",
    "INSERT INTO cloud_credits_invoice (member_id, title, total, state, created_by, number, sent_at, due_on) "
    "VALUES ({member}, 'x', 1, 'sent', 'me', 3, now(), now()::date + 30)",
    "INSERT INTO cloud_credits_invoice (member_id, title, total, state, created_by) "
    "VALUES ({member}, 'x', 1, 'draft', 'me')",
    "UPDATE cloud_credits_invoicechange SET reason = 'other'",
    "DELETE FROM cloud_credits_invoicechange",
]


@transaction.atomic
def _attempt(statement: str) -> None:
    """One statement and what a COMMIT would say to it."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
    commit_checks()


@pytest.mark.parametrize("attack", ATTACKS)
def test_database__refuses(attack, world):
    commit_checks()
    before = invoice_rows()
    with pytest.raises(DatabaseError):
        _attempt(attack.format(**world))
    assert invoice_rows() == before


def test_edges__of_policy_and_machine_are_the_same():
    machine = {state: set() for state in InvoiceState}
    for change in Invoice._meta.get_field("state").get_all_transitions(Invoice):
        machine[InvoiceState(change.source)].add(InvoiceState(change.target))
    assert machine == {state: set(targets) for state, targets in INVOICE_EDGES.items()}
