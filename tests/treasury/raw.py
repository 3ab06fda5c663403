"""Entries and lines as raw SQL, for connections of one's own: for attacks and for transactions left open."""

from typing import Any

ENTRY = """
INSERT INTO treasury_journalentry
       (ledger, occurred_at, effective_on, period_id, source_kind, source_ref, description, idempotency_key,
        content_digest, posted_by)
SELECT %(ledger)s, now(), %(on)s, p.id, %(kind)s, '1', 'raw', %(key)s, ''::bytea, 'raw:0'
  FROM treasury_period p WHERE p.name = %(period)s
RETURNING id
"""
GIVEN = {"ledger": "book", "on": "2026-04-15", "period": "2026-Q2", "kind": "test", "key": "raw-1"}
LINE = "INSERT INTO treasury_journalline (entry_id, account_id, side, amount, memo) "
ACCOUNT = "(SELECT id FROM treasury_account WHERE code = '{}')"


def values(*rows: tuple[Any, str, str, str]) -> str:
    """`INSERT … VALUES` of lines: entry, account code, side, amount."""
    return (
        LINE
        + "VALUES "
        + ", ".join(f"({entry}, {ACCOUNT.format(code)}, '{side}', {amount}, '')" for entry, code, side, amount in rows)
    )
