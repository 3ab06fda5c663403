"""What members owe, at the desk: paid by a wire, settled from credits, written off by two people."""

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from cloud_credits.actions import receivables
from cloud_credits.errors import NothingOwed, SettlesTooMuch
from cloud_credits.models import Purchase, Receivable, ReceivablePayment
from habitat.controls.models import Alert, Approval
from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.workflows.deliveries import drain
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.cloud_credits.bought import bought, buyer, mint, pay, suspend
from tests.cloud_credits.ledger import account, broken_proofs, entry_lines, holds, refused, told
from tests.cloud_credits.test_clawbacks import debtor
from tests.faces.desk import desk_of, look, page, send
from tests.factories import actor
from tests.treasury.banking import deposit, read, the_line
from treasury.actions import refunds
from treasury.errors import PaymentInWrongState, PaymentNotApplicable
from treasury.models import BankLine, BankMatch, Payment, Refund

pytestmark = pytest.mark.django_db


def wire(member, usd: str, **given) -> Payment:
    return pay(member, usd, provider="bank", method="wire", charge_id="", **given)


def record(
    debt: Receivable, payment: Payment, *, reason: str = "told by telephone", acting=SYSTEM
) -> ReceivablePayment:
    return receivables.record_payment(receivable=debt, payment=payment, reason=reason, acting=acting)


# --- the verb


def test_wire_of_nobody__pays_the_debt_and_mints_nothing():
    ada, debt = debtor("7")
    payment = wire(None, "70")
    before = (holds(ada), account("2220"), account("1110"))

    paid = record(debt, payment)

    debt.refresh_from_db()
    payment.refresh_from_db()
    assert (debt.settled, account("1310"), account("2240")) == (7, 0, 0)
    assert (holds(ada), account("2220"), account("1110")) == before
    assert (payment.state, payment.member_id, payment.minted) == ("applied", ada.pk, 0)
    assert entry_lines(paid.journal_entry_id) == {("2240", "D", "70"), ("1310", "C", "70")}
    assert entry_lines(payment.journal_entry_id) == {("1110", "D", "70"), ("2240", "C", "70")}
    assert Alert.objects.get(code="refund_uncovered").state == "resolved"
    assert told("receivable.paid")["quantity"] == "7"
    assert mint(payment).mint is None
    assert broken_proofs() == []


def test_wire_of_an_expelled_debtor__pays_though_nothing_can_be_minted_for_them():
    ada, debt = debtor("7")
    members.expel(member=ada, reason="voted", acting=SYSTEM)
    payment = wire(ada, "50")
    mint(payment)
    assert Purchase.objects.get(payment=payment).state == "paid"

    record(debt, payment)

    debt.refresh_from_db()
    purchase = Purchase.objects.get(payment=payment)
    assert (debt.settled, account("1310")) == (5, 20)
    assert (purchase.state, purchase.problem) == ("failed", "Its money paid what you owed.")
    assert Alert.objects.get(code="refund_uncovered").state == "open"
    assert broken_proofs() == []


def test_wire_that_was_sent_back_and_returned__pays_the_debt():
    ada, debt = debtor("7")
    suspend()
    payment = wire(ada, "70")
    mint(payment)
    back = refunds.return_wire(payment=payment, reason="asked", acting=SYSTEM)
    refunds.settle(refund_id=back.refund_id, acting=SYSTEM)
    drain()
    assert Purchase.objects.get(payment=payment).state == "refunded"
    refunds.wire_failed(refund=back, reason="it came back", acting=SYSTEM)

    record(debt, payment)

    debt.refresh_from_db()
    payment.refresh_from_db()
    assert (debt.settled, payment.state, account("2240")) == (7, "applied", 0)
    assert Purchase.objects.get(payment=payment).problem == "Its money paid what you owed."
    assert broken_proofs() == []


