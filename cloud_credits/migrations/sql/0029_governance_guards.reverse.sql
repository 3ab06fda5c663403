GRANT UPDATE, DELETE ON cloud_credits_ratecardelector, cloud_credits_ratecardballot, cloud_credits_ratecardcomment,
    cloud_credits_ratecardreminder, cloud_credits_ratecardoutcome TO habitat_app;
GRANT UPDATE ON cloud_credits_ratecard TO habitat_app;
DROP TRIGGER usage_votes_settled ON cloud_credits_resourceusage;
DROP FUNCTION cloud_credits_usage_votes_settled();
DROP TRIGGER outcome_followed ON cloud_credits_ratecardoutcome;
DROP FUNCTION cloud_credits_outcome_followed();
DROP TRIGGER outcome_kept ON cloud_credits_ratecardoutcome;
DROP TRIGGER outcome_counted ON cloud_credits_ratecardoutcome;
DROP FUNCTION cloud_credits_outcome_counted();
DROP TRIGGER reminder_kept ON cloud_credits_ratecardreminder;
DROP TRIGGER comment_kept ON cloud_credits_ratecardcomment;
DROP TRIGGER comment_in_time ON cloud_credits_ratecardcomment;
DROP FUNCTION cloud_credits_comment_in_time();
DROP TRIGGER ballot_kept ON cloud_credits_ratecardballot;
DROP TRIGGER ballot_in_time ON cloud_credits_ratecardballot;
DROP FUNCTION cloud_credits_ballot_in_time();
DROP TRIGGER elector_kept ON cloud_credits_ratecardelector;
DROP TRIGGER elector_frozen ON cloud_credits_ratecardelector;
DROP FUNCTION cloud_credits_elector_frozen();
DROP TRIGGER elector_born ON cloud_credits_ratecardelector;
DROP FUNCTION cloud_credits_electorate_born();
ALTER TABLE cloud_credits_ratecard DROP CONSTRAINT rate_card_notice_by_the_hour;
DROP TRIGGER rate_card_governed ON cloud_credits_ratecard;
DROP FUNCTION cloud_credits_rate_card_governed();
DROP FUNCTION cloud_credits_wrong_return(cloud_credits_ratecard);
DROP FUNCTION cloud_credits_wrong_adoption(cloud_credits_ratecard);
DROP FUNCTION cloud_credits_wrong_opening(cloud_credits_ratecard);
DROP FUNCTION cloud_credits_wrong_notice(cloud_credits_ratecard);
DROP FUNCTION cloud_credits_is_now(timestamptz);
DROP FUNCTION cloud_credits_above_cap(cloud_credits_ratecard);
DROP FUNCTION cloud_credits_active_stewards();
CREATE OR REPLACE FUNCTION cloud_credits_rate_card_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    movable text[] := ARRAY['state'];
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN NEW;
    END IF;
    IF NEW.state = 'draft' THEN
        movable := movable || ARRAY['version', 'effective_date', 'notice_date', 'approved_at'];
    ELSIF OLD.state = 'voting' AND NEW.state = 'approved' THEN
        movable := movable || ARRAY['approved_at'];
    END IF;
    IF to_jsonb(NEW) - movable IS DISTINCT FROM to_jsonb(OLD) - movable THEN
        RAISE EXCEPTION 'rate card % is % and stays as it was proposed', OLD.version, OLD.state
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER rate_card_states ON cloud_credits_ratecard;
CREATE TRIGGER rate_card_states BEFORE INSERT OR UPDATE ON cloud_credits_ratecard
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'draft',
        'draft>proposed,proposed>voting,proposed>withdrawn,proposed>lapsed,proposed>draft,voting>approved,voting>rejected,voting>withdrawn,voting>draft,approved>active,approved>withdrawn,approved>draft,active>superseded',
        'version,compute_rate,transfer_rate,ltm_rate,stm_rate,effective_date,notice_date,is_emergency,compute_cost,transfer_cost,ltm_cost,stm_cost,target_margin,reserve_buffer,capacity_assumptions,justification,notes,approved_at');
