"""Column types PostgreSQL has and Django does not."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class TransactionIdField(models.Field):  # type: ignore[type-arg]
    """`xid8`: 64 bits, never wraps. Read as int; compare with `pg_snapshot_xmin(pg_current_snapshot())`."""

    description = "PostgreSQL transaction id"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(value)


class CurrentTransaction(models.Func):
    """`pg_current_xact_id()`: the id of the transaction that writes the row."""

    function = "pg_current_xact_id"
    arity = 0
    output_field = TransactionIdField()
