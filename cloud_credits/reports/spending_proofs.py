"""What must always be true of spend caps: the running month is the sum of its usage."""

from typing import Final

# `spent` is recomputed from usage for the month each row counts. Late usage, let in by two persons, counts in none.
SPENT: Final = """
SELECT count(*), count(*) FILTER (WHERE bad), min(member_id) FILTER (WHERE bad)
  FROM (SELECT c.member_id, c.spent <> coalesce(used.cost, 0) AS bad
          FROM cloud_credits_spendcap c
          LEFT JOIN LATERAL (
              SELECT sum(u.cost) AS cost
                FROM cloud_credits_cloudtransaction t
                JOIN cloud_credits_resourceusage u ON u.transaction_id = t.id
               WHERE t.from_member_id = c.member_id AND NOT u.is_late
                 AND t.booked_at >= c.month::timestamp AT TIME ZONE 'UTC'
                 AND t.booked_at < (c.month + interval '1 month') AT TIME ZONE 'UTC'
          ) AS used ON true) AS judged
"""
