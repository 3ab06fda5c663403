-- The first card whose defeat of the last 30 days bars this one's rates (domain §4, withdrawal); null when none does.
-- The same judgement as policies/governance._silenced: a primitive is barred where the defeated card would have raised
-- it and this one asks as much or more; the very same four rates are barred even where they raised nothing.
CREATE FUNCTION cloud_credits_silenced_by(card cloud_credits_ratecard) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT d.version
      FROM (SELECT c.*, CASE c.state WHEN 'rejected' THEN c.closes_at ELSE c.withdrawn_at END AS defeated_at
              FROM cloud_credits_ratecard c
             WHERE c.id <> card.id
               AND (c.state = 'rejected' OR (c.state = 'withdrawn' AND c.closes_at IS NOT NULL))) d
      LEFT JOIN LATERAL (
          SELECT a.* FROM cloud_credits_ratecard a
           WHERE a.state IN ('approved', 'active', 'superseded') AND a.id <> card.id
             AND a.effective_date < d.effective_date
           ORDER BY a.effective_date DESC LIMIT 1
      ) base ON true
     WHERE card.proposed_at < d.defeated_at + interval '720 hours'
       AND ((d.compute_rate > base.compute_rate AND card.compute_rate >= d.compute_rate)
            OR (d.transfer_rate > base.transfer_rate AND card.transfer_rate >= d.transfer_rate)
            OR (d.ltm_rate > base.ltm_rate AND card.ltm_rate >= d.ltm_rate)
            OR (d.stm_rate > base.stm_rate AND card.stm_rate >= d.stm_rate)
            OR (card.compute_rate, card.transfer_rate, card.ltm_rate, card.stm_rate)
                = (d.compute_rate, d.transfer_rate, d.ltm_rate, d.stm_rate))
     ORDER BY d.version LIMIT 1
$$;

-- What is wrong with a notice, as in 0029; and: rates that a defeat silences, a blank justification, and a vote or a
-- withdrawal that the notice brings along.
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
        WHEN num_nonnulls(card.opens_at, card.closes_at, card.approved_at, card.withdrawn_at) > 0
            THEN 'it carries what only a vote or a withdrawal stamps'
        WHEN card.justification !~ '\S' OR card.capacity_assumptions !~ '\S'
            THEN 'it does not say why, or for what capacity'
        WHEN cloud_credits_silenced_by(card) IS NOT NULL
            THEN 'rate card ' || cloud_credits_silenced_by(card) || ' was defeated less than 30 days ago'
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

-- As in 0029; and: a withdrawal by somebody else than the proposer.
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
        -- Who acts is what the verb says of itself; a statement without a verb says nothing.
        ELSIF coalesce(nullif(current_setting('pghistory.context_metadata', true), '')::jsonb ->> 'actor',
                       NEW.proposed_by) <> NEW.proposed_by THEN
            wrong := 'only its proposer withdraws it';
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

-- stops: usage priced while a vote that is closed and would change its price waits to be settled. As in 0029; and: an
-- emergency also changes the price of today where it sends back a card that has begun since its close.
CREATE OR REPLACE FUNCTION cloud_credits_usage_votes_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM cloud_credits_ratecard c
                WHERE c.state = 'voting' AND c.closes_at <= habitat_now()
                  AND (c.effective_date <= (SELECT max((u.metered_at AT TIME ZONE 'UTC')::date) FROM born u)
                       OR c.is_emergency AND EXISTS (
                           SELECT FROM cloud_credits_ratecard n
                            WHERE n.state IN ('approved', 'active', 'superseded') AND NOT n.is_emergency
                              AND n.effective_date > (c.closes_at AT TIME ZONE 'UTC')::date
                              AND n.effective_date <= (SELECT max((u.metered_at AT TIME ZONE 'UTC')::date)
                                                         FROM born u)))) THEN
        RAISE EXCEPTION 'a closed vote decides the price of this usage and is not settled'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;

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
