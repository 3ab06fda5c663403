"""Prepared statements on Django's own connection, for the few that every movement of credits runs.

Django binds parameters on the client, so the server plans each statement anew. These go out with their parameters
apart and are prepared at once; they stay inside Django's transaction. They pass by Django's execute wrappers: the
one there is writes who and why for tables with a history, and a table this hot has none.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import psycopg
from django.db import connection

Parameters = Sequence[Any] | Mapping[str, Any]


def rows_of(sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Runs one statement; its rows, if any. Placeholders are `%s` or `%(name)s`, cast where a type is unclear."""
    if connection.queries_logged:
        # Capture reads the text Django itself has bound.
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        return _prepared(connection.connection, sql, parameters)


def array_of(values: Iterable[object]) -> str:
    """`values` as PostgreSQL reads an array; cast the placeholder. psycopg's own lists cost ten times as much."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _prepared(raw: psycopg.Connection[Any], sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    # Only for this statement: Django's own texts, literals and all, are never worth a plan that is kept.
    before, raw.prepare_threshold = raw.prepare_threshold, 0
    try:
        with psycopg.Cursor(raw) as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []
    finally:
        raw.prepare_threshold = before


def copy_in(sql: str, data: bytes) -> None:
    """Runs a COPY … FROM STDIN with `data` in the form it names."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor, cursor.copy(sql) as copy:
        copy.write(data)


def copy_rows(sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """Runs a COPY … FROM STDIN in the text form, a value a column."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor, cursor.copy(sql) as copy:
        for row in rows:
            copy.write_row(row)