def test_record_payment__of_what_cannot_pay_it__is_refused():
    ada, debt = debtor("7")
    suspend()
    more, anothers, by_card, back = wire(None, "80"), wire(buyer(), "70"), pay(ada, "70"), wire(None, "60")
    refunds.return_wire(payment=back, reason="unknown", acting=SYSTEM)
    fits = wire(None, "70")

    refused(SettlesTooMuch, lambda: record(debt, more))
    refused(PaymentNotApplicable, lambda: record(debt, anothers))
    refused(PaymentNotApplicable, lambda: record(debt, by_card))
    refused(PaymentInWrongState, lambda: record(debt, back))
    refused(ReasonRequired, lambda: record(debt, fits, reason=" "))
    refused(NotAllowed, lambda: record(debt, fits, acting=actor(ada)))
    record(debt, fits)
    refused(NothingOwed, lambda: record(debt, anothers))
    refused(PaymentInWrongState, lambda: refunds.return_wire(payment=fits, reason="x", acting=SYSTEM))


# --- the desk


def test_desk__records_a_wire_by_payment_or_bank_line():
    ada, debt = debtor("7")
    olga, payment = desk_of(Role.OPERATIONS), wire(None, "30")
    given = {"by": "payment", "number": str(payment.pk), "reason": "told by telephone"}
    for wrong in ({"number": "999999"}, {"number": "x"}, {"reason": ""}, {"by": "line"}):
        assert send(olga, debt, "record-payment", **given | wrong).status_code == 422
    seen = look(olga, debt, "record-payment", **given).content.decode()
    assert "$70.00, then $40.00" in seen
    assert "2240 to 1310: $30.00" in seen
    assert send(desk_of(Role.STEWARD), debt, "record-payment", **given).status_code == 403
    assert not ReceivablePayment.objects.exists()

    assert send(olga, debt, "record-payment", **given).status_code == 302

    assert ReceivablePayment.objects.get().amount == 3
    assert "told by telephone" in page(olga, debt)
    assert f"Paid receivable {debt.pk}" in page(olga, payment)
    assert send(olga, debt, "record-payment", **given).status_code == 409


def test_desk__finds_the_wire_of_a_bank_line(mercury_sandbox):
    ada, debt = debtor("7")
    olga, line_id = desk_of(Role.OPERATIONS), deposit(mercury_sandbox, "70")
    read(mercury_sandbox)
    number = BankLine.objects.get(line_id=line_id).pk
    given = {"by": "line", "number": str(number), "reason": "their name stands on it"}

    assert send(olga, debt, "record-payment", **given).status_code == 302

    assert ReceivablePayment.objects.get().payment.reference == line_id
    assert account("1310") == 0


def test_desk__settles_from_credits():
    ada, debt = debtor("7")
    bought(ada, "10")
    olga = desk_of(Role.OPERATIONS)
    assert "7 CLOUD of this debt are left, $70.00" in page(olga, debt)
    for wrong, status in (({"amount": "8"}, 422), ({"reason": " "}, 422)):
        assert send(olga, debt, "settle", **{"amount": "7", "reason": "agreed"} | wrong).status_code == status
    assert send(desk_of(Role.STEWARD), debt, "settle", amount="7", reason="x").status_code == 403
    seen = look(olga, debt, "settle", amount="7", reason="agreed").content.decode()
    assert "10 CLOUD, then 3" in seen
    assert (holds(ada), account("1310")) == ((10, 0), 70)

    assert send(olga, debt, "settle", amount="7", reason="agreed").status_code == 302

    assert (holds(ada), account("1310")) == ((3, 0), 0)
    assert send(olga, debt, "settle", amount="1", reason="again").status_code == 409


def test_desk__writes_off_by_two_people():
    _, debt = debtor("7")
    olga, pia = desk_of(Role.OPERATIONS), desk_of(Role.OPERATIONS)
    assert send(olga, debt, "write-off", amount="7", reason="").status_code == 422
    assert send(desk_of(Role.STEWARD), debt, "write-off", amount="7", reason="x").status_code == 403
    assert send(olga, debt, "write-off", amount="7.5", reason="x").status_code == 422
    assert not Approval.objects.exists()

    answer = send(olga, debt, "write-off", amount="7", reason="cannot pay")

    asked = Approval.objects.get()
    assert answer["Location"] == f"/admin/controls/approval/{asked.pk}/change/"
    assert send(olga, asked, "grant", reason="mine").status_code == 403
    assert account("1310") == 70
    assert send(pia, asked, "grant", reason="seen").status_code == 302
    assert account("1310") == 0
    assert "cannot pay" in page(olga, debt)
    assert "Write off</button>" not in page(olga, debt)


