-- The stewards who may vote now: active members whose sign-in works and holds the role.
CREATE FUNCTION cloud_credits_active_stewards() RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT m.id
      FROM members_member m
      JOIN members_user u ON u.id = m.user_id AND u.is_active
      JOIN members_user_groups ug ON ug.user_id = u.id
      JOIN auth_group g ON g.id = ug.group_id AND g.name = 'steward'
     WHERE m.status = 'active'
$$;

-- The first primitive of a card that rises by more than it may (domain §4, caps); null when none does. The same
-- arithmetic as policies/governance.highest_rate, multiplied out so that nothing is divided.
CREATE FUNCTION cloud_credits_above_cap(card cloud_credits_ratecard) RETURNS text LANGUAGE sql STABLE AS $$
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

-- What a card's own columns may do at each step; states are rate_card_states'.
DROP TRIGGER rate_card_states ON cloud_credits_ratecard;
CREATE TRIGGER rate_card_states BEFORE INSERT OR UPDATE ON cloud_credits_ratecard
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'draft',
        'draft>proposed,proposed>voting,proposed>withdrawn,proposed>lapsed,proposed>draft,voting>approved,voting>rejected,voting>withdrawn,voting>draft,approved>active,approved>draft,active>superseded',
        'version,compute_rate,transfer_rate,ltm_rate,stm_rate,effective_date,notice_date,is_emergency,compute_cost,transfer_cost,ltm_cost,stm_cost,target_margin,reserve_buffer,capacity_assumptions,justification,notes,evidence,approved_at,proposed_at,proposed_by,proposed_xid,opens_at,closes_at,withdrawn_at,ended_reason,rules,content_hash,amends_id');

-- stops: a rate, a date, a cost or a reason that changes once members were told of it. Only a draft is edited; the
-- notice, the vote, the adoption and the withdrawal are each stamped once, on their own edge.
CREATE OR REPLACE FUNCTION cloud_credits_rate_card_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    movable text[] := ARRAY['state'];
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN NEW;
    END IF;
    movable := movable || CASE
        WHEN NEW.state = OLD.state THEN ARRAY[]::text[]
        WHEN NEW.state = 'draft' THEN ARRAY['version', 'notice_date', 'proposed_at', 'proposed_by', 'proposed_xid',
                                            'opens_at', 'closes_at', 'approved_at', 'content_hash', 'rules',
                                            'ended_reason']
        WHEN NEW.state = 'voting' THEN ARRAY['opens_at', 'closes_at']
        WHEN NEW.state = 'approved' THEN ARRAY['approved_at']
        WHEN NEW.state = 'withdrawn' THEN ARRAY['withdrawn_at', 'ended_reason']
        WHEN NEW.state = 'lapsed' THEN ARRAY['ended_reason']
        ELSE ARRAY[]::text[] END;
    IF to_jsonb(NEW) - movable IS DISTINCT FROM to_jsonb(OLD) - movable THEN
        RAISE EXCEPTION 'rate card % is % and stays as it was proposed', OLD.version, OLD.state
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

-- The house's clock as a verb read it: not ahead of the database's, and not older than a verb may take.
CREATE FUNCTION cloud_credits_is_now(moment timestamptz) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(moment <= habitat_now() AND moment > habitat_now() - interval '1 minute', false)
$$;

-- What is wrong with each step of a card, in words; null when nothing is.
CREATE FUNCTION cloud_credits_wrong_notice(card cloud_credits_ratecard) RETURNS text LANGUAGE sql VOLATILE AS $$
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

CREATE FUNCTION cloud_credits_wrong_opening(card cloud_credits_ratecard) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN NOT cloud_credits_is_now(card.opens_at) THEN 'its vote does not open now'
        WHEN NOT card.is_emergency AND card.opens_at < card.proposed_at + interval '336 hours'
            THEN 'it was discussed for less than 14 days'
        WHEN card.opens_at >= card.proposed_at + interval '1440 hours' THEN 'it has lapsed'
        WHEN card.closes_at < card.opens_at
                + CASE WHEN card.is_emergency THEN interval '24 hours' ELSE interval '72 hours' END
            THEN 'its vote is too short'
        WHEN card.effective_date::timestamp AT TIME ZONE 'UTC' < card.closes_at
                + CASE WHEN card.is_emergency THEN interval '24 hours' ELSE interval '72 hours' END
            THEN 'its vote closes too late'
        WHEN EXISTS (
                SELECT FROM cloud_credits_ratecardelector e
                 WHERE e.card_id = card.id AND e.version = card.version
                   AND e.at_opening IS DISTINCT FROM
                       (e.member_id IN (SELECT cloud_credits_active_stewards())))
            THEN 'its electorate is not those who are stewards now'
        WHEN (SELECT count(*) FROM cloud_credits_ratecardelector e
               WHERE e.card_id = card.id AND e.version = card.version AND e.at_opening) < 2
            THEN 'it has fewer than two electors'
        WHEN cloud_credits_above_cap(card) IS NOT NULL
            THEN cloud_credits_above_cap(card) || ' rises by more than its cap'
        END
