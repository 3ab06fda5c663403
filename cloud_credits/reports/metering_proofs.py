"""What must always be true of usage and its prices, checked from scratch over every row."""

from typing import Final

from django.db import connection

from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.self_metering import STEP
from habitat.controls.policies.proofs import Proof, ProofResult

# Ranges first, then one join: a card search for each of many million rows would take minutes.
_PRICED = """
WITH card AS (
    SELECT id, effective_date,
           lead(effective_date, 1, 'infinity') OVER (ORDER BY effective_date) AS next_date,
           compute_rate, transfer_rate, ltm_rate, stm_rate
      FROM cloud_credits_ratecard
     WHERE state IN ('approved', 'active', 'superseded')
)
SELECT count(*),
       count(*) FILTER (WHERE c.id IS DISTINCT FROM u.rate_card_id
           OR u.rate IS DISTINCT FROM CASE u.primitive WHEN 'compute' THEN c.compute_rate
               WHEN 'transfer' THEN c.transfer_rate WHEN 'ltm' THEN c.ltm_rate WHEN 'stm' THEN c.stm_rate END
           OR u.cost IS DISTINCT FROM greatest(round(u.quantity * u.rate, 8), 0.00000001)),
       min(u.id) FILTER (WHERE c.id IS DISTINCT FROM u.rate_card_id
           OR u.rate IS DISTINCT FROM CASE u.primitive WHEN 'compute' THEN c.compute_rate
               WHEN 'transfer' THEN c.transfer_rate WHEN 'ltm' THEN c.ltm_rate WHEN 'stm' THEN c.stm_rate END
           OR u.cost IS DISTINCT FROM greatest(round(u.quantity * u.rate, 8), 0.00000001))
  FROM cloud_credits_resourceusage u
  LEFT JOIN card c ON (u.metered_at AT TIME ZONE 'UTC')::date >= c.effective_date
                  AND (u.metered_at AT TIME ZONE 'UTC')::date < c.next_date
"""
# A redemption that was undone later is `reversed`: its usage stands, and so does its price.
_REDEEMED = """
SELECT count(*), count(*) FILTER (WHERE bad), min(id) FILTER (WHERE bad)
  FROM (SELECT u.id, NOT coalesce(t.type = 'redemption' AND t.state IN ('completed', 'reversed')
                   AND t.amount = u.cost AND t.from_member_id = u.member_id
                   AND t.journal_entry_id = u.journal_entry_id, false) AS bad
          FROM cloud_credits_resourceusage u
          LEFT JOIN cloud_credits_cloudtransaction t ON t.id = u.transaction_id) AS judged
"""
_ONCE = """
SELECT coalesce(sum(n), 0), count(*) FILTER (WHERE n > 1), min(first) FILTER (WHERE n > 1)
  FROM (SELECT count(*) AS n, min(id) AS first FROM cloud_credits_resourceusage
         GROUP BY service_key_id, event_id) AS grouped
"""
# Everything ever settled is either charged as whole millionths or carried over, to the nanosecond and the byte.
_CONSERVED = """
WITH step (primitive, size) AS (VALUES (%s, %s::numeric), (%s, %s::numeric)),
charged AS (
    SELECT member_id, primitive, sum(quantity) AS quantity FROM cloud_credits_selfmetercharge
     GROUP BY member_id, primitive
)
SELECT count(*), count(*) FILTER (WHERE bad), min(member_id) FILTER (WHERE bad)
  FROM (SELECT coalesce(r.member_id, c.member_id) AS member_id,
               coalesce(r.settled, 0) <> coalesce(r.amount, 0) + coalesce(c.quantity, 0) * 1000000 * s.size AS bad
          FROM cloud_credits_selfmeterremainder r
          FULL JOIN charged c ON (c.member_id, c.primitive) = (r.member_id, r.primitive)
          JOIN step s ON s.primitive = coalesce(r.primitive, c.primitive)) AS judged
"""
_CHARGED = """
SELECT count(*), count(*) FILTER (WHERE bad), min(id) FILTER (WHERE bad)
  FROM (SELECT x.id, NOT coalesce(u.member_id = x.member_id AND u.primitive = x.primitive
                   AND u.quantity = x.quantity AND u.cost = x.cost, false) AS bad
          FROM cloud_credits_selfmetercharge x
          LEFT JOIN cloud_credits_resourceusage u ON u.id = x.meter_id
         WHERE x.state = 'charged') AS judged
"""


def _judged(sql: str, parameters: list[object], *, right: str, wrong: str) -> ProofResult:
    """Runs a query of (rows looked at, rows at fault, the first of them)."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        counted, broken, first = cursor.fetchone()
    if broken:
        return ProofResult(ok=False, counted=int(counted), message=wrong.format(broken=broken, first=first))
    return ProofResult(ok=True, counted=int(counted), message=right)


def usage_is_priced() -> ProofResult:
    """Every usage row = quantity × rate of the card in force when it ended (interfaces, `verify_books`)."""
    return _judged(
        _PRICED,
        [],
        right="every usage costs quantity × the rate of the card in force when it ended",
        wrong="{broken} usage rows have another price than their card's, first usage {first}",
    )


def usage_is_redeemed() -> ProofResult:
    """Every usage row's transaction is a redemption of its cost, by its member, with its journal entry."""
    return _judged(
        _REDEEMED,
        [],
        right="every usage is a completed redemption of its cost",
        wrong="{broken} usage rows have no redemption of their cost, first usage {first}",
    )


def events_are_once() -> ProofResult:
    """No event id of a service stands twice."""
    return _judged(
        _ONCE,
        [],
        right="every event id of every service stands once",
        wrong="{broken} event ids stand more than once, first usage {first}",
    )


def self_metering_conserves() -> ProofResult:
    """All the house ever counted and settled is charged or carried over, exactly."""
    parameters: list[object] = [
        part for primitive in Primitive if primitive in STEP for part in (primitive.value, STEP[primitive])
    ]
    return _judged(
        _CONSERVED,
        parameters,
        right="what the house counted of its own requests is charged or carried over, to the byte",
        wrong="{broken} members' own requests do not add up, first member {first}",
    )


def self_charges_are_usage() -> ProofResult:
    """Every charge the house took for its own requests is a usage row of the same quantity and cost."""
    return _judged(
        _CHARGED,
        [],
        right="every self-metering charge is a usage row",
        wrong="{broken} self-metering charges have no usage row, first charge {first}",
    )


METERING_PROOFS: Final = (
    Proof("usage is priced by the card in force", usage_is_priced),
    Proof("usage is redeemed", usage_is_redeemed),
    Proof("metering events are unique", events_are_once),
    Proof("self-metering adds up", self_metering_conserves),
    Proof("self-metering charges are usage", self_charges_are_usage),
)
