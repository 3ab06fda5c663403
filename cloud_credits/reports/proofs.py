"""What must be true of the credit ledger, each recomputed from scratch and answered with a count."""

from collections.abc import Callable
from typing import Final

from django.db import connection

from cloud_credits.reports import invoice_proofs, purchase_proofs, spending_proofs
from cloud_credits.reports.governance_proofs import GOVERNANCE_PROOFS
from cloud_credits.reports.metering_proofs import METERING_PROOFS
from habitat.controls.policies.proofs import Proof, ProofResult

# Each query yields one row: how many things were looked at, how many are wrong, and the first wrong one.
_REPLAY = """
WITH sides AS (
    SELECT from_member_id AS member, from_sequence AS seq, booked_at, id, from_liquid_after AS liquid_after,
           from_staked_after AS staked_after,
           CASE type WHEN 'unstake' THEN amount ELSE -amount END AS liquid,
           CASE type WHEN 'stake' THEN amount WHEN 'unstake' THEN -amount ELSE 0 END AS staked
      FROM cloud_credits_cloudtransaction WHERE state IN ('completed', 'reversed') AND from_member_id IS NOT NULL
    UNION ALL
    SELECT to_member_id, to_sequence, booked_at, id, to_liquid_after, to_staked_after, amount, 0
      FROM cloud_credits_cloudtransaction
     WHERE state IN ('completed', 'reversed') AND to_member_id IS NOT NULL
       AND from_member_id IS DISTINCT FROM to_member_id
), played AS (
    SELECT *, sum(liquid) OVER run AS liquid_run, sum(staked) OVER run AS staked_run,
           row_number() OVER run AS number, lag(booked_at) OVER run AS before
      FROM sides WINDOW run AS (PARTITION BY member ORDER BY seq, id)
)
"""
_REPLAYED_ROWS = f"""{_REPLAY}
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong)
  FROM (SELECT id, liquid_run <> liquid_after OR staked_run <> staked_after AS wrong FROM played) checked
"""  # noqa: S608 - no value in it
_SEQUENCES = f"""{_REPLAY}
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong)
  FROM (SELECT id, number <> seq OR booked_at <= before AS wrong FROM played) checked
"""  # noqa: S608 - no value in it
# As much ahead as the guard lets be (0045): a batch's rows lie a microsecond apart.
_AHEAD = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong)
  FROM (SELECT id, booked_at > clock.at AS wrong
          FROM cloud_credits_cloudtransaction, (SELECT clock_timestamp() + interval '1 minute' AS at) clock
         WHERE booked_at IS NOT NULL) checked
"""
_BALANCES = f"""{_REPLAY}, ends AS (
    SELECT member, sum(liquid) AS liquid, sum(staked) AS staked, max(seq) AS seq FROM sides GROUP BY member
)
SELECT count(*), count(*) FILTER (WHERE wrong), min(member_id) FILTER (WHERE wrong) FROM (
    SELECT coalesce(b.member_id, e.member) AS member_id,
           b.id IS NULL OR b.liquid <> coalesce(e.liquid, 0) OR b.staked <> coalesce(e.staked, 0)
           OR b.version <> coalesce(e.seq, 0) AS wrong
      FROM cloud_credits_cloudbalance b FULL JOIN ends e ON e.member = b.member_id) checked
"""  # noqa: S608 - no value in it
_NEGATIVE = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(member_id) FILTER (WHERE wrong)
  FROM (SELECT member_id, liquid < 0 OR staked < 0 AS wrong FROM cloud_credits_cloudbalance) checked
"""
_ACCOUNT = """
(SELECT coalesce(sum(CASE l.side WHEN %s THEN l.amount ELSE -l.amount END), 0)
   FROM treasury_journalline l JOIN treasury_account a ON a.id = l.account_id WHERE a.code = %s)
"""
_OUTSTANDING = f"""
SELECT count(*), CASE WHEN 10 * coalesce(sum(liquid + staked), 0) = {_ACCOUNT} THEN 0 ELSE 1 END,
       10 * coalesce(sum(liquid + staked), 0) || ' owed by balances, ' || {_ACCOUNT} || ' in 2220'
  FROM cloud_credits_cloudbalance
"""  # noqa: S608 - no value in it
_TECHNE = f"""
SELECT count(*), CASE WHEN 10 * coalesce(sum(liquid + staked), 0) = {_ACCOUNT} THEN 0 ELSE 1 END,
       10 * coalesce(sum(liquid + staked), 0) || ' held by techne, ' || {_ACCOUNT} || ' in 1130'
  FROM cloud_credits_cloudbalance b JOIN members_member m ON m.id = b.member_id WHERE m.system_code = 'techne'
"""  # noqa: S608 - no value in it
# A movement posts when it changes what is outstanding or what techne holds; else it must not.
_ENTRIES = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT t.id,
           (t.journal_entry_id IS NOT NULL) <>
           (t.from_member_id IS NULL OR t.to_member_id IS NULL
            OR (t.type NOT IN ('stake', 'unstake') AND techne.id IN (t.from_member_id, t.to_member_id))) AS wrong
      FROM cloud_credits_cloudtransaction t, (SELECT id FROM members_member WHERE system_code = 'techne') techne
     WHERE t.state IN ('completed', 'reversed')) checked
