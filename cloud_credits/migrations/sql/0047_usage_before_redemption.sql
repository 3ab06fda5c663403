-- Usage may be written before its redemption, in the same database transaction: a batch then writes its usage while
-- other batches of the same members still hold their balances. What `usage_matches` asks of a redemption that is there
-- already, one reference asks at COMMIT of every other: its number, type, member, cost and entry, all at once. A row of
-- the ledger has an entry only when it is completed, and none of the five ever changes afterwards.

-- The type its redemption must have, so that the reference below can ask for it. A default that never changes rewrites
-- no row; 0048 reads those that are there already.
ALTER TABLE cloud_credits_resourceusage
    ADD COLUMN movement varchar(12) NOT NULL DEFAULT 'redemption',
    ADD CONSTRAINT usage_is_redemption CHECK (movement = 'redemption') NOT VALID;
ALTER TABLE cloud_credits_cloudtransaction ADD CONSTRAINT transaction_as_charged UNIQUE USING INDEX transaction_as_charged;
-- stops: usage whose redemption is another's, of another sum, in another entry, or no redemption
ALTER TABLE cloud_credits_resourceusage
    ADD CONSTRAINT usage_is_redeemed FOREIGN KEY (transaction_id, movement, member_id, cost, journal_entry_id)
        REFERENCES cloud_credits_cloudtransaction (id, type, from_member_id, amount, journal_entry_id)
        DEFERRABLE INITIALLY DEFERRED NOT VALID;

-- Named, for a batch asks them before it waits for balances (`SET CONSTRAINTS … IMMEDIATE`).
DO $$
DECLARE
    reference record;
BEGIN
    FOR reference IN
        SELECT c.conname, CASE a.attname WHEN 'rate_card_id' THEN 'usage_of_card'
                                         WHEN 'service_key_id' THEN 'usage_of_key' ELSE 'usage_in_entry' END AS name
          FROM pg_constraint c
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND ARRAY[a.attnum] = c.conkey
         WHERE c.conrelid = 'cloud_credits_resourceusage'::regclass AND c.contype = 'f'
           AND a.attname IN ('rate_card_id', 'service_key_id', 'journal_entry_id')
    LOOP
        -- Applied again after its reverse, which leaves the names as they are.
        IF reference.conname <> reference.name THEN
            EXECUTE format('ALTER TABLE cloud_credits_resourceusage RENAME CONSTRAINT %I TO %I', reference.conname,
                           reference.name);
        END IF;
    END LOOP;
END $$;

-- As in 0042, but a redemption that is not there yet is left to `usage_is_redeemed`.
CREATE OR REPLACE FUNCTION cloud_credits_usage_matches() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad bigint;
BEGIN
    SELECT u.id INTO bad
      FROM born u
      JOIN cloud_credits_cloudtransaction t ON t.id = u.transaction_id
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
