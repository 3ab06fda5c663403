"""A period's life: its verbs, their order, their reasons, and the facts they announce."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine

from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.models import Event
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from tests.treasury.postings import posted, sale
from treasury import errors, locks
from treasury.actions import periods
from treasury.models import JournalEntry, Period, PeriodChange
from treasury.policies.journal import Source
from treasury.reports.accounts import account_balance
from treasury.workflows import daily

pytestmark = pytest.mark.django_db
AFTER_Q2 = datetime(2026, 8, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_august():
    with time_machine.travel(AFTER_Q2, tick=False):
        yield


def period(name: str) -> Period:
    return Period.objects.get(name=name)


def verb(action, name: str, **changes):
    return action(**({"period": period(name), "reason": "Quarter end", "acting": SYSTEM} | changes))


def close(name: str) -> None:
    verb(periods.begin_close, name)
    verb(periods.finish_close, name)


def test_quarters__are_seeded_without_a_gap():
    rows = list(Period.objects.values_list("name", "start", "end", "state"))

    assert rows[0] == ("2026-Q1", date(2026, 1, 1), date(2026, 4, 1), "open")
    assert rows[-1] == ("2027-Q2", date(2027, 4, 1), date(2027, 7, 1), "open")
    assert [end for _, _, end, _ in rows[:-1]] == [start for _, start, _, _ in rows[1:]]
    assert len(rows) == 6


def test_whole_life__is_recorded_and_announced():
    verb(periods.begin_close, "2026-Q1", reason="Books complete")
    verb(periods.finish_close, "2026-Q1", reason="Reviewed")
    verb(periods.reopen, "2026-Q1", reason="A bill came late")
    close("2026-Q1")
    verb(periods.lock, "2026-Q1", reason="Audited")

    assert period("2026-Q1").state == "locked"
    changes = PeriodChange.objects.values_list("verb", "from_state", "to_state", "reason", "actor")
    assert list(changes) == [
        ("begin close", "open", "closing", "Books complete", "system:0"),
        ("close", "closing", "closed", "Reviewed", "system:0"),
        ("reopen", "closed", "open", "A bill came late", "system:0"),
        ("begin close", "open", "closing", "Quarter end", "system:0"),
        ("close", "closing", "closed", "Quarter end", "system:0"),
        ("lock", "closed", "locked", "Audited", "system:0"),
    ]
    assert list(Event.objects.order_by("id").values_list("name", flat=True)) == [
        "period.closing",
        "period.closed",
        "period.reopened",
        "period.closing",
        "period.closed",
        "period.locked",
    ]
    assert Event.objects.order_by("id").first().payload == {
        "period_id": str(period("2026-Q1").pk),
        "period": "2026-Q1",
        "start": "2026-01-01",
        "end": "2026-04-01",
        "reason": "Books complete",
    }


@pytest.mark.parametrize(
    ("action", "name", "refusal"),
    [
        (periods.begin_close, "2026-Q2", errors.PeriodOutOfOrder),
        (periods.begin_close, "2026-Q3", errors.PeriodNotOver),
        (periods.finish_close, "2026-Q1", errors.PeriodInWrongState),
        (periods.call_off_close, "2026-Q1", errors.PeriodInWrongState),
        (periods.lock, "2026-Q1", errors.PeriodInWrongState),
        (periods.reopen, "2026-Q1", errors.PeriodInWrongState),
    ],
)
def test_verbs__out_of_place_are_refused_and_change_nothing(action, name, refusal):
    with pytest.raises(refusal):
        verb(action, name)

    assert set(Period.objects.values_list("state", flat=True)) == {"open"}
    assert (PeriodChange.objects.count(), Event.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "action", [periods.begin_close, periods.finish_close, periods.call_off_close, periods.lock, periods.reopen]
)
def test_verbs__need_a_reason_and_a_permission(action):
    member = Actor(kind=ActorKind.MEMBER, id=7, name="Ana")

    with pytest.raises(ReasonRequired):
        verb(action, "2026-Q1", reason="   ")
    with pytest.raises(NotAllowed):
        verb(action, "2026-Q1", acting=member)

    assert PeriodChange.objects.count() == 0


def test_last_period__cannot_close_before_the_next_one_exists():
    with time_machine.travel(datetime(2027, 8, 1, tzinfo=UTC), tick=False):
        for name in ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4", "2027-Q1"):
            close(name)
        with pytest.raises(errors.NextPeriodMissing):
            verb(periods.begin_close, "2027-Q2")

    assert period("2027-Q2").state == "open"


def test_reopen__is_refused_once_a_later_period_closed():
    close("2026-Q1")
    close("2026-Q2")

    with pytest.raises(errors.PeriodOutOfOrder):
        verb(periods.reopen, "2026-Q1")

    assert period("2026-Q1").state == "closed"


def test_lock__goes_in_order_too():
    close("2026-Q1")
    close("2026-Q2")

    with pytest.raises(errors.PeriodOutOfOrder):
        verb(periods.lock, "2026-Q2")


def test_reopen__reverses_the_closing_entries_in_the_period():
    sale("40", occurred_at=MARCH)
    verb(periods.begin_close, "2026-Q1")
    closing = posted(
        ("4420", "40", None), ("3310", None, "40"), source=Source("close", "1"), effective_on=date(2026, 3, 31)
    )
    verb(periods.finish_close, "2026-Q1")
    assert (account_balance("4420"), account_balance("3310")) == (0, Decimal(40))

    verb(periods.reopen, "2026-Q1")

    assert (account_balance("4420"), account_balance("3310")) == (Decimal(40), 0)
    reversal = JournalEntry.objects.get(reverses=closing)
    assert (reversal.effective_on, reversal.period.name, reversal.source_kind) == (
        date(2026, 3, 31),
        "2026-Q1",
        "close",
    )


def test_reopen_and_close_again__reverses_only_what_stands():
    for number in (1, 2):
        verb(periods.begin_close, "2026-Q1")
        posted(
            ("4420", "40", None),
            ("3310", None, "40"),
            source=Source("close", str(number)),
            effective_on=date(2026, 3, 31),
        )
        verb(periods.finish_close, "2026-Q1")
        verb(periods.reopen, "2026-Q1")

    assert account_balance("3310") == 0
    assert JournalEntry.objects.filter(reverses__isnull=False).count() == 2


def test_call_off__opens_the_period_again_and_takes_the_close_back():
    verb(periods.begin_close, "2026-Q1")
    posted(("4420", "40", None), ("3310", None, "40"), source=Source("close", "1"), effective_on=date(2026, 3, 31))

    verb(periods.call_off_close, "2026-Q1")

    assert period("2026-Q1").state == "open"
    assert account_balance("3310") == 0


def test_reopen__listens_to_an_upper_floors_veto(monkeypatch):
    class SharesWentOut(errors.PeriodInWrongState):
        pass

    def veto(row: Period) -> None:
        raise SharesWentOut(period=row.name, state=row.state, needed="untouched")

    monkeypatch.setattr(periods, "_REOPEN_VETOES", [veto])
    close("2026-Q1")

    with pytest.raises(SharesWentOut):
        verb(periods.reopen, "2026-Q1")

    assert period("2026-Q1").state == "closed"


def test_open_next__follows_the_last_period_and_is_announced():
    opened = periods.open_next(reason="Year plan", acting=SYSTEM)

    assert (opened.name, opened.start, opened.end) == ("2027-Q3", date(2027, 7, 1), date(2027, 10, 1))
    assert Event.objects.get().name == "period.opened"


@pytest.mark.parametrize(
    ("start", "end"),
    [("2027-08-01", "2027-10-01"), ("2027-06-30", "2027-10-01"), ("2027-07-01", "2027-07-01")],
)
def test_open_period__leaves_no_gap_and_no_overlap(start, end):
    with pytest.raises(errors.PeriodDatesWrong):
        periods.open_period(
            name="odd",
            start=date.fromisoformat(start),
            end=date.fromisoformat(end),
            reason="Odd",
            acting=SYSTEM,
        )

    assert Period.objects.count() == 6


def test_open_period__refuses_a_name_that_is_taken():
    with pytest.raises(errors.PeriodOverlaps):
        periods.open_period(
            name="2026-Q1", start=date(2027, 7, 1), end=date(2027, 10, 1), reason="Again", acting=SYSTEM
        )

    assert Period.objects.count() == 6


def test_daily_job__keeps_two_quarters_ahead_and_repeats_harmlessly():
    for _ in range(2):
        daily.open_upcoming_quarters(datetime(2027, 2, 1, tzinfo=UTC))

    assert list(Period.objects.order_by("start").values_list("name", flat=True))[-2:] == ["2027-Q2", "2027-Q3"]


# --- which period a fact goes to, and how it is locked


@pytest.mark.parametrize(
    ("on", "closed", "expected"),
    [
        ("2026-01-01", 0, "2026-Q1"),
        ("2026-03-31", 0, "2026-Q1"),
        ("2026-04-01", 0, "2026-Q2"),
        ("2026-03-31", 1, "2026-Q2"),
        ("2026-01-01", 2, "2026-Q3"),
    ],
)
def test_open_period_lock__gives_the_period_of_the_day_or_the_next_open_one(on, closed, expected):
    for name in ("2026-Q1", "2026-Q2")[:closed]:
        close(name)

    assert locks.open_period(on=date.fromisoformat(on)).name == expected


def test_open_period_lock__skips_a_closing_one():
    verb(periods.begin_close, "2026-Q1")

    assert locks.open_period(on=date(2026, 3, 31)).name == "2026-Q2"


def test_locks__are_taken_in_this_sql(django_assert_num_queries):
    with django_assert_num_queries(1) as captured:
        locks.open_period(on=date(2026, 3, 31))
    assert captured.captured_queries[0]["sql"].rstrip().endswith("ORDER BY p.start\n LIMIT 1\n   FOR SHARE OF p")

    with django_assert_num_queries(1) as captured:
        list(locks.all_periods())
    assert captured.captured_queries[0]["sql"].endswith(
        'ORDER BY "treasury_period"."start" ASC FOR UPDATE OF "treasury_period"'
    )


def test_post__locks_the_period_before_it_writes(django_assert_num_queries):
    with django_assert_num_queries(2) as captured:
        sale()

    first, second = (query["sql"] for query in captured.captured_queries)
    assert "FOR SHARE OF p" in first
    assert "INSERT INTO treasury_journalentry" in second
