"""What stands on an account."""

from datetime import date
from decimal import Decimal

from django.db import connection

_BALANCE = """
SELECT coalesce(sum(CASE WHEN l.side = a.normal_side THEN l.amount ELSE -l.amount END), 0)
  FROM treasury_account a
  JOIN treasury_journalline l ON l.account_id = a.id
  JOIN treasury_journalentry e ON e.id = l.entry_id
 WHERE a.code = %(code)s AND (%(on)s::date IS NULL OR e.effective_on <= %(on)s)
"""


def account_balance(code: str, on: date | None = None) -> Decimal:
    """USD on the account's normal side at the end of the day `on`; of all time when None."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCE, {"code": code, "on": on})
        (balance,) = cursor.fetchone()
    return Decimal(balance)
