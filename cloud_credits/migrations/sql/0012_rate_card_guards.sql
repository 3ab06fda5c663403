-- stops: a card born adopted, and a card that leaves its machine's edges
CREATE TRIGGER rate_card_states BEFORE INSERT OR UPDATE ON cloud_credits_ratecard
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'draft',
        'draft>proposed,proposed>voting,proposed>withdrawn,proposed>lapsed,proposed>draft,voting>approved,voting>rejected,voting>withdrawn,voting>draft,approved>active,approved>withdrawn,approved>draft,active>superseded',
        'version,compute_rate,transfer_rate,ltm_rate,stm_rate,effective_date,notice_date,is_emergency,compute_cost,transfer_cost,ltm_cost,stm_cost,target_margin,reserve_buffer,capacity_assumptions,justification,notes,approved_at');

-- stops: a rate, a date, a cost or a reason that changes once members were told of it. Only a draft is edited; a
-- card on its way from or to a draft carries its number and dates; an adoption stamps its moment, once.
CREATE FUNCTION cloud_credits_rate_card_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER rate_card_frozen BEFORE UPDATE ON cloud_credits_ratecard
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_rate_card_frozen();

-- stops: a card deleted, by whichever role: a price once charged keeps its card
CREATE TRIGGER rate_card_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_ratecard
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: rewritten history of rate cards
CREATE TRIGGER rate_card_history_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_ratecardhistory
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

REVOKE DELETE, TRUNCATE ON cloud_credits_ratecard FROM habitat_app;
REVOKE UPDATE, DELETE, TRUNCATE ON cloud_credits_ratecardhistory FROM habitat_app;