$$;

CREATE FUNCTION cloud_credits_wrong_adoption(card cloud_credits_ratecard) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN card.approved_at IS DISTINCT FROM card.closes_at THEN 'it is adopted at the close of its vote'
        WHEN NOT EXISTS (SELECT FROM cloud_credits_ratecardoutcome o
                          WHERE o.card_id = card.id AND o.version = card.version AND o.passed)
            THEN 'no vote adopted it'
        WHEN EXISTS (SELECT FROM cloud_credits_ratecard c
                      WHERE c.id <> card.id AND c.state IN ('approved', 'active', 'superseded')
                        AND c.effective_date >= card.effective_date)
            THEN 'a card takes effect on that day or later'
        WHEN cloud_credits_above_cap(card) IS NOT NULL
            THEN cloud_credits_above_cap(card) || ' rises by more than its cap'
        END
$$;

-- Sent back to draft: by the vote that adopted an emergency while this card was under way.
CREATE FUNCTION cloud_credits_wrong_return(card cloud_credits_ratecard) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN card.is_emergency THEN 'an emergency card is not sent back'
        WHEN NOT EXISTS (
                SELECT FROM cloud_credits_ratecardoutcome o
                  JOIN cloud_credits_ratecard e ON e.id = o.card_id AND e.version = o.version
                 WHERE e.is_emergency AND o.passed AND e.closes_at > card.proposed_at
                   AND (card.state <> 'approved'
                        OR card.effective_date::timestamp AT TIME ZONE 'UTC' > e.closes_at))
            THEN 'no emergency card was adopted meanwhile'
        END
$$;

-- stops: a notice, a vote, an adoption, a withdrawal or a return that the rules of domain §4 do not allow, judged by
-- the database's own clock and rows
CREATE FUNCTION cloud_credits_rate_card_governed() RETURNS trigger LANGUAGE plpgsql AS $$
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
-- Its name comes after rate_card_frozen and before rate_card_states: triggers fire in the order of their names.
CREATE TRIGGER rate_card_governed BEFORE UPDATE ON cloud_credits_ratecard
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_rate_card_governed();

-- stops: rates that change less than 30 (7) times 24 hours after the notice, to the microsecond
ALTER TABLE cloud_credits_ratecard ADD CONSTRAINT rate_card_notice_by_the_hour CHECK (
    proposed_at IS NULL OR effective_date IS NULL OR
    effective_date::timestamp AT TIME ZONE 'UTC'
        >= proposed_at + CASE WHEN is_emergency THEN interval '168 hours' ELSE interval '720 hours' END);

-- stops: an electorate written down later than in the notice's own transaction, or that leaves out or adds anybody
CREATE FUNCTION cloud_credits_electorate_born() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad bigint;
BEGIN
    SELECT b.card_id INTO bad
      FROM born b
      LEFT JOIN cloud_credits_ratecard c ON c.id = b.card_id
     WHERE NOT coalesce(c.state = 'proposed' AND c.version = b.version AND b.at_opening IS NULL
                        AND c.proposed_xid = pg_current_xact_id()::text::bigint, false)
     LIMIT 1;
    IF NOT FOUND THEN
        SELECT c.card_id INTO bad
          FROM (SELECT DISTINCT card_id, version FROM born) c
         WHERE EXISTS (
            (SELECT cloud_credits_active_stewards()
              EXCEPT SELECT e.member_id FROM cloud_credits_ratecardelector e WHERE e.version = c.version)
            UNION ALL
            (SELECT e.member_id FROM cloud_credits_ratecardelector e WHERE e.version = c.version
              EXCEPT SELECT cloud_credits_active_stewards()))
         LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'the electorate of card % is not the stewards of its notice', bad
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER elector_born AFTER INSERT ON cloud_credits_ratecardelector
    REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION cloud_credits_electorate_born();

-- stops: an elector who changes, or whose standing changes once the vote is open
CREATE FUNCTION cloud_credits_elector_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (to_jsonb(NEW) - 'at_opening') IS DISTINCT FROM (to_jsonb(OLD) - 'at_opening')
        OR NEW.at_opening IS NULL
        OR NOT EXISTS (SELECT FROM cloud_credits_ratecard c
                        WHERE c.id = NEW.card_id AND c.version = NEW.version AND c.state = 'proposed')
    THEN
        RAISE EXCEPTION 'the electorate of card % is frozen', OLD.card_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER elector_frozen BEFORE UPDATE ON cloud_credits_ratecardelector
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_elector_frozen();
-- stops: an elector struck from the roll
CREATE TRIGGER elector_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_ratecardelector
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a ballot outside [opens_at, closes_at) by the database's clock, by somebody who is no elector or no longer
-- active, or with another time than now. The card is held, so that a settlement waits for the ballots that came in
-- time; the elector is held, so that of two ballots at once one is the later.
CREATE FUNCTION cloud_credits_ballot_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    card cloud_credits_ratecard;
    elector cloud_credits_ratecardelector;
