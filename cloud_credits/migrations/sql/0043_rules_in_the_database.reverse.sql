DROP TRIGGER usage_in_time ON cloud_credits_resourceusage;
DROP FUNCTION cloud_credits_usage_in_time();
ALTER TABLE cloud_credits_resourceusage DROP CONSTRAINT usage_not_ahead, DROP CONSTRAINT usage_old_is_late;
CREATE OR REPLACE FUNCTION cloud_credits_outcome_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    card cloud_credits_ratecard;
    wrong text;
    counted record;
BEGIN
    SELECT c.* INTO card FROM cloud_credits_ratecard c WHERE c.id = NEW.card_id FOR NO KEY UPDATE;
    NEW.settled_at := habitat_now();
    SELECT count(*) FILTER (WHERE v.choice = 'yes') AS yes, count(*) FILTER (WHERE v.choice = 'no') AS no,
           count(*) FILTER (WHERE v.choice = 'abstain') AS abstain, count(*) AS electors, count(v.choice) AS votes
      INTO counted
      FROM cloud_credits_ratecardelector e
      LEFT JOIN LATERAL (SELECT b.choice FROM cloud_credits_ratecardballot b
                          WHERE b.elector_id = e.id AND b.cast_at < card.closes_at
                          ORDER BY b.cast_at DESC, b.id DESC LIMIT 1) v ON true
     WHERE e.card_id = card.id AND e.version = card.version AND e.at_opening;
    wrong := CASE
        WHEN NOT coalesce(card.state = 'voting' AND card.version = NEW.version, false) THEN 'it is not voted on'
        WHEN card.closes_at > NEW.settled_at THEN 'its vote is open'
        WHEN (NEW.closed_at, NEW.is_emergency) IS DISTINCT FROM (card.closes_at, card.is_emergency)
            THEN 'its vote closed at another time, or was of another kind'
        WHEN (NEW.yes, NEW.no, NEW.abstain, NEW.electors)
                IS DISTINCT FROM (counted.yes, counted.no, counted.abstain, counted.electors)
            THEN 'the ballots come to something else'
        WHEN NEW.quorum_met IS DISTINCT FROM (2 * counted.votes >= counted.electors) THEN 'its quorum is misjudged'
        WHEN NEW.passed AND card.is_emergency AND 3 * counted.yes < 2 * counted.electors
            THEN 'an emergency needs two thirds'
        END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'no such outcome of rate card %: %', NEW.version, wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
DROP FUNCTION cloud_credits_broken_at_close(cloud_credits_ratecard);
DROP FUNCTION cloud_credits_vote_won(bigint, bigint, bigint, bigint, boolean);
CREATE OR REPLACE FUNCTION cloud_credits_above_cap(card cloud_credits_ratecard) RETURNS text LANGUAGE sql STABLE AS $$
    WITH adopted AS (
        SELECT c.*, lead(c.effective_date, 1, 'infinity') OVER (ORDER BY c.effective_date) AS over_on
          FROM cloud_credits_ratecard c
         WHERE c.state IN ('approved', 'active', 'superseded') AND c.id <> card.id
    ),
    primitive AS (
        SELECT a.id, a.effective_date, a.over_on, p.name, p.rate, p.cost
          FROM adopted a
         CROSS JOIN LATERAL (VALUES ('compute', a.compute_rate, a.compute_cost),
                                    ('transfer', a.transfer_rate, a.transfer_cost),
                                    ('ltm', a.ltm_rate, a.ltm_cost),
                                    ('stm', a.stm_rate, a.stm_cost)) AS p (name, rate, cost)
         WHERE a.effective_date < card.effective_date
    ),
    bound AS (
        SELECT name,
               min(rate) FILTER (WHERE over_on > card.effective_date - 92) AS lowest,
               (array_agg(rate ORDER BY effective_date DESC))[1] AS previous,
               max(cost) FILTER (WHERE over_on > card.notice_date - 365) AS highest_cost
          FROM primitive GROUP BY name
    )
    SELECT asked.name
      FROM (VALUES ('compute', card.compute_rate, card.compute_cost, 1.5),
                   ('transfer', card.transfer_rate, card.transfer_cost, 1.5),
                   ('ltm', card.ltm_rate, card.ltm_cost, 1.3),
                   ('stm', card.stm_rate, card.stm_cost, 1.5)) AS asked (name, rate, cost, most)
      JOIN bound ON bound.name = asked.name
     WHERE asked.rate > bound.previous
       AND asked.rate > bound.lowest * asked.most
       AND NOT (card.is_emergency AND bound.highest_cost > 0 AND asked.cost > 2 * bound.highest_cost
                AND asked.rate * bound.highest_cost <= bound.lowest * asked.cost)
     ORDER BY asked.name LIMIT 1
$$;
DROP FUNCTION cloud_credits_above_cap(cloud_credits_ratecard, timestamptz);
