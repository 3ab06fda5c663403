"""Bills: recorded against what is payable, paid by the line that is matched, voided with a reason, each once."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from habitat.errors import AmountNotPositive, IdempotencyConflict, NotAllowed, ReasonRequired, TooManyDecimals
from tests.treasury.banking import NOBODY, OLGA, deposit, make_bill, read
from treasury import errors
from treasury.actions import bank_matches, bills
from treasury.models import BankMatch, Bill, JournalEntry
from treasury.policies.bank import BILL_EDGES, BillKind, BillState
from treasury.reports.accounts import account_balance

pytestmark = pytest.mark.django_db
TAX = {"kind": BillKind.TAX, "account": "6510", "supplier": "IRS"}


@pytest.mark.parametrize("account", ["5510", "5520", "5530", "5540"])
def test_infrastructure_bill__is_an_expense_and_payable_on_its_day(account):
    bill = make_bill("120.55", account=account)

    assert (account_balance(account), account_balance("2110")) == (Decimal("120.55"), Decimal("120.55"))
    assert (bill.state, bill.journal_entry.effective_on) == ("open", date(2026, 6, 1))


def test_tax__is_accrued_and_payable():
    make_bill("300", **TAX)

    assert (account_balance("6510"), account_balance("2120"), account_balance("2110")) == (300, 300, 0)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"account": "6510"}, errors.BillAccountWrong),
        ({"account": "5910"}, errors.BillAccountWrong),
        ({**TAX, "account": "5510"}, errors.BillAccountWrong),
        ({"amount": Decimal(0)}, AmountNotPositive),
        ({"amount": Decimal(-1)}, AmountNotPositive),
        ({"amount": Decimal("0.000000001")}, TooManyDecimals),
        ({"due_on": date(2026, 5, 31)}, errors.BillDatesWrong),
        ({"supplier": " "}, errors.SourceMissing),
        ({"billed_on": date(2020, 1, 1)}, errors.NoPeriod),
        ({"acting": NOBODY}, NotAllowed),
    ],
)
def test_bill__that_breaks_a_rule_is_refused(changes, refusal):
    with pytest.raises(refusal):
        make_bill(**changes)

    assert (Bill.objects.count(), JournalEntry.objects.count()) == (0, 0)


def test_bill__is_recorded_once_a_key_and_once_a_number():
    first = make_bill("120", number="R-9", idempotency_key="k")

    assert make_bill("120", number="R-9", idempotency_key="k") == first
    with pytest.raises(IdempotencyConflict):
        make_bill("121", number="R-9", idempotency_key="k")
    with pytest.raises(errors.BillRecorded):
        make_bill("120", number="R-9", idempotency_key="other")
    assert (Bill.objects.count(), account_balance("2110")) == (1, 120)


def test_void__takes_the_bill_back_and_frees_its_number():
    bill = make_bill("120", number="R-9")
    with pytest.raises(ReasonRequired):
        bills.void(bill=bill, reason=" ", acting=OLGA)
    with pytest.raises(NotAllowed):
        bills.void(bill=bill, reason="x", acting=NOBODY)
    assert account_balance("2110") == 120

    voided = bills.void(bill=bill, reason="Billed twice", acting=OLGA)

    assert (voided.state, voided.void_entry.reverses_id) == ("void", bill.journal_entry_id)
    assert (account_balance("2110"), account_balance("5510")) == (0, 0)
    make_bill("120", number="R-9")
    with pytest.raises(errors.BillInWrongState):
        bills.void(bill=bill, reason="again", acting=OLGA)


def test_paid_bill__opens_again_when_its_match_is_undone(mercury_sandbox):
    bill = make_bill("120", number="R-77")
    deposit(mercury_sandbox, "-120", "R-77")
    read(mercury_sandbox)
    match = bank_matches.confirm(match=BankMatch.objects.get(), reason="Seen", acting=OLGA)
    bill.refresh_from_db()
    assert (bill.state, account_balance("2110")) == ("paid", 0)
    with pytest.raises(errors.BillInWrongState):
        bills.void(bill=bill, reason="x", acting=OLGA)

    bank_matches.unmatch(match=match, reason="Another's bill", acting=OLGA)

    bill.refresh_from_db()
    assert (bill.state, account_balance("2110"), account_balance("1110")) == ("open", 120, 0)


def test_void_bill__is_no_fact_for_a_line(mercury_sandbox):
    bill = make_bill("120", number="R-77")
    deposit(mercury_sandbox, "-120", "R-77")
    read(mercury_sandbox)
    bills.void(bill=bill, reason="Not ours", acting=OLGA)

    with pytest.raises(errors.BillInWrongState):
        bank_matches.confirm(match=BankMatch.objects.get(), reason="Seen", acting=OLGA)

    assert (BankMatch.objects.get().state, account_balance("1110")) == ("suggested", 0)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE treasury_bill SET amount = 1",
        "UPDATE treasury_bill SET account = '5520'",
        "UPDATE treasury_bill SET supplier = 'x'",
        "UPDATE treasury_bill SET state = 'void'",
        "DELETE FROM treasury_bill",
        "INSERT INTO treasury_bill (kind, account, supplier, number, amount, billed_on, due_on, state, note,"
        " idempotency_key, journal_entry_id, recorded_by, voided_by, void_reason) SELECT kind, account, supplier, 'n',"
        " 5, billed_on, due_on, 'paid', '', 'k', journal_entry_id, '', '', '' FROM treasury_bill",
    ],
)
def test_rewriting_a_bill__is_refused_by_the_database(sql):
    make_bill("120")

    with pytest.raises(DatabaseError), transaction.atomic():
        _run(sql)

    assert list(Bill.objects.values_list("amount", "state", "account")) == [(Decimal(120), "open", "5510")]


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_states__off_the_edges_are_refused_by_the_database():
    for before in BillState:
        for after in set(BillState) - BILL_EDGES[before] - {before}:
            bill = make_bill("1")
            with pytest.raises(DatabaseError), transaction.atomic():
                _walk(bill, before, after)


def _walk(bill: Bill, *states: BillState) -> None:
    """Steps by SQL, each with what a void bill needs."""
    for state in states:
        if state is not BillState.OPEN or state is states[-1]:
            entry = bill.journal_entry_id if state is BillState.VOID else None
            Bill.objects.filter(pk=bill.pk).update(state=state.value, void_entry=entry)
