-- stops: usage whose transaction is not a completed redemption of its cost by its member, or that was not priced by
-- the adopted card with the latest effective date on or before the UTC day it ended. One check a statement.
CREATE FUNCTION cloud_credits_usage_matches() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER usage_matches AFTER INSERT ON cloud_credits_resourceusage
    REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION cloud_credits_usage_matches();

-- stops: usage rewritten, deleted or emptied
CREATE TRIGGER usage_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_resourceusage
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a refusal made to look as if it never was
CREATE TRIGGER refusal_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_meteringrefusal
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

REVOKE UPDATE, DELETE, TRUNCATE ON cloud_credits_resourceusage, cloud_credits_meteringrefusal FROM habitat_app;
REVOKE DELETE, TRUNCATE ON cloud_credits_usageimport FROM habitat_app;
