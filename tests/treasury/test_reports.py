"""Reports: exact, balanced before and after the close, by either time, and as fast paths never change them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from habitat.members.policies.actors import SYSTEM
from tests.horizon import settled
from tests.treasury.postings import posted, sale
from tests.treasury.raw import ENTRY, GIVEN, values
from treasury import errors
from treasury.actions import accounts, sealing
from treasury.models import AccountDay, JournalEntry, SealedDay
from treasury.policies.chart import Ledger
from treasury.policies.journal import Source
from treasury.reports.accounts import account_balance, account_ledger
from treasury.reports.journal import journal
from treasury.reports.proofs import PROOFS
from treasury.reports.statements import balance_sheet, income_statement
from treasury.reports.sums import BEGINNING, END, Basis, account_sums
from treasury.reports.trial_balance import trial_balance

Q1, Q2, Q3 = date(2026, 1, 1), date(2026, 4, 1), date(2026, 7, 1)


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)


def one_year_of_a_small_cooperative() -> None:
    """Two quarters: capital, a purchase and its mint, usage, an invoice in credits, a bill, a receivable."""
    accounts.open_sub_account(parent="3100", suffix="000001", name="Ana", acting=SYSTEM)
    accounts.open_sub_account(parent="3100", suffix="000002", name="Bo", acting=SYSTEM)
    posted(("1110", "20000", None), ("3100-000001", None, "20000"), occurred_at=at("2026-01-05"))
    posted(("1110", "500.5", None), ("3100-000002", None, "500.5"), occurred_at=at("2026-01-06"))
    posted(("1115", "1000", None), ("2240", None, "1000"), occurred_at=at("2026-02-01"))
    posted(("5910", "29.3", None), ("1115", None, "29.3"), occurred_at=at("2026-02-01"))
    posted(("2240", "1000", None), ("2220", None, "1000"), occurred_at=at("2026-02-01"))
    sale("25.12345678", occurred_at=at("2026-03-31"))
    sale("4.00000001", occurred_at=at("2026-04-01"))
    posted(("1130", "300", None), ("4110", None, "300"), occurred_at=at("2026-04-10"))
    posted(("5510", "80", None), ("2110", None, "80"), occurred_at=at("2026-04-11"))


def close_first_quarter() -> None:
    posted(
        ("4420", "25.12345678", None),
        ("3310", None, "25.12345678"),
        source=Source("close", "Q1"),
        effective_on=date(2026, 3, 31),
    )
    posted(("3310", "29.3", None), ("5910", None, "29.3"), source=Source("close", "Q1"), effective_on=date(2026, 3, 31))


@pytest.mark.django_db
def test_trial_balance__opening_movement_and_closing_of_a_quarter():
    one_year_of_a_small_cooperative()

    report = trial_balance(Q2, Q3)

    assert [(row.code, row.opening, row.debit, row.credit, row.closing) for row in report.rows] == [
        ("1110", Decimal("20500.5"), 0, 0, Decimal("20500.5")),
        ("1115", Decimal("970.7"), 0, 0, Decimal("970.7")),
        ("1130", 0, 300, 0, 300),
        ("2110", 0, 0, 80, 80),
        ("2220", Decimal("974.87654322"), Decimal("4.00000001"), 0, Decimal("970.87654321")),
        ("3100-000001", 20000, 0, 0, 20000),
        ("3100-000002", Decimal("500.5"), 0, 0, Decimal("500.5")),
        ("4110", 0, 0, 300, 300),
        ("4420", Decimal("25.12345678"), 0, Decimal("4.00000001"), Decimal("29.12345679")),
        ("5510", 0, 80, 0, 80),
        ("5910", Decimal("29.3"), 0, 0, Decimal("29.3")),
    ]
    assert report.debit == report.credit == Decimal("384.00000001")
    assert report.closing_debit == report.closing_credit == Decimal("21880.5")


@pytest.mark.django_db
def test_income_statement__is_the_same_before_and_after_the_close():
    one_year_of_a_small_cooperative()
    before = income_statement(Q1, Q2)
    close_first_quarter()

    after = income_statement(Q1, Q2)

    assert after == before
    assert [(row.code, row.amount) for row in after.revenue] == [("4420", Decimal("25.12345678"))]
    assert [(row.code, row.amount) for row in after.expenses] == [("5910", Decimal("29.3"))]
    assert after.net_income == Decimal("-4.17654322")
    assert account_balance("4420", on=date(2026, 3, 31)) == 0


@pytest.mark.django_db
def test_balance_sheet__balances_before_and_after_the_close_and_shows_credits_net():
    one_year_of_a_small_cooperative()
    sheet = balance_sheet(date(2026, 6, 30))

    assert [(row.code, row.amount) for row in sheet.equity] == [("3100", Decimal("20500.5"))]
    assert sheet.equity[0].name == "Member Capital, Book"
    assert sheet.current_income == Decimal("219.82345679")
    assert sheet.total_assets == Decimal("21771.2")
    assert sheet.total_liabilities + sheet.total_equity == Decimal("21771.2")
    assert (sheet.credits_gross, sheet.credits_held, sheet.credits_net) == (
        Decimal("970.87654321"),
        Decimal(300),
        Decimal("670.87654321"),
    )

    close_first_quarter()
    after = balance_sheet(date(2026, 6, 30))
    assert after.current_income == Decimal("224.00000001")
    assert [(row.code, row.amount) for row in after.equity] == [
        ("3100", Decimal("20500.5")),
        ("3310", Decimal("-4.17654322")),
    ]
    assert after.total_equity == sheet.total_equity
    assert after.balances


@pytest.mark.django_db
def test_reports__by_posting_time_see_what_was_known():
    one_year_of_a_small_cooperative()
    today = JournalEntry.objects.latest("id").posted_at.astimezone(UTC).date()

    assert trial_balance(Q1, Q2, basis=Basis.POSTED).rows == () or Q1 <= today < Q2
    known = balance_sheet(today, basis=Basis.POSTED)
    assert known.total_assets == Decimal("21771.2")
    assert known.balances


@pytest.mark.django_db
def test_tax_ledger__stays_out_of_the_book_reports():
    posted(("3290", "80", None), ("3200", None, "80"), ledger=Ledger.TAX)

    assert trial_balance(Q1, Q3).rows == ()
    assert [row.code for row in trial_balance(Q1, Q3, ledger=Ledger.TAX).rows] == ["3200", "3290"]
    assert balance_sheet(Q3).total_equity == 0


@pytest.mark.django_db
def test_account_ledger__runs_from_opening_to_closing():
    one_year_of_a_small_cooperative()

    ledger = account_ledger("2220", date(2026, 3, 1), date(2026, 5, 1))

    assert ledger.opening == 1000
    assert [(row.effective_on, row.debit, row.balance) for row in ledger.rows] == [
        (date(2026, 3, 31), Decimal("25.12345678"), Decimal("974.87654322")),
        (date(2026, 4, 1), Decimal("4.00000001"), Decimal("970.87654321")),
    ]
    assert ledger.closing == Decimal("970.87654321")
    assert ledger.opening + ledger.credit - ledger.debit == ledger.closing


@pytest.mark.django_db
def test_journal__lists_lines_in_the_order_of_the_books():
    one_year_of_a_small_cooperative()

    report = journal(date(2026, 3, 31), date(2026, 4, 2))

    assert [(row.effective_on, row.account, row.debit, row.credit) for row in report.rows] == [
        (date(2026, 3, 31), "2220", Decimal("25.12345678"), 0),
        (date(2026, 3, 31), "4420", 0, Decimal("25.12345678")),
        (date(2026, 4, 1), "2220", Decimal("4.00000001"), 0),
        (date(2026, 4, 1), "4420", 0, Decimal("4.00000001")),
    ]
    assert (report.entries, report.debit, report.credit) == (2, Decimal("29.12345679"), Decimal("29.12345679"))


@pytest.mark.django_db
@pytest.mark.parametrize("report", [trial_balance, income_statement, journal])
def test_range__backwards_is_refused(report):
    with pytest.raises(errors.RangeBackwards):
        report(Q2, Q1)


# --- sealed days: a help that never changes a sum

DAYS = [date(2026, 1, day) for day in range(1, 8)]
PAIRS = [("1110", "2240"), ("2240", "2220"), ("2220", "4420"), ("5510", "2110"), ("2220", "1130")]
post_step = st.tuples(st.just("post"), st.sampled_from(DAYS), st.sampled_from(PAIRS), st.integers(1, 10**12))
seal_step = st.tuples(st.just("seal"), st.sampled_from(DAYS))
drop_row = st.tuples(st.just("drop row"), st.integers(0, 50))
drop_day = st.tuples(st.just("drop day"), st.integers(0, 50))
steps = st.lists(st.one_of(post_step, post_step, seal_step, drop_row, drop_day), min_size=1, max_size=12)


def plain_sums(start: date, end: date) -> dict[str, tuple[Decimal, Decimal]]:
    """The truth, without a snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.code, coalesce(sum(l.amount) FILTER (WHERE side = 'D'), 0), "
            "coalesce(sum(l.amount) FILTER (WHERE side = 'C'), 0) "
            "FROM treasury_journalline l JOIN treasury_journalentry e ON e.id = l.entry_id "
            "JOIN treasury_account a ON a.id = l.account_id "
            "WHERE effective_on >= %s AND effective_on < %s GROUP BY a.code",
            [start, end],
        )
        return {code: (debit, credit) for code, debit, credit in cursor.fetchall()}


