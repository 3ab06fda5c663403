"""The house's one clock: the database's. A web server whose own clock is wrong moves no deadline."""

from datetime import UTC, datetime

from django.db import connection


def now() -> datetime:
    """The moment at the database, UTC: the same `habitat_now()` that its triggers read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT habitat_now()")
        return datetime.astimezone(cursor.fetchone()[0], UTC)