BEGIN
    SELECT c.* INTO card FROM cloud_credits_ratecard c WHERE c.id = NEW.card_id FOR SHARE;
    SELECT e.* INTO elector FROM cloud_credits_ratecardelector e WHERE e.id = NEW.elector_id FOR NO KEY UPDATE;
    NEW.cast_at := habitat_now();
    IF NOT coalesce(card.state = 'voting' AND NEW.cast_at >= card.opens_at AND NEW.cast_at < card.closes_at, false) THEN
        RAISE EXCEPTION 'rate card % takes no ballots at %', card.version, NEW.cast_at
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    IF NOT coalesce(elector.card_id = card.id AND elector.version = card.version AND elector.at_opening
        AND EXISTS (SELECT FROM members_member m WHERE m.id = elector.member_id AND m.status = 'active'), false)
    THEN
        RAISE EXCEPTION 'this is no ballot of an elector of rate card %', card.version
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ballot_in_time BEFORE INSERT ON cloud_credits_ratecardballot
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_ballot_in_time();
-- stops: a ballot changed, taken back or emptied
CREATE TRIGGER ballot_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_ratecardballot
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a comment on a card that is not being discussed, or dated another time than now
CREATE FUNCTION cloud_credits_comment_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := habitat_now();
    IF NOT EXISTS (SELECT FROM cloud_credits_ratecard c
                    WHERE c.id = NEW.card_id AND c.version = NEW.version AND c.state IN ('proposed', 'voting')) THEN
        RAISE EXCEPTION 'card % is not being discussed', NEW.card_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER comment_in_time BEFORE INSERT ON cloud_credits_ratecardcomment
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_comment_in_time();
-- stops: what was said unsaid
CREATE TRIGGER comment_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_ratecardcomment
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a reminder sent twice by taking its mark away
CREATE TRIGGER reminder_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_ratecardreminder
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: an outcome before the close, with another count than the ballots', or passed below a bar. The card is held
-- as the settlement holds it: ballots that came in time are in.
CREATE FUNCTION cloud_credits_outcome_counted() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER outcome_counted BEFORE INSERT ON cloud_credits_ratecardoutcome
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_outcome_counted();
-- stops: an outcome rewritten
CREATE TRIGGER outcome_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_ratecardoutcome
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: an outcome written down and its card left in the vote
CREATE FUNCTION cloud_credits_outcome_followed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM cloud_credits_ratecard c
                WHERE c.id = NEW.card_id AND c.version = NEW.version
                  AND c.state NOT IN ('approved', 'active', 'superseded', 'rejected')) THEN
        RAISE EXCEPTION 'the outcome of rate card % was not followed', NEW.version
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER outcome_followed AFTER INSERT ON cloud_credits_ratecardoutcome
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cloud_credits_outcome_followed();

-- stops: usage priced while a vote that is closed and would change its price waits to be settled
CREATE FUNCTION cloud_credits_usage_votes_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM cloud_credits_ratecard c
                WHERE c.state = 'voting' AND c.closes_at <= habitat_now()
                  AND c.effective_date <= (SELECT max((u.metered_at AT TIME ZONE 'UTC')::date) FROM born u)) THEN
        RAISE EXCEPTION 'a closed vote decides the price of this usage and is not settled'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER usage_votes_settled AFTER INSERT ON cloud_credits_resourceusage
    REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION cloud_credits_usage_votes_settled();

REVOKE UPDATE ON cloud_credits_ratecard FROM habitat_app;
GRANT UPDATE (version, state, compute_rate, transfer_rate, ltm_rate, stm_rate, effective_date, notice_date,
              is_emergency, compute_cost, transfer_cost, ltm_cost, stm_cost, target_margin, reserve_buffer,
              capacity_assumptions, justification, notes, evidence, approved_at, proposed_at, proposed_by, opens_at,
              closes_at, withdrawn_at, ended_reason, rules, content_hash, proposed_xid)
    ON cloud_credits_ratecard TO habitat_app;
REVOKE UPDATE, DELETE, TRUNCATE ON cloud_credits_ratecardelector, cloud_credits_ratecardballot,
    cloud_credits_ratecardcomment, cloud_credits_ratecardreminder, cloud_credits_ratecardoutcome FROM habitat_app;
GRANT UPDATE (at_opening) ON cloud_credits_ratecardelector TO habitat_app;