def take(step: tuple) -> None:
    match step:
        case ("post", day, (debit, credit), units):
            amount = str(Decimal(units).scaleb(-8))
            posted((debit, amount, None), (credit, None, amount), effective_on=day)
        case ("seal", day):
            sealing.seal_account_days(before=day, acting=SYSTEM)
        case ("drop row", number):
            rows = list(AccountDay.objects.order_by("id").values_list("id", flat=True))
            if rows:
                with connection.cursor() as cursor:
                    cursor.execute("DELETE FROM treasury_accountday WHERE id = %s", [rows[number % len(rows)]])
        case ("drop day", number):
            days = list(SealedDay.objects.values_list("day", flat=True))
            if days:
                SealedDay.objects.filter(day=days[number % len(days)]).delete()


@pytest.mark.django_db(transaction=True)
@settings(max_examples=60)
@given(steps)
def test_sealed_days__never_change_a_sum_and_the_sheet_balances(taken):
    for step in taken:
        take(step)

        for start, end in ((BEGINNING, END), (DAYS[0], DAYS[3]), (DAYS[3], DAYS[6])):
            assert {row.code: (row.debit, row.credit) for row in account_sums(start, end)} == plain_sums(start, end)
        for day in (DAYS[2], DAYS[6]):
            assert balance_sheet(day).balances
        report = trial_balance(DAYS[1], DAYS[5])
        assert report.debit == report.credit
        assert report.closing_debit == report.closing_credit
        for proof in PROOFS:
            assert proof.run().ok, proof.name


