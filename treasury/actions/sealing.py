"""Keeps the sums of past days: a help for reports, rebuilt from lines at any time."""

from datetime import date
from typing import Final

from django.db import connection, transaction

from habitat.members.policies.actors import Actor
from treasury.models import SealedDay

# Transactions below the horizon are all over: what they wrote is visible now or never, so a sum of it is final.
_HORIZON: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"

_ADD_SUMS: Final = """
INSERT INTO treasury_accountday AS kept (day, account_id, debit, credit)
SELECT e.effective_on, l.account_id,
       coalesce(sum(l.amount) FILTER (WHERE l.side = 'D'), 0),
       coalesce(sum(l.amount) FILTER (WHERE l.side = 'C'), 0)
  FROM treasury_journalentry e
  JOIN treasury_journalline l ON l.entry_id = e.id
 WHERE {which}
 GROUP BY e.effective_on, l.account_id
ON CONFLICT (day, account_id) DO UPDATE
   SET debit = kept.debit + EXCLUDED.debit, credit = kept.credit + EXCLUDED.credit
"""
# What came to sealed days since their own horizon …
_LATE: Final = """EXISTS (SELECT FROM treasury_sealedday s
                           WHERE s.day = e.effective_on AND e.transaction >= s.horizon)
   AND e.transaction >= (SELECT min(horizon) FROM treasury_sealedday)
   AND e.transaction < %(horizon)s::xid8"""
# … and all of the days sealed now.
_NEW: Final = "e.effective_on = ANY(%(days)s) AND e.transaction < %(horizon)s::xid8"
_NEW_DAYS: Final = """
SELECT given.day::date
  FROM generate_series((SELECT min(effective_on) FROM treasury_journalentry), %(before)s::date - 1,
                       interval '1 day') AS given(day)
 WHERE NOT EXISTS (SELECT FROM treasury_sealedday s WHERE s.day = given.day::date)
"""


@transaction.atomic
def seal_account_days(*, before: date, acting: Actor) -> int:
    """Bring the sums of every day before `before` up to now; returns how many days were sealed for the first time.

    Idempotent. An entry that comes to a sealed day later is read from its lines until the next run adds it.
    """
    with connection.cursor() as cursor:
        # One sealer at a time; readers go on.
        cursor.execute("LOCK TABLE treasury_sealedday IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(_HORIZON)
        (horizon,) = cursor.fetchone()
        cursor.execute(_NEW_DAYS, {"before": before})
        days = [day for (day,) in cursor.fetchall()]
        cursor.execute(_ADD_SUMS.replace("{which}", _LATE), {"horizon": horizon})
        SealedDay.objects.filter(horizon__lt=int(horizon)).update(horizon=int(horizon))
        SealedDay.objects.bulk_create([SealedDay(day=day, horizon=int(horizon)) for day in days])
        cursor.execute(_ADD_SUMS.replace("{which}", _NEW), {"days": days, "horizon": horizon})
    return len(days)


@transaction.atomic
def forget_sealed_days(*, acting: Actor) -> int:
    """Drop every snapshot; reports read the lines until the next run. Returns how many days were sealed."""
    count = SealedDay.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM treasury_accountday")
        cursor.execute("DELETE FROM treasury_sealedday")
    return count
