"""Many at once: one key gives one entry, batches do not block each other crosswise, a close waits for all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.db import connection

from habitat.errors import IdempotencyConflict
from habitat.members.policies.actors import SYSTEM
from tests.treasury.postings import NOON, lines_of, sale
from treasury import errors
from treasury.actions import journal, periods
from treasury.models import JournalEntry, JournalLine, Period
from treasury.policies.journal import Draft, Source
from treasury.reports.proofs import PROOFS

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 12


def at_once(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """Runs `work(0 … n-1)` at the same moment; gives results or the errors raised."""
    barrier = Barrier(threads)

    def run(number: int) -> Any:
        try:
            barrier.wait(timeout=20)
            return work(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def test_same_key_at_once__is_one_entry():
    results = at_once(lambda _: sale(source=Source("usage", "1"), idempotency_key="one"))

    assert len({entry.pk for entry in results}) == 1
    assert sorted(entry.replayed for entry in results) == [False] + [True] * (THREADS - 1)
    assert (JournalEntry.objects.count(), JournalLine.objects.count()) == (1, 2)


def test_same_key_other_content_at_once__is_one_entry_and_conflicts():
    results = at_once(lambda number: sale(str(number + 1), source=Source("usage", "1"), idempotency_key="one"))

    assert sum(isinstance(result, JournalEntry) for result in results) == 1
    assert sum(isinstance(result, IdempotencyConflict) for result in results) == THREADS - 1
    assert JournalEntry.objects.count() == 1


def test_batches_in_opposite_order__neither_deadlock_nor_double():
    def batch(number: int) -> list[JournalEntry]:
        drafts = [
            Draft(
                lines=lines_of(("2220", "1", None), ("4420", None, "1")),
                occurred_at=NOON,
                source=Source("usage", str(key)),
                description="Usage",
                idempotency_key=f"usage:{key}",
            )
            for key in range(40)
        ]
        return journal.post_many(drafts=drafts if number % 2 else drafts[::-1], acting=SYSTEM)

    results = at_once(batch)

    assert [len(result) for result in results] == [40] * THREADS
    assert JournalEntry.objects.count() == 40


def test_one_entry_reversed_at_once__is_reversed_once():
    entry = sale()

    results = at_once(
        lambda number: journal.reverse(entry=entry, reason="Wrong", idempotency_key=f"undo:{number}", acting=SYSTEM)
    )

    assert sum(isinstance(result, JournalEntry) for result in results) == 1
    assert sum(isinstance(result, errors.AlreadyReversed) for result in results) == THREADS - 1
    assert JournalEntry.objects.count() == 2


def test_posts_racing_a_close__land_in_the_period_before_it_or_in_the_next():
    period = Period.objects.get(name="2026-Q1")

    def work(number: int) -> Any:
        if number == 0:
            return periods.begin_close(period=period, reason="Quarter end", acting=SYSTEM)
        return [sale("1", occurred_at=datetime(2026, 3, 31, 12, tzinfo=UTC)) for _ in range(10)]

    with time_machine.travel(datetime(2026, 5, 1, tzinfo=UTC), tick=True):
        results = at_once(work)

    assert not [result for result in results if isinstance(result, Exception)]
    days = set(JournalEntry.objects.values_list("effective_on", "period__name"))
    assert days <= {(date(2026, 3, 31), "2026-Q1"), (date(2026, 4, 1), "2026-Q2")}
    assert JournalEntry.objects.count() == (THREADS - 1) * 10
    assert all(proof.run().ok for proof in PROOFS)


def test_two_closes_at_once__happen_once():
    period = Period.objects.get(name="2026-Q1")

    with time_machine.travel(datetime(2026, 5, 1, tzinfo=UTC), tick=True):
        results = at_once(lambda _: periods.begin_close(period=period, reason="Quarter end", acting=SYSTEM), threads=4)

    assert sum(isinstance(result, errors.PeriodInWrongState) for result in results) == 3
    assert period.changes.count() == 1


def test_sums__are_exact_after_the_race():
    at_once(lambda number: [sale(str(Decimal(number + 1).scaleb(-8))) for _ in range(5)])

    assert JournalLine.objects.count() == THREADS * 5 * 2
    assert all(proof.run().ok for proof in PROOFS)