@pytest.mark.django_db(transaction=True)
def test_seal__late_entry_counts_at_once_and_is_added_by_the_next_run():
    posted(("1110", "5", None), ("2240", None, "5"), effective_on=DAYS[0])
    settled()
    assert sealing.seal_account_days(before=DAYS[1], acting=SYSTEM) == 1
    posted(("1110", "7", None), ("2240", None, "7"), effective_on=DAYS[0])

    assert AccountDay.objects.get(account__code="1110").debit == 5
    assert account_balance("1110", on=DAYS[0]) == 12

    settled()
    assert sealing.seal_account_days(before=DAYS[1], acting=SYSTEM) == 0
    assert AccountDay.objects.get(account__code="1110").debit == 12
    assert account_balance("1110", on=DAYS[0]) == 12


@pytest.mark.django_db(transaction=True)
def test_seal__never_loses_what_is_still_in_flight(app_dsn):
    """An entry of a sealed day that commits after the seal, though it began before."""
    with psycopg.connect(app_dsn) as slow:
        (entry,) = slow.execute(ENTRY, GIVEN | {"on": DAYS[0], "period": "2026-Q1"}).fetchone()
        slow.execute(values((entry, "1110", "D", "5"), (entry, "2240", "C", "5")))
        posted(("1110", "7", None), ("2240", None, "7"), effective_on=DAYS[0])
        settled()
        sealing.seal_account_days(before=DAYS[2], acting=SYSTEM)
        assert account_balance("1110") == 7
        slow.commit()

    assert account_balance("1110") == 12
    settled()
    sealing.seal_account_days(before=DAYS[2], acting=SYSTEM)
    assert account_balance("1110") == 12
    assert AccountDay.objects.get(account__code="1110").debit == 12


@pytest.mark.django_db(transaction=True)
def test_forget_sealed_days__changes_no_balance():
    posted(("1110", "5", None), ("2240", None, "5"), effective_on=DAYS[0])
    settled()
    sealing.seal_account_days(before=DAYS[3], acting=SYSTEM)

    assert sealing.forget_sealed_days(acting=SYSTEM) == 3
    assert (SealedDay.objects.count(), AccountDay.objects.count()) == (0, 0)
    assert account_balance("1110") == 5


@pytest.mark.django_db(transaction=True)
def test_proof__names_a_snapshot_that_lies():
    posted(("1110", "5", None), ("2240", None, "5"), effective_on=DAYS[0])
    settled()
    sealing.seal_account_days(before=DAYS[1], acting=SYSTEM)
    AccountDay.objects.filter(account__code="1110").update(debit=6)

    (result,) = [proof.run() for proof in PROOFS if proof.name == "snapshots equal lines"]

    assert not result.ok
    assert "2026-01-01" in result.message
