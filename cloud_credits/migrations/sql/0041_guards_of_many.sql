-- The rules of 0002 and 0014 unchanged, asked of many rows at once: a batch of a thousand members and ten thousand
-- events waits for neither a thousand small plans nor a card looked up for each event.

-- What must be true of rows that were just booked: played in the order of their time over the row before them, each
-- touched member's newest rows are numbered without a gap, each leaves what its amount says, and the balance stands
-- where the last one leaves it.
CREATE OR REPLACE FUNCTION cloud_credits_check_booked(members bigint[], earliest timestamptz) RETURNS void
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    touched bigint[] := ARRAY(SELECT DISTINCT given.id FROM unnest(members) AS given(id) WHERE given.id IS NOT NULL);
    checked bigint;
    bad bigint;
BEGIN
    SELECT count(*), min(n.id) FILTER (WHERE NOT coalesce(
               n.even AND n.sequence = base.seq AND n.liquid_before = base.liquid AND n.staked_before = base.staked
               AND b.version = base.seq + n.rows AND b.booked_at = n.last_at
               AND b.liquid = base.liquid + n.liquid AND b.staked = base.staked + n.staked, false))
      INTO checked, bad
      FROM (
          -- What a row was played over is what it leaves, less all that was played up to it: the same for every row.
          SELECT id, count(*) AS rows, max(booked_at) AS last_at, sum(liquid) AS liquid, sum(staked) AS staked,
                 min(sequence) AS sequence, min(liquid_before) AS liquid_before, min(staked_before) AS staked_before,
                 min(sequence) = max(sequence) AND min(liquid_before) = max(liquid_before)
                     AND min(staked_before) = max(staked_before) AND bool_and(told) AS even
            FROM (
                SELECT id, booked_at, liquid, staked, seq - row_number() OVER run AS sequence,
                       liquid_after - sum(liquid) OVER run AS liquid_before,
                       staked_after - sum(staked) OVER run AS staked_before,
                       (seq, liquid_after, staked_after) IS NOT NULL AS told
                  FROM (
                      SELECT from_member_id AS id, booked_at, from_sequence AS seq, from_liquid_after AS liquid_after,
                             from_staked_after AS staked_after,
                             CASE type WHEN 'unstake' THEN amount ELSE -amount END AS liquid,
                             CASE type WHEN 'stake' THEN amount WHEN 'unstake' THEN -amount ELSE 0 END AS staked
                        FROM cloud_credits_cloudtransaction
                       WHERE from_member_id = ANY(touched) AND booked_at >= earliest
                      UNION ALL
                      SELECT to_member_id, booked_at, to_sequence, to_liquid_after, to_staked_after, amount, 0
                        FROM cloud_credits_cloudtransaction
                       WHERE to_member_id = ANY(touched) AND booked_at >= earliest
                         AND from_member_id IS DISTINCT FROM to_member_id
                  ) sides WINDOW run AS (PARTITION BY id ORDER BY booked_at)
            ) played GROUP BY id
      ) n
      LEFT JOIN cloud_credits_cloudbalance b ON b.member_id = n.id
      LEFT JOIN LATERAL (
          SELECT from_sequence AS seq, from_liquid_after AS liquid, from_staked_after AS staked, booked_at
            FROM cloud_credits_cloudtransaction
           WHERE from_member_id = n.id AND booked_at < earliest ORDER BY booked_at DESC LIMIT 1
     ) gave ON true
      LEFT JOIN LATERAL (
          SELECT to_sequence AS seq, to_liquid_after AS liquid, to_staked_after AS staked, booked_at
            FROM cloud_credits_cloudtransaction
           WHERE to_member_id = n.id AND booked_at < earliest ORDER BY booked_at DESC LIMIT 1
     ) got ON true
     CROSS JOIN LATERAL (
          SELECT CASE WHEN is_got THEN got.seq ELSE coalesce(gave.seq, 0) END AS seq,
                 CASE WHEN is_got THEN got.liquid ELSE coalesce(gave.liquid, 0) END AS liquid,
                 CASE WHEN is_got THEN got.staked ELSE coalesce(gave.staked, 0) END AS staked
            FROM (SELECT got.booked_at > coalesce(gave.booked_at, '-infinity') AS is_got) newer
     ) base;
    IF bad IS NOT NULL OR checked <> cardinality(touched) THEN
        RAISE EXCEPTION 'the balance of member % and its newest transactions disagree', bad
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_matches_balance';
    END IF;
END $$;

-- stops: usage whose transaction is not a completed redemption of its cost by its member, or that was not priced by
-- the adopted card with the latest effective date on or before the UTC day it ended. One look at the cards for each
-- day, card and price in the statement.
CREATE OR REPLACE FUNCTION cloud_credits_usage_matches() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad bigint;
BEGIN
    SELECT u.id INTO bad
      FROM born u
      LEFT JOIN cloud_credits_cloudtransaction t ON t.id = u.transaction_id
     WHERE NOT coalesce(
            t.type = 'redemption' AND t.state = 'completed' AND t.amount = u.cost
            AND t.from_member_id = u.member_id AND t.journal_entry_id = u.journal_entry_id, false)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'usage % has no completed redemption of its cost', bad
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    SELECT u.id INTO bad
      FROM (SELECT primitive, rate, rate_card_id, (metered_at AT TIME ZONE 'UTC')::date AS day, min(id) AS id
              FROM born GROUP BY 1, 2, 3, 4) u
      LEFT JOIN LATERAL (
          SELECT c.id, CASE u.primitive WHEN 'compute' THEN c.compute_rate WHEN 'transfer' THEN c.transfer_rate
                                        WHEN 'ltm' THEN c.ltm_rate WHEN 'stm' THEN c.stm_rate END AS rate
            FROM cloud_credits_ratecard c
           WHERE c.state IN ('approved', 'active', 'superseded')
             AND c.effective_date <= u.day
           ORDER BY c.effective_date DESC
           LIMIT 1
      ) c ON true
     WHERE NOT coalesce(c.id = u.rate_card_id AND c.rate = u.rate, false)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'usage % is not priced by the rate card in force when it ended', bad
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