"""
_ENTRY_AMOUNTS = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(entry) FILTER (WHERE wrong) FROM (
    SELECT t.entry, t.owed <> coalesce(l.owed, 0) AS wrong
      FROM (SELECT journal_entry_id AS entry,
                   10 * sum(CASE WHEN to_member_id IS NULL THEN -amount WHEN from_member_id IS NULL THEN amount
                                 ELSE 0 END) AS owed
              FROM cloud_credits_cloudtransaction
             WHERE state IN ('completed', 'reversed') AND journal_entry_id IS NOT NULL GROUP BY 1) t
      LEFT JOIN (SELECT l.entry_id, sum(CASE l.side WHEN 'C' THEN l.amount ELSE -l.amount END) AS owed
                   FROM treasury_journalline l JOIN treasury_account a ON a.id = l.account_id
                  WHERE a.code = '2220' GROUP BY 1) l ON l.entry_id = t.entry) checked
"""
# The other way round: whatever stands on 2220 or 1130 was brought there by a transaction, and says so.
_SOURCES = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT e.id, t.journal_entry_id IS NULL AS wrong
      FROM treasury_journalentry e
      LEFT JOIN (SELECT DISTINCT journal_entry_id FROM cloud_credits_cloudtransaction
                  WHERE state IN ('completed', 'reversed')) t ON t.journal_entry_id = e.id
     WHERE e.source_kind = 'cloud_transaction'
        OR EXISTS (SELECT FROM treasury_journalline l JOIN treasury_account a ON a.id = l.account_id
                    WHERE l.entry_id = e.id AND a.code IN ('2220', '1130'))) checked
"""
_POSITIONS = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(member_id) FILTER (WHERE wrong) FROM (
    SELECT b.member_id, b.staked <> coalesce(p.staked, 0) AS wrong
      FROM cloud_credits_cloudbalance b
      LEFT JOIN (SELECT member_id, sum(amount) AS staked FROM cloud_credits_stakingposition
                  WHERE state = 'active' GROUP BY 1) p USING (member_id)) checked
"""
_RECEIVABLES = f"""
SELECT count(*), CASE WHEN 10 * coalesce(sum(amount - settled), 0) = {_ACCOUNT} THEN 0 ELSE 1 END,
       10 * coalesce(sum(amount - settled), 0) || ' owed by members, ' || {_ACCOUNT} || ' in 1310'
  FROM cloud_credits_receivable
"""  # noqa: S608 - no value in it
# A stake's terms come from the row that locked it, and its end from the row that released it: else one could be
# ended and another, with a better share and an earlier day, put in its place.
_STAKES = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT p.id,
           NOT coalesce(s.type = 'stake' AND s.state = 'completed' AND s.from_member_id = p.member_id
                        AND s.amount = p.amount AND s.booked_at = p.staked_at
                        AND (p.state = 'active'
                             OR (u.type = 'unstake' AND u.state = 'completed' AND u.from_member_id = p.member_id
                                 AND u.amount = p.amount AND u.booked_at = p.released_at)), false) AS wrong
      FROM cloud_credits_stakingposition p
      LEFT JOIN cloud_credits_cloudtransaction s ON s.id = p.stake_transaction_id
      LEFT JOIN cloud_credits_cloudtransaction u ON u.id = p.unstake_transaction_id) checked