def test_list__shows_what_is_still_owed(django_assert_max_num_queries):
    debtor("7")
    debtor("5")
    olga = desk_of(Role.OPERATIONS)
    with django_assert_max_num_queries(14):
        listed = olga.get("/admin/cloud_credits/receivable/?standing=owed").content.decode()
    own = [f"/admin/cloud_credits/receivable/{debt.pk}/change/" for debt in Receivable.objects.all()]
    assert [address in listed for address in own] == [True, True]
    settled = olga.get("/admin/cloud_credits/receivable/?standing=settled").content.decode()
    assert [address in settled for address in own] == [False, False]


# --- wires that go back


def test_wire__goes_back_by_a_person_and_its_bank_line(mercury_sandbox):
    deposit(mercury_sandbox, "70")
    read(mercury_sandbox)
    payment, olga = Payment.objects.get(), desk_of(Role.OPERATIONS)
    assert send(olga, payment, "return-wire", reason="").status_code == 422
    assert send(desk_of(Role.STEWARD), payment, "return-wire", reason="x").status_code == 403
    assert "2240 to 1110: $70.00" in look(olga, payment, "return-wire", reason="nobody's").content.decode()
    assert not Refund.objects.exists()

    assert send(olga, payment, "return-wire", reason="nobody's").status_code == 302

    refund = Refund.objects.get()
    payment.refresh_from_db()
    assert (payment.state, refund.state, refund.origin, refund.amount) == ("refunding", "pending", "bank", 70)
    assert told("payment.return_asked")["reason"] == "nobody's"
    assert send(olga, payment, "return-wire", reason="again").status_code == 409
    now = timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    line = deposit(mercury_sandbox, "-70", f"WIRE OUT {refund.refund_id}", createdAt=now)
    read(mercury_sandbox)
    match = BankMatch.objects.get(kind="refund")
    assert send(olga, match, "confirm", reason="seen").status_code == 302
    payment.refresh_from_db()
    assert (payment.state, account("2240"), account("1110"), the_line(line).current.amount) == ("refunded", 0, 0, -70)
    assert broken_proofs() == []


def test_wire__that_was_not_sent_waits_again():
    payment, olga = wire(buyer(), "70"), desk_of(Role.OPERATIONS)
    suspend()
    send(olga, payment, "return-wire", reason="asked")
    refund = Refund.objects.get()
    assert send(olga, refund, "failed", reason=" ").status_code == 422
    assert send(desk_of(Role.STEWARD), refund, "failed", reason="x").status_code == 403
    assert send(olga, refund, "failed", reason="the bank refused").status_code == 302
    payment.refresh_from_db()
    assert (payment.state, Refund.objects.get().state, account("2240")) == ("received", "failed", -70)
    assert send(olga, refund, "failed", reason="again").status_code == 409


def test_wire__verbs_are_not_for_cards():
    payment, olga = pay(buyer(), "70"), desk_of(Role.OPERATIONS)
    assert "came through Stripe" in send(olga, payment, "return-wire", reason="x").content.decode()
    assert not Refund.objects.exists()


@pytest.mark.parametrize("sql", ["UPDATE {} SET amount = 1", "DELETE FROM {}", "TRUNCATE {}"])
def test_paid_debt__cannot_come_back_even_by_the_owner(sql, owner_dsn):
    """The guard stands before the statement: it asks for no row."""
    with psycopg.connect(owner_dsn) as owner, pytest.raises(psycopg.Error, match="append-only"):
        owner.execute(sql.format("cloud_credits_receivablepayment"))


@pytest.mark.parametrize("sql", ["state = 'received'", "state = 'minted', minted = 70", "state = 'refunding'"])
def test_wire_that_paid_a_debt__stays_so(sql):
    _, debt = debtor("7")
    payment = wire(None, "70")
    record(debt, payment)
    with pytest.raises(DatabaseError, match="payment"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE treasury_payment SET {sql} WHERE id = %s", [payment.pk])
    assert Payment.objects.get(pk=payment.pk).state == "applied"
