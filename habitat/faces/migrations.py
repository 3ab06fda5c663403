"""Loads the SQL that lies beside a migration, forward and reverse."""

from pathlib import Path

from django.db.migrations import RunSQL


def sql_file(migration: str, name: str) -> RunSQL:
    """RunSQL of `sql/<name>.sql` and `sql/<name>.reverse.sql` beside `migration` (pass `__file__`)."""
    folder = Path(migration).parent / "sql"
    return RunSQL((folder / f"{name}.sql").read_text(), (folder / f"{name}.reverse.sql").read_text())