"""
# What was undone was undone whole, and only what was undone has corrections and debts that say so.
_REVERSALS = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT t.id, NOT cloud_credits_undone_whole(t) AS wrong
      FROM cloud_credits_cloudtransaction t WHERE t.state = 'reversed'
    UNION ALL
    SELECT t.id, t.state <> 'reversed'
      FROM cloud_credits_cloudtransaction t
     WHERE t.id IN (SELECT reverses_id FROM cloud_credits_cloudtransaction
                    UNION ALL SELECT origin_id FROM cloud_credits_receivable)
       -- A debt for a payment that went back stands by its mint, which stays: its clawback has a proof of its own.
       AND t.purpose <> 'payment') checked
"""
_SETTLED = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT r.id, r.settled <> coalesce(paid.amount, 0) + coalesce(wired.amount, 0)
                              + coalesce(given_up.amount, 0) AS wrong
      FROM cloud_credits_receivable r
      LEFT JOIN (SELECT reference, from_member_id, sum(amount) AS amount FROM cloud_credits_cloudtransaction
                  WHERE type = 'burn' AND purpose = 'receivable' AND state = 'completed' GROUP BY 1, 2) paid
        ON paid.reference = 'receivable:' || r.id AND paid.from_member_id = r.member_id
      LEFT JOIN (SELECT d.receivable_id, sum(d.amount) AS amount
                   FROM cloud_credits_receivablepayment d JOIN treasury_payment p ON p.id = d.payment_id
                  WHERE p.state = 'applied' AND p.amount - p.refunded - p.disputed = 10 * d.amount GROUP BY 1) wired
        ON wired.receivable_id = r.id
      LEFT JOIN (SELECT receivable_id, sum(amount) AS amount FROM cloud_credits_receivablewriteoff GROUP BY 1) given_up
        ON given_up.receivable_id = r.id) checked
"""
# A fact of redemptions names ranges of sequences. They are written out before they are joined: the planner takes the
# ranges of a day for a hundred, and would walk each member's rows once for each of them.
_NAMED = """
range AS (
    SELECT e.id AS event_id, r.*
      FROM events_event e
     CROSS JOIN LATERAL jsonb_to_recordset(e.payload->'ranges')
           AS r(member_id bigint, first_sequence bigint, last_sequence bigint, count bigint, quantity numeric,
                balance_after numeric)
     WHERE e.name = 'cloud.redeemed' AND e.payload ? 'ranges'
), named AS MATERIALIZED (
    SELECT r.event_id, r.member_id, r.first_sequence, n.sequence, n.sequence = r.last_sequence AS is_last
      FROM range r CROSS JOIN LATERAL generate_series(r.first_sequence, r.last_sequence) AS n(sequence)
)
"""
# Those told before there were ranges name their transaction.
_EVENTS = f"""
WITH {_NAMED}, told AS (
    SELECT (payload->>'transaction_id')::bigint AS id FROM events_event
     WHERE name IN ('cloud.minted', 'cloud.transferred', 'cloud.redeemed', 'cloud.burned', 'cloud.staked',
                    'cloud.unstaked') AND payload->>'transaction_id' IS NOT NULL AND NOT payload ? 'ranges'
    UNION ALL
    SELECT t.id
      FROM named n
      JOIN cloud_credits_cloudtransaction t
        ON t.from_member_id = n.member_id AND t.from_sequence = n.sequence AND t.type = 'redemption'
    UNION ALL
    SELECT jsonb_array_elements_text(payload->'transaction_ids')::bigint FROM events_event
     WHERE name = 'cloud.corrected'
)
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT t.id, count(told.id) <> 1 AS wrong
      FROM cloud_credits_cloudtransaction t LEFT JOIN told ON told.id = t.id
     WHERE t.state IN ('completed', 'reversed') GROUP BY t.id) checked
"""  # noqa: S608 - no value in it
# Each range is whole, says what its rows took together, and what the last of them left.
_RANGES = f"""
WITH {_NAMED}, found AS (
    SELECT n.event_id, n.member_id, n.first_sequence, count(*) AS rows, sum(t.amount) AS amount,
           sum(t.from_liquid_after) FILTER (WHERE n.is_last) AS left_over
      FROM named n
      JOIN cloud_credits_cloudtransaction t
        ON t.from_member_id = n.member_id AND t.from_sequence = n.sequence AND t.type = 'redemption'
     GROUP BY 1, 2, 3
)
SELECT count(*), count(*) FILTER (WHERE wrong), min(event_id) FILTER (WHERE wrong) FROM (
    SELECT r.event_id,
           NOT coalesce(f.rows = r.count AND f.amount = r.quantity AND f.left_over = r.balance_after, false) AS wrong
      FROM range r LEFT JOIN found f USING (event_id, member_id, first_sequence)) checked
