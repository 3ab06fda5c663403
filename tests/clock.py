"""Time travel: Python's clock and the database's `habitat_now()` together.

The function production has reads no setting, and nobody but its owner can replace it. For a test that travels the
owner does, in that test's own database, and puts it back; `verify_books` names it if it were ever left.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import psycopg
import time_machine
from django.db import connection

from cloud_credits.reports import rate_cards

TRAVELLING = """
CREATE OR REPLACE FUNCTION habitat_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS
    $$ SELECT coalesce(nullif(current_setting('habitat.now', true), '')::timestamptz,
                       pg_catalog.clock_timestamp()
                       + coalesce(nullif(current_setting('habitat.clock_shift', true), ''), '0')::interval) $$;
"""
REAL = """
CREATE OR REPLACE FUNCTION habitat_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS
    'SELECT pg_catalog.clock_timestamp()';
"""


class HouseClock:
    """Stands still at the moment it was set to, for Python and for this thread's connection."""

    def __init__(self) -> None:
        self.moment: datetime | None = None
        self._traveller: time_machine.travel | None = None

    def at(self, moment: datetime) -> datetime:
        """Both clocks stand at `moment`."""
        self.release()
        self.moment = moment
        self._traveller = time_machine.travel(moment, tick=False)
        self._traveller.start()
        self.tell_database()
        return moment

    def forward(self, **amount: float) -> datetime:
        """Both move on; arguments as of timedelta."""
        if self.moment is None:
            raise ValueError("set the clock first")
        return self.at(self.moment + timedelta(**amount))

    def back(self) -> None:
        """Both run again, and tell the real time."""
        self.release()
        self.moment = None
        self.tell_database()

    def skew(self, **amount: float) -> None:
        """Python's clock alone goes wrong, as a web server's may."""
        if self.moment is None or self._traveller is None:
            raise ValueError("set the clock first")
        self._traveller.stop()
        self._traveller = time_machine.travel(self.moment + timedelta(**amount), tick=False)
        self._traveller.start()

    def release(self) -> None:
        """Python's clock runs again."""
        if self._traveller is not None:
            self._traveller.stop()
            self._traveller = None

    def tell_database(self) -> None:
        """For this thread's connection: another thread's asks for itself. What was remembered is as of another day."""
        with connection.cursor() as cursor:
            told = self.moment.isoformat() if self.moment else ""
            cursor.execute("SELECT set_config('habitat.now', %s, false)", [told])
        rate_cards.forget()


@contextmanager
def travelling(owner_dsn: str) -> Iterator[HouseClock]:
    """A clock that can be set, in the database `owner_dsn` leads to."""
    with _replaced(owner_dsn):
        clock = HouseClock()
        try:
            yield clock
        finally:
            clock.release()
            rate_cards.forget()


@contextmanager
def _replaced(owner_dsn: str) -> Iterator[None]:
    _run(owner_dsn, TRAVELLING)
    try:
        yield
    finally:
        _run(owner_dsn, REAL)


def _run(owner_dsn: str, sql: str) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        owner.execute(sql)
