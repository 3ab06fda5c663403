"""Posting and reversing: what goes in comes out exactly, and what is refused leaves no row."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from habitat.errors import (
    AmountNotPositive,
    AmountTooLarge,
    HabitatError,
    IdempotencyConflict,
    NotAllowed,
    NotANumber,
    ReasonRequired,
    TooManyDecimals,
)
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from tests.treasury.postings import NOON, lines_of, posted, sale, step_period
from treasury import errors, locks
from treasury.actions import journal
from treasury.models import Account, JournalEntry, JournalLine
from treasury.policies.chart import Ledger
from treasury.policies.journal import Draft, Line, Source
from treasury.reports.accounts import account_balance

pytestmark = pytest.mark.django_db


def assert_nothing_posted() -> None:
    assert (JournalEntry.objects.count(), JournalLine.objects.count()) == (0, 0)


def rows(entry: JournalEntry) -> list[tuple[str, str, Decimal]]:
    return list(entry.lines.order_by("id").values_list("account__code", "side", "amount"))


# The events of the domain (§6) as accountants write them.
WORKED = {
    "payment succeeded": (("1115", "1000", None), ("2240", None, "1000")),
    "its fee": (("5910", "29.30", None), ("1115", None, "29.30")),
    "credits minted": (("2240", "1000", None), ("2220", None, "1000")),
    "payout matched": (("1110", "970.70", None), ("1115", None, "970.70")),
    "wire": (("1110", "250", None), ("2240", None, "250")),
    "dispute with fee": (("1116", "100", None), ("5910", "15", None), ("1115", None, "115")),
    "above the liquid balance": (("1310", "12.5", None), ("1115", None, "12.5")),
    "usage redeemed": (("2220", "25", None), ("4420", None, "25")),
    "smallest usage": (("2220", "0.0000001", None), ("4420", None, "0.0000001")),
    "invoice paid in credits": (("1130", "5000", None), ("4110", None, "5000")),
    "techne redeems": (("2220", "5", None), ("1130", None, "5")),
    "manual mint": (("5930", "7", None), ("2220", None, "7")),
    "bill": (("5510", "0.25", None), ("2110", None, "0.25")),
    "staking accrued": (("6410", "3.33", None), ("2230", None, "3.33")),
    "reserve and fund": (("3310", "15", None), ("3320", None, "10"), ("3330", None, "5")),
}


@pytest.mark.parametrize("event", WORKED)
def test_worked_examples__stand_in_the_books_as_written(event):
    entry = posted(*WORKED[event])

    assert rows(JournalEntry.objects.get(pk=entry.pk)) == [
        (account, "D" if debit else "C", Decimal(debit or credit)) for account, debit, credit in WORKED[event]
    ]


def test_post__keeps_three_times_period_source_and_actor():
    entry = sale(occurred_at=datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC), source=Source("usage", "77"))

    stored = JournalEntry.objects.get(pk=entry.pk)
    assert stored.occurred_at == datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC)
    assert stored.effective_on == date(2026, 4, 30)
    assert stored.posted_at == entry.posted_at
    assert stored.period.name == "2026-Q2"
    assert (stored.source_kind, stored.source_ref, stored.posted_by) == ("usage", "77", "system:0")
    assert stored.transaction == entry.transaction > 0
    assert (stored.ledger, entry.replayed) == ("book", False)


REFUSED_LINES = {
    "no line": ((), errors.TooFewLines),
    "one line": ((("2220", "5", None),), errors.TooFewLines),
    "unequal": ((("2220", "5", None), ("4420", None, "4.99999999")), errors.EntryUnbalanced),
    "both sides debit": ((("2220", "5", None), ("4420", "5", None)), errors.EntryUnbalanced),
    "zero": ((("2220", "0", None), ("4420", None, "0")), AmountNotPositive),
    "negative": ((("2220", "-5", None), ("4420", None, "-5")), AmountNotPositive),
    "ninth decimal": ((("2220", "0.000000001", None), ("4420", None, "0.000000001")), TooManyDecimals),
    "not a number": ((("2220", "NaN", None), ("4420", None, "NaN")), NotANumber),
    "10^30": ((("2220", "1e30", None), ("4420", None, "1e30")), AmountTooLarge),
    "unknown account": ((("2999", "5", None), ("4420", None, "5")), errors.UnknownAccount),
    "parent account": ((("2000", "5", None), ("4420", None, "5")), errors.AccountTakesNoLines),
    "3100 itself": ((("1110", "5", None), ("3100", None, "5")), errors.AccountTakesNoLines),
    "1210 itself": ((("1210", "5", None), ("4310", None, "5")), errors.AccountTakesNoLines),
    "other ledger": ((("3290", "5", None), ("4420", None, "5")), errors.AccountOfOtherLedger),
}


@pytest.mark.parametrize("case", REFUSED_LINES)
def test_post__refuses_and_leaves_no_row(case):
    given, refusal = REFUSED_LINES[case]

    with pytest.raises(refusal) as refused:
        posted(*given)

    assert refused.value.sentence
    assert_nothing_posted()


def test_post__refuses_a_retired_account():
    Account.objects.filter(code="4910").update(is_active=False)

    with pytest.raises(errors.AccountInactive):
        posted(("1110", "5", None), ("4910", None, "5"))

    assert_nothing_posted()


@pytest.mark.parametrize("source", [Source("", "1"), Source("usage", ""), Source("  ", "1")])
def test_post__refuses_without_a_source(source):
    with pytest.raises(errors.SourceMissing):
        sale(source=source)

    assert_nothing_posted()


def test_tax_ledger__is_balanced_on_its_own():
    entry = posted(("3290", "80", None), ("3200", None, "80"), ledger=Ledger.TAX)

    assert entry.ledger == "tax"
    assert rows(entry) == [("3290", "D", Decimal(80)), ("3200", "C", Decimal(80))]
    assert account_balance("3200") == Decimal(80)


@pytest.mark.parametrize("day", ["2025-12-31", "2035-01-01"])
def test_date_without_period__is_refused(day):
    with pytest.raises(errors.NoPeriod):
        sale(occurred_at=datetime.fromisoformat(f"{day}T12:00:00+00:00"))
    with pytest.raises(errors.NoPeriod):
        sale(effective_on=date.fromisoformat(day))

    assert_nothing_posted()


def test_late_fact__takes_the_first_day_of_the_earliest_open_period():
    close("2026-Q1")

    entry = sale(occurred_at=datetime(2026, 3, 31, 12, tzinfo=UTC))

    assert (entry.effective_on, entry.period.name) == (date(2026, 4, 1), "2026-Q2")
    assert entry.occurred_at == datetime(2026, 3, 31, 12, tzinfo=UTC)


def test_explicit_day_in_a_closed_period__is_refused():
    close("2026-Q1")

    with pytest.raises(errors.PeriodClosed) as refused:
        sale(effective_on=date(2026, 3, 31))

    assert "2026-Q1, which is closed" in refused.value.sentence
    assert_nothing_posted()


@pytest.mark.parametrize(("kind", "taken"), [("close", True), ("adjustment", True), ("usage", False)])
def test_closing_period__takes_only_the_close_and_adjustments(kind, taken):
    step_period("2026-Q1", "closing")

    if taken:
        assert sale(effective_on=date(2026, 3, 31), source=Source(kind, "1")).period.name == "2026-Q1"
    else:
        with pytest.raises(errors.PeriodClosed):
            sale(effective_on=date(2026, 3, 31), source=Source(kind, "1"))
        assert_nothing_posted()


def test_same_key_same_content__is_a_replay():
    first = sale(source=Source("usage", "1"), idempotency_key="one")
    again = sale(source=Source("usage", "1"), idempotency_key="one")

    assert (again.pk, again.replayed, first.replayed) == (first.pk, True, False)
    assert (JournalEntry.objects.count(), JournalLine.objects.count()) == (1, 2)


def test_same_key_same_content__is_a_replay_also_after_the_close():
    given = {"source": Source("usage", "1"), "idempotency_key": "one", "effective_on": date(2026, 3, 1)}
    first = sale(**given)
    close("2026-Q1")

    assert sale(**given).pk == first.pk


@pytest.mark.parametrize(
    "other",
    [
        {"lines": lines_of(("2220", "11", None), ("4420", None, "11"))},
        {"lines": lines_of(("1130", "10", None), ("4420", None, "10"))},
        {"description": "Another"},
        {"source": Source("usage", "2")},
        {"occurred_at": datetime(2026, 4, 15, 12, 0, 1, tzinfo=UTC)},
        {"effective_on": date(2026, 4, 16)},
    ],
)
def test_same_key_other_content__is_a_conflict(other):
    sale(source=Source("usage", "1"), idempotency_key="one")

    with pytest.raises(IdempotencyConflict):
        sale(**({"source": Source("usage", "1"), "idempotency_key": "one"} | other))

    assert JournalEntry.objects.count() == 1


def test_post_many__posts_each_entry_with_its_own_lines_in_one_statement(django_assert_num_queries):
    drafts = [draft(number) for number in range(1, 51)]

    with django_assert_num_queries(4):  # savepoint, period, entries and lines, release
        entries = journal.post_many(drafts=drafts, acting=SYSTEM)

    assert [entry.source_ref for entry in entries] == [str(number) for number in range(1, 51)]
    for number, entry in enumerate(entries, start=1):
        assert rows(entry) == [("2220", "D", Decimal(number)), ("4420", "C", Decimal(number))]


def test_post_many__one_bad_entry_undoes_all():
    drafts = [draft(1), draft(2, account="2000"), draft(3)]

    with pytest.raises(errors.AccountTakesNoLines):
        journal.post_many(drafts=drafts, acting=SYSTEM)

    assert_nothing_posted()


def test_post_many__gives_replays_and_new_ones_in_order():
    (second,) = journal.post_many(drafts=[draft(2)], acting=SYSTEM)

    entries = journal.post_many(drafts=[draft(1), draft(2), draft(3)], acting=SYSTEM)

    assert [entry.replayed for entry in entries] == [False, True, False]
    assert entries[1].pk == second.pk
    assert JournalEntry.objects.count() == 3


def test_post_many__a_key_twice_in_one_batch_is_a_conflict():
    with pytest.raises(IdempotencyConflict):
        journal.post_many(drafts=[draft(1), draft(1)], acting=SYSTEM)

    assert_nothing_posted()


def test_post__takes_the_period_already_locked(django_assert_num_queries):
    period = locks.open_period(on=NOON.date())

    with django_assert_num_queries(1):  # entry and lines together, no savepoint
        entry = sale(period=period)

    assert entry.period == period


def test_reverse__posts_swapped_sides_and_points_back():
    entry = sale("12.34567891")

    reversal = journal.reverse(entry=entry, reason="Counted twice", idempotency_key="undo", acting=SYSTEM)

    assert rows(reversal) == [("2220", "C", Decimal("12.34567891")), ("4420", "D", Decimal("12.34567891"))]
    assert reversal.reverses_id == entry.pk
    assert (reversal.source_kind, reversal.source_ref) == ("reversal", str(entry.pk))
    assert reversal.description == f"Reversal of entry {entry.pk}: Counted twice"
    assert account_balance("4420") == 0


def test_reverse__twice_is_refused_and_a_retry_is_a_replay():
    entry = sale()
    reversal = journal.reverse(entry=entry, reason="Wrong", idempotency_key="undo", acting=SYSTEM)

    again = journal.reverse(entry=entry, reason="Wrong", idempotency_key="undo", acting=SYSTEM)
    assert (again.pk, again.replayed) == (reversal.pk, True)
    with pytest.raises(errors.AlreadyReversed):
        journal.reverse(entry=entry, reason="Wrong", idempotency_key="undo again", acting=SYSTEM)

    assert JournalEntry.objects.count() == 2


def test_reverse__needs_a_reason_and_the_permission():
    entry = sale()
    member = Actor(kind=ActorKind.MEMBER, id=4, name="Ana")

    with pytest.raises(ReasonRequired):
        journal.reverse(entry=entry, reason="  ", idempotency_key="undo", acting=SYSTEM)
    with pytest.raises(NotAllowed):
        journal.reverse(entry=entry, reason="Wrong", idempotency_key="undo", acting=member)

    assert JournalEntry.objects.count() == 1


def test_every_refusal__has_a_code_of_its_own():
    refusals = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HabitatError)]
    codes = [refusal.code for refusal in refusals]

    assert len(set(codes)) == len(codes)


def draft(number: int, account: str = "2220") -> Draft:
    return Draft(
        lines=[Line.debit(account, Decimal(number)), Line.credit("4420", Decimal(number))],
        occurred_at=NOON,
        source=Source("usage", str(number)),
        description="Usage",
        idempotency_key=f"usage:{number:03}",
    )


def close(name: str) -> None:
    """Set straight along the edges: what these tests are about is posting, not closing."""
    for state in ("closing", "closed"):
        step_period(name, state)
