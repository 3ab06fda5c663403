"""What the tests of the credit ledger ask again and again."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
import time_machine
from django.db import connection

from cloud_credits.actions import chain
from cloud_credits.models import (
    CloudBalance,
    CloudTransaction,
    EnsRegistration,
    IdempotencyKey,
    Receivable,
    StakingPosition,
)
from cloud_credits.reports.proofs import PROOFS
from habitat.controls.models import Approval
from habitat.errors import HabitatError
from habitat.events.models import Event
from habitat.money import plain
from tests.clock import TRAVELLING
from tests.horizon import settled
from treasury.models import JournalEntry, JournalLine, Period
from treasury.policies.periods import quarter_end, quarter_name

TABLES = (
    CloudTransaction,
    CloudBalance,
    IdempotencyKey,
    StakingPosition,
    Receivable,
    EnsRegistration,
    Approval,
    JournalEntry,
    JournalLine,
    Event,
)


def row_counts() -> dict[str, int]:
    """How many rows every table of the ledger holds: a refusal leaves this unchanged."""
    return {model.__name__: model.objects.count() for model in TABLES}


def holds(member) -> tuple[Decimal, Decimal]:
    """Liquid and staked, straight from the row."""
    return CloudBalance.objects.values_list("liquid", "staked").get(member=member)


def account(code: str) -> Decimal:
    """Debits less credits of one account, straight from the lines."""
    lines = JournalLine.objects.filter(account__code=code).values_list("side", "amount")
    return sum((amount if side == "D" else -amount for side, amount in lines), Decimal(0))


def broken_proofs() -> list[str]:
    """The proofs that do not hold, with what they say."""
    results = [(proof.name, proof.run()) for proof in PROOFS]
    return [f"{name}: {result.message}" for name, result in results if not result.ok]


def holdings(*people) -> list[tuple[str, str]]:
    """Liquid and staked of several members as plain text, for tables."""
    return [tuple(plain(figure) for figure in holds(person)) for person in people]


def lines_of(row: CloudTransaction) -> set[tuple[str, str, str]]:
    """The journal lines behind a transaction: account, side, USD."""
    if row.journal_entry_id is None:
        return set()
    return entry_lines(row.journal_entry_id)


def entry_lines(entry_id: int) -> set[tuple[str, str, str]]:
    """The lines of one entry: account, side, USD."""
    lines = JournalLine.objects.filter(entry_id=entry_id).values_list("account__code", "side", "amount")
    return {(code, side, plain(amount)) for code, side, amount in lines}


def stored(row: CloudTransaction) -> CloudTransaction:
    """The row as the database has it now."""
    return CloudTransaction.objects.get(pk=row.pk)


def told(name: str) -> dict:
    """The payload of the newest event of that name."""
    return Event.objects.filter(name=name).latest("id").payload


def refused(error: type[HabitatError], attempt: Callable[[], object]) -> HabitatError:
    """The attempt raises exactly this named error and no table of the ledger changes."""
    before, balances = row_counts(), list(CloudBalance.objects.order_by("id").values())
    with pytest.raises(error) as caught:
        attempt()
    assert type(caught.value) is error
    assert row_counts() == before
    assert list(CloudBalance.objects.order_by("id").values()) == balances
    return caught.value


def commit_checks() -> None:
    """What COMMIT would check, inside a test's own transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def open_quarters(*, until: date) -> None:
    """Periods after those of the migrations, so that what is booked then has one."""
    start = Period.objects.latest("end").end
    while start <= until:
        period = Period.objects.create(name=quarter_name(start), start=start, end=quarter_end(start))
        start = period.end


# A stake lasts thirty days at least, by the database's clock and by ours. So that a test can wait that long, the
# clone's clock functions are shadowed by ones that add a session's shift; no guard is turned off, and both clocks
# move together.
_SHIFTED_CLOCK = """
CREATE SCHEMA shifted;
CREATE FUNCTION shifted.shift() RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('habitat.clock_shift', true), ''), '0')::interval $$;
CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT pg_catalog.clock_timestamp() + shifted.shift() $$;
CREATE FUNCTION shifted.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.statement_timestamp() + shifted.shift() $$;
GRANT USAGE ON SCHEMA shifted TO PUBLIC;
"""


class Clock:
    """Both clocks of the house, Python's and the database's, somewhere ahead of now. Use as a context."""

    def __init__(self, superuser_dsn: str, *, furthest: timedelta = timedelta(days=500)) -> None:
        with psycopg.connect(superuser_dsn, autocommit=True) as superuser:
            superuser.execute(_SHIFTED_CLOCK)
            superuser.execute(TRAVELLING)
        self.shift = timedelta(0)
        open_quarters(until=(datetime.now(tz=UTC) + furthest).date())

    def __enter__(self) -> "Clock":
        self._traveller = time_machine.travel(datetime.now(tz=UTC), tick=True)
        self._coordinates = self._traveller.start()
        self.tell_database()
        return self

    def __exit__(self, *error: object) -> None:
        self._traveller.stop()
        self.shift = timedelta(0)

    def forward(self, **amount: float) -> None:
        """Moves on; arguments as of timedelta."""
        step = timedelta(**amount)
        self.shift += step
        self._coordinates.shift(step)
        self.tell_database()

    def tell_database(self) -> None:
        """For this thread's connection; the context does so for the one it is used in."""
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = shifted, pg_catalog, public")
            cursor.execute(
                "SELECT set_config('habitat.clock_shift', %s, false)", [f"{self.shift.total_seconds()} seconds"]
            )


def seal():
    """Seals what this test has booked, once nothing older is open in the cluster."""
    settled()
    return chain.seal()
