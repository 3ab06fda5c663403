-- stops: a comparison rewritten after it was made: its inputs and result are evidence
CREATE TRIGGER reconciliationrun_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_reconciliationrun
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: an exception born resolved, reopened, moved to another cause, or that forgets which run opened it
CREATE TRIGGER reconciliationexception_state BEFORE INSERT OR UPDATE ON treasury_reconciliationexception
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'open', 'open>resolved',
        'message,amount,since,times,last_run_id,resolved_run_id,owner_id,resolved_at,resolved_by,resolution');

CREATE FUNCTION treasury_reconciliationexception_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'exception % is % and stays as it is', OLD.id, OLD.state
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
END
$$;
-- stops: who resolved an exception, when and why, rewritten afterwards
CREATE TRIGGER reconciliationexception_settled BEFORE UPDATE ON treasury_reconciliationexception
    FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION treasury_reconciliationexception_settled();

-- stops: an exception deleted instead of resolved
CREATE TRIGGER reconciliationexception_kept BEFORE DELETE OR TRUNCATE ON treasury_reconciliationexception
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a note rewritten or deleted
CREATE TRIGGER exceptionnote_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_exceptionnote
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

REVOKE UPDATE, DELETE, TRUNCATE ON treasury_reconciliationrun, treasury_exceptionnote FROM habitat_app;
REVOKE UPDATE, DELETE, TRUNCATE ON treasury_reconciliationexception FROM habitat_app;
GRANT UPDATE (message, amount, since, times, last_run_id, resolved_run_id, owner_id, state, resolved_at, resolved_by,
    resolution) ON treasury_reconciliationexception TO habitat_app;
