CREATE OR REPLACE FUNCTION cloud_credits_check_booked(members bigint[], earliest timestamptz) RETURNS void
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    bad record;
BEGIN
    SELECT m.id INTO bad
      FROM (SELECT DISTINCT given.id FROM unnest(members) AS given(id) WHERE given.id IS NOT NULL) m
      LEFT JOIN cloud_credits_cloudbalance b ON b.member_id = m.id
     CROSS JOIN LATERAL (
          SELECT * FROM (
              (SELECT from_sequence AS seq, from_liquid_after AS liquid, from_staked_after AS staked, booked_at
                 FROM cloud_credits_cloudtransaction
                WHERE from_member_id = m.id AND booked_at < earliest ORDER BY booked_at DESC LIMIT 1)
              UNION ALL
              (SELECT to_sequence, to_liquid_after, to_staked_after, booked_at
                 FROM cloud_credits_cloudtransaction
                WHERE to_member_id = m.id AND booked_at < earliest ORDER BY booked_at DESC LIMIT 1)
              UNION ALL
              SELECT 0, 0, 0, '-infinity'
          ) sides ORDER BY booked_at DESC LIMIT 1
     ) base
     CROSS JOIN LATERAL (
          SELECT count(*) AS rows, max(booked_at) AS last_at, sum(liquid) AS liquid, sum(staked) AS staked,
                 bool_and(seq = base.seq + number AND liquid_after = base.liquid + liquid_run
                          AND staked_after = base.staked + staked_run) AS played
            FROM (
                SELECT *, row_number() OVER run AS number, sum(liquid) OVER run AS liquid_run,
                       sum(staked) OVER run AS staked_run
                  FROM (
                      SELECT booked_at, from_sequence AS seq, from_liquid_after AS liquid_after,
                             from_staked_after AS staked_after,
                             CASE type WHEN 'unstake' THEN amount ELSE -amount END AS liquid,
                             CASE type WHEN 'stake' THEN amount WHEN 'unstake' THEN -amount ELSE 0 END AS staked
                        FROM cloud_credits_cloudtransaction
                       WHERE from_member_id = m.id AND booked_at >= earliest
                      UNION ALL
                      SELECT booked_at, to_sequence, to_liquid_after, to_staked_after, amount, 0
                        FROM cloud_credits_cloudtransaction
                       WHERE to_member_id = m.id AND booked_at >= earliest
                         AND from_member_id IS DISTINCT FROM to_member_id
                  ) sides WINDOW run AS (ORDER BY booked_at)
            ) numbered
     ) n
     WHERE NOT coalesce(
            n.played AND b.version = base.seq + n.rows AND b.booked_at = n.last_at
            AND b.liquid = base.liquid + n.liquid AND b.staked = base.staked + n.staked, false)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the balance of member % and its newest transactions disagree', bad.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_matches_balance';
    END IF;
END $$;
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
      FROM born u
      LEFT JOIN LATERAL (
          SELECT c.id, CASE u.primitive WHEN 'compute' THEN c.compute_rate WHEN 'transfer' THEN c.transfer_rate
                                        WHEN 'ltm' THEN c.ltm_rate WHEN 'stm' THEN c.stm_rate END AS rate
            FROM cloud_credits_ratecard c
           WHERE c.state IN ('approved', 'active', 'superseded')
             AND c.effective_date <= (u.metered_at AT TIME ZONE 'UTC')::date
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
