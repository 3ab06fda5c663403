-- stops: events born charged, charged twice, or changed once they were taken in
CREATE TRIGGER submission_states BEFORE INSERT OR UPDATE ON cloud_credits_meteringsubmission
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'queued', 'queued>done',
        'body,due_at,attempts,error,done_at,accepted,duplicates,conflicts,rejected,answers');

-- stops: an answer rewritten after it was given, and events taken out of a submission that still waits
CREATE FUNCTION cloud_credits_submission_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'done' OR (NEW.state = 'queued' AND NEW.body IS DISTINCT FROM OLD.body) THEN
        RAISE EXCEPTION 'submission % keeps its events until they are answered, and its answers after that', OLD.id
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
                  CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER submission_once BEFORE UPDATE ON cloud_credits_meteringsubmission
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_submission_once();

-- stops: events taken in and then forgotten
CREATE TRIGGER submission_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_meteringsubmission
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

REVOKE UPDATE, DELETE, TRUNCATE ON cloud_credits_meteringsubmission FROM habitat_app;
GRANT UPDATE (state, body, due_at, attempts, error, done_at, accepted, duplicates, conflicts, rejected, answers)
    ON cloud_credits_meteringsubmission TO habitat_app;
