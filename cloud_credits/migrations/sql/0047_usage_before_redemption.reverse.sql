ALTER TABLE cloud_credits_resourceusage
    DROP CONSTRAINT usage_is_redeemed, DROP CONSTRAINT usage_is_redemption, DROP COLUMN movement;
-- The index goes with it, and comes back as 0046 left it.
ALTER TABLE cloud_credits_cloudtransaction DROP CONSTRAINT transaction_as_charged;
CREATE UNIQUE INDEX transaction_as_charged
    ON cloud_credits_cloudtransaction (id, type, from_member_id, amount, journal_entry_id);

-- As in 0041; a price that is not the card's in force has a name of its own: the cards changed since it was read, and
-- the usage may be tried again.
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
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = 'usage_in_force';
    END IF;
    RETURN NULL;
END $$;
