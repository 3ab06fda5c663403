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

CREATE OR REPLACE FUNCTION cloud_credits_usage_votes_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM cloud_credits_ratecard c
                WHERE c.state = 'voting' AND c.closes_at <= habitat_now()
                  AND c.effective_date <= (SELECT max((u.metered_at AT TIME ZONE 'UTC')::date) FROM born u)) THEN
        RAISE EXCEPTION 'a closed vote decides the price of this usage and is not settled'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION cloud_credits_rate_card_governed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF NEW.state = 'proposed' THEN
        NEW.proposed_xid := pg_current_xact_id()::text::bigint;
        wrong := cloud_credits_wrong_notice(NEW);
    ELSIF NEW.state = 'voting' THEN
        wrong := cloud_credits_wrong_opening(NEW);
    ELSIF NEW.state = 'approved' THEN
        wrong := cloud_credits_wrong_adoption(NEW);
    ELSIF NEW.state = 'rejected' THEN
        IF NOT EXISTS (SELECT FROM cloud_credits_ratecardoutcome o
                        WHERE o.card_id = NEW.id AND o.version = NEW.version AND NOT o.passed) THEN
            wrong := 'no vote rejected it';
        END IF;
    ELSIF NEW.state = 'withdrawn' THEN
        IF NOT cloud_credits_is_now(NEW.withdrawn_at) THEN
            wrong := 'it is not withdrawn now';
        ELSIF NEW.closes_at <= habitat_now() THEN
            wrong := 'its vote is closed';
        END IF;
    ELSIF NEW.state = 'lapsed' THEN
        IF habitat_now() < NEW.proposed_at + interval '1440 hours' THEN
            wrong := 'its 60 days are not over';
        END IF;
    ELSIF NEW.state = 'draft' THEN
        wrong := cloud_credits_wrong_return(OLD);
    ELSIF NEW.state = 'active' THEN
        IF NEW.effective_date::timestamp AT TIME ZONE 'UTC' > habitat_now() THEN
            wrong := 'its day has not come';
        END IF;
    ELSIF NEW.state = 'superseded' THEN
        IF NOT EXISTS (SELECT FROM cloud_credits_ratecard c
                        WHERE c.state IN ('approved', 'active', 'superseded')
                          AND c.effective_date > NEW.effective_date
                          AND c.effective_date::timestamp AT TIME ZONE 'UTC' <= habitat_now()) THEN
            wrong := 'no later card is in force';
        END IF;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'rate card % cannot go from % to %: %', coalesce(NEW.version, OLD.version), OLD.state,
            NEW.state, wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION cloud_credits_wrong_notice(card cloud_credits_ratecard) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN NOT cloud_credits_is_now(card.proposed_at) THEN 'its notice is not given now'
        WHEN card.notice_date IS DISTINCT FROM (card.proposed_at AT TIME ZONE 'UTC')::date
            THEN 'its notice is dated another day'
        WHEN card.version <= greatest(
                (SELECT coalesce(max(c.version), 0) FROM cloud_credits_ratecard c WHERE c.id <> card.id),
                (SELECT coalesce(max(e.version), 0) FROM cloud_credits_ratecardelector e),
                (SELECT coalesce(max(o.version), 0) FROM cloud_credits_ratecardoutcome o))
            THEN 'its number was used before'
        WHEN NOT card.is_emergency AND EXISTS (
                SELECT FROM cloud_credits_ratecard c
                 WHERE c.state IN ('approved', 'active', 'superseded') AND NOT c.is_emergency
                   AND c.effective_date::timestamp AT TIME ZONE 'UTC' > habitat_now())
            THEN 'an approved card is not in force yet'
        WHEN EXISTS (
                SELECT FROM cloud_credits_ratecard c
                 WHERE c.state IN ('approved', 'active', 'superseded') AND c.effective_date >= card.effective_date
                   AND NOT (card.is_emergency AND NOT c.is_emergency
                            AND c.effective_date::timestamp AT TIME ZONE 'UTC' > habitat_now()))
            THEN 'a card takes effect on that day or later'
        WHEN card.is_emergency AND EXISTS (
                SELECT FROM cloud_credits_ratecard c
                 WHERE c.state IN ('approved', 'active', 'superseded') AND c.is_emergency
                   AND c.effective_date > card.effective_date - 180)
            THEN 'another emergency was adopted within 180 days'
        WHEN cloud_credits_above_cap(card) IS NOT NULL
            THEN cloud_credits_above_cap(card) || ' rises by more than its cap'
        END
$$;

DROP FUNCTION cloud_credits_silenced_by(cloud_credits_ratecard);
