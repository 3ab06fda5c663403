"""Prepared statements on Django's own connection, for the few that every movement of credits runs.

Django binds parameters on the client, so the server plans each statement anew. These go out with their parameters
apart and are prepared after a few uses; they stay inside Django's transaction and are seen by its query capture.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper

PREPARE_AFTER_USES = 5


@contextmanager
def statement_cursor() -> Iterator[CursorWrapper]:
    """A cursor whose statements the server prepares. Placeholders are `%s` or `%(name)s`, with explicit casts."""
    if connection.queries_logged:
        # Capture reads the text Django itself has bound.
        with connection.cursor() as cursor:
            yield cursor
        return
    connection.ensure_connection()
    raw = connection.connection
    raw.prepare_threshold = PREPARE_AFTER_USES
    with psycopg.Cursor(raw) as prepared:
        yield connection.make_cursor(prepared)


def rows_of(sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Runs one prepared statement and returns its rows."""
    with statement_cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