"""  # noqa: S608 - no value in it
_CHAIN = """
WITH blocks AS (
    SELECT b.*, lag(hash) OVER (ORDER BY height) AS before, lag(to_xid) OVER (ORDER BY height) AS edge,
           row_number() OVER (ORDER BY height) AS number
      FROM cloud_credits_chainblock b
), bodies AS (
    SELECT b.height, count(t.id) AS rows,
           string_agg(cloud_credits_canonical(t), E'\\n' ORDER BY t.booked_xid, t.id) AS text
      FROM blocks b
      LEFT JOIN cloud_credits_cloudtransaction t
        ON t.booked_xid >= b.from_xid AND t.booked_xid < b.to_xid
     GROUP BY b.height
)
SELECT count(*), count(*) FILTER (WHERE wrong), min(height) FILTER (WHERE wrong) FROM (
    SELECT height,
           number <> height OR previous_hash <> coalesce(before, repeat('0', 64)) OR from_xid <> coalesce(edge, 0)
           OR bodies.rows <> blocks.rows
           OR hash <> encode(sha256(convert_to(previous_hash || E'\\n' || coalesce(text, ''), 'UTF8')), 'hex') AS wrong
      FROM blocks JOIN bodies USING (height)) checked
"""


def _proof(name: str, query: str, parameters: tuple[str, ...] = ()) -> Proof:
    return Proof(name=name, run=_runner(query, parameters))


def _runner(query: str, parameters: tuple[str, ...]) -> Callable[[], ProofResult]:
    def run() -> ProofResult:
        with connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            counted, wrong, first = cursor.fetchone()
        message = "" if not wrong else f"{wrong} wrong, the first: {first}"
        return ProofResult(ok=not wrong, counted=counted, message=message)

    return run


PROOFS: Final = (
    _proof("every transaction's balances-after = their replay", _REPLAYED_ROWS),
    _proof("sequences 1…n, booked_at never backwards", _SEQUENCES),
    _proof("no transaction is booked later than now", _AHEAD),
    _proof("every balance = its replay", _BALANCES),
    _proof("no negative balance", _NEGATIVE),
    _proof("2220 = 10 × outstanding, digit for digit", _OUTSTANDING, ("C", "2220", "C", "2220")),
    _proof("1130 = 10 × techne's balance", _TECHNE, ("D", "1130", "D", "1130")),
    _proof("1310 = 10 × what members owe", _RECEIVABLES, ("D", "1310", "D", "1310")),
    _proof("every transaction that must post has its entry", _ENTRIES),
    _proof("every entry on 2220 or 1130 has its transaction", _SOURCES),
    _proof("every entry moves 2220 as its transactions do", _ENTRY_AMOUNTS),
    _proof("active positions = staked", _POSITIONS),
    _proof("every stake is what its transactions say", _STAKES),
    _proof("every reversal undoes its transaction whole", _REVERSALS),
    _proof("what is settled of a debt was burned, paid or written off for it", _SETTLED),
    _proof("every transaction is covered by one event", _EVENTS),
    _proof("every told range of redemptions is what its rows say", _RANGES),
    _proof("hash chain intact", _CHAIN),
    _proof("every paid or refunded invoice has its transfers", invoice_proofs.SETTLED),
    _proof("every transfer for an invoice has its invoice", invoice_proofs.TRANSFERS),
    _proof("every invoice is the sum of its lines", invoice_proofs.LINES),
    _proof("invoices are numbered 1…n and due in thirty days", invoice_proofs.NUMBERS),
    _proof("every minted payment is one mint of its dollars", purchase_proofs.MINTS),
    _proof("2240 = money that waits or goes back", purchase_proofs.HELD),
    _proof("every clawback was burned or is owed", purchase_proofs.CLAWBACKS),
    _proof("every refund has its burn, every failed one its credits back", purchase_proofs.REFUNDS),
    *METERING_PROOFS,
    *GOVERNANCE_PROOFS,
    _proof("spend caps count what was metered", spending_proofs.SPENT),
)
