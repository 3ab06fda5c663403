-- The caps beside the cards that still count at `at`: a normal card not in force then gives way to an emergency.
-- The same arithmetic as 0029's, which judges beside every adopted card: at 'infinity' none has to give way.
CREATE FUNCTION cloud_credits_above_cap(card cloud_credits_ratecard, at timestamptz) RETURNS text
    LANGUAGE sql STABLE AS $$
    WITH adopted AS (
        SELECT c.*, lead(c.effective_date, 1, 'infinity') OVER (ORDER BY c.effective_date) AS over_on
          FROM cloud_credits_ratecard c
         WHERE c.state IN ('approved', 'active', 'superseded') AND c.id <> card.id
           AND NOT (card.is_emergency AND NOT c.is_emergency
                    AND c.effective_date::timestamp AT TIME ZONE 'UTC' > at)
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
CREATE OR REPLACE FUNCTION cloud_credits_above_cap(card cloud_credits_ratecard) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT cloud_credits_above_cap(card, 'infinity')
$$;

-- Whether the ballots alone adopt a card: the bars of policies/governance.tally (domain §4, outcome).
CREATE FUNCTION cloud_credits_vote_won(yes bigint, no bigint, votes bigint, electors bigint, is_emergency boolean)
    RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT 2 * votes >= electors AND yes > no AND yes >= 2 AND 4 * yes >= electors
       AND (NOT is_emergency OR 3 * yes >= 2 * electors)
$$;

-- The rule that a card breaks when its vote closes; null when none. policies/governance.problems at Step.OUTCOME in
-- SQL: the two never differ, else no closed vote could be settled and no usage be priced.
CREATE FUNCTION cloud_credits_broken_at_close(card cloud_credits_ratecard) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN extract(year FROM card.effective_date) NOT BETWEEN 2000 AND 2999 THEN 'its day is none to set prices for'
        WHEN 'NaN'::numeric = ANY(ARRAY[card.compute_rate, card.transfer_rate, card.ltm_rate, card.stm_rate,
                                        card.compute_cost, card.transfer_cost, card.ltm_cost, card.stm_cost,
                                        card.target_margin, card.reserve_buffer])
                OR 0 > ANY(ARRAY[card.target_margin, card.reserve_buffer])
            THEN 'a number of it is none'
        WHEN 20000 < ANY(ARRAY[length(card.capacity_assumptions), length(card.justification), length(card.notes),
                               length(card.evidence)])
            THEN 'a text of it is too long'
        WHEN EXISTS (
                SELECT FROM cloud_credits_ratecard c
                 WHERE c.id <> card.id AND c.state IN ('approved', 'active', 'superseded')
                   AND c.effective_date >= card.effective_date
                   AND NOT (card.is_emergency AND NOT c.is_emergency
                            AND c.effective_date::timestamp AT TIME ZONE 'UTC' > card.closes_at))
            THEN 'a card takes effect on that day or later'
        WHEN card.is_emergency AND EXISTS (
                SELECT FROM cloud_credits_ratecard c
                 WHERE c.id <> card.id AND c.state IN ('approved', 'active', 'superseded') AND c.is_emergency
                   AND c.effective_date > card.effective_date - 180)
            THEN 'another emergency was adopted within 180 days'
        WHEN cloud_credits_above_cap(card, card.closes_at) IS NOT NULL
            THEN cloud_credits_above_cap(card, card.closes_at) || ' rises by more than its cap'
        END
$$;

-- stops, beside what it stopped in 0029: a vote that was won written down as lost, for good
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
        WHEN NOT NEW.passed
                AND cloud_credits_vote_won(counted.yes, counted.no, counted.votes, counted.electors, card.is_emergency)
                AND cloud_credits_broken_at_close(card) IS NULL
            THEN 'its vote was won and its rates keep the rules'
        END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'no such outcome of rate card %: %', NEW.version, wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

-- stops: usage of any age let in without a second person, and usage that has not happened yet (domain §4)
ALTER TABLE cloud_credits_resourceusage
    ADD CONSTRAINT usage_old_is_late CHECK (is_late OR metered_at >= received_at - interval '840 hours'),
    ADD CONSTRAINT usage_not_ahead CHECK (metered_at <= received_at + interval '5 minutes');

-- stops: the two above evaded by another time of receipt than the house's, and late usage under an approval that is no
-- granted one of this very usage. Usage left in the queue was received when the queue took it in; the queue's clock
-- and a web server's may be a little ahead of the database's.
CREATE FUNCTION cloud_credits_usage_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := habitat_now();
    asked record;
    bad bigint;
BEGIN
    -- One look at a batch; the questions below are put only where it found cause.
    SELECT min(u.received_at) AS earliest, max(u.received_at) AS latest, bool_or(u.is_late) AS any_late
      INTO asked FROM born u;
    IF asked.latest > at + interval '1 minute' THEN
        SELECT u.id INTO bad FROM born u WHERE u.received_at > at + interval '1 minute' LIMIT 1;
    ELSIF asked.earliest < at - interval '1 hour' THEN
        SELECT u.id INTO bad
          FROM born u
         WHERE u.received_at < at - interval '1 hour'
           AND NOT EXISTS (SELECT FROM cloud_credits_meteringsubmission s
                            WHERE s.state = 'queued' AND s.service_key_id = u.service_key_id
                              AND s.received_at = u.received_at)
         LIMIT 1;
    END IF;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'usage % was not received then', bad
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    IF asked.any_late THEN
        SELECT u.id INTO bad
          FROM born u
         WHERE u.is_late
           AND NOT EXISTS (SELECT FROM controls_approval a
                            WHERE a.id = u.approval_id AND a.kind = 'late_usage' AND a.state = 'granted'
                              AND a.payload ->> 'eventId' = u.event_id
                              AND a.payload ->> 'keyId' = u.service_key_id::text
                              AND a.payload ->> 'memberId' = u.member_id::text
                              AND a.payload ->> 'primitive' = u.primitive
                              AND (a.payload ->> 'quantity')::numeric = u.quantity)
         LIMIT 1;
    END IF;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'late usage % was not let in by two persons', bad
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER usage_in_time AFTER INSERT ON cloud_credits_resourceusage
    REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION cloud_credits_usage_in_time();
