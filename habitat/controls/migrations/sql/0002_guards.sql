-- stops: a request born decided, decided twice, or rewritten after it was made
CREATE TRIGGER controls_approval_state BEFORE INSERT OR UPDATE ON controls_approval
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'requested', 'requested>granted,requested>refused,requested>withdrawn',
        'decided_by,decided_by_name,decided_at,decision_reason');
-- stops: a decision's author, time or reason rewritten once it is taken
CREATE FUNCTION controls_approval_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'approval % is % and stays as it is', OLD.id, OLD.state
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
END
$$;
CREATE TRIGGER controls_approval_settled BEFORE UPDATE ON controls_approval
    FOR EACH ROW WHEN (OLD.state <> 'requested') EXECUTE FUNCTION controls_approval_settled();
-- stops: a request deleted, by whichever role
CREATE TRIGGER controls_approval_kept BEFORE DELETE OR TRUNCATE ON controls_approval
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: an alert born settled, reopened, or moved to another cause
CREATE TRIGGER controls_alert_state BEFORE INSERT OR UPDATE ON controls_alert
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'open', 'open>acknowledged,open>resolved,acknowledged>resolved',
        'message,details,times,last_raised_at,acknowledged_by,acknowledged_at,note,resolved_by,resolved_at,resolution');
-- stops: an alert deleted, by whichever role
CREATE TRIGGER controls_alert_kept BEFORE DELETE OR TRUNCATE ON controls_alert
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

CREATE FUNCTION controls_servicekey_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.name, NEW.prefix, NEW.secret_hash, NEW.scopes, NEW.created_at, NEW.created_by, NEW.expires_at)
        IS DISTINCT FROM
        (OLD.id, OLD.name, OLD.prefix, OLD.secret_hash, OLD.scopes, OLD.created_at, OLD.created_by, OLD.expires_at)
        OR (OLD.revoked_at IS NOT NULL AND (NEW.revoked_at, NEW.revoked_by, NEW.revoke_reason)
            IS DISTINCT FROM (OLD.revoked_at, OLD.revoked_by, OLD.revoke_reason))
    THEN
        RAISE EXCEPTION 'service key % never changes and stays revoked once it is', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
-- stops: a key given another secret, more scopes or a longer life, and a revoked key coming back
CREATE TRIGGER controls_servicekey_fixed BEFORE UPDATE ON controls_servicekey
    FOR EACH ROW EXECUTE FUNCTION controls_servicekey_fixed();
-- stops: a key deleted, by whichever role
CREATE TRIGGER controls_servicekey_kept BEFORE DELETE OR TRUNCATE ON controls_servicekey
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a setting deleted, by whichever role
CREATE TRIGGER controls_setting_kept BEFORE DELETE OR TRUNCATE ON controls_setting
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

REVOKE DELETE, TRUNCATE ON controls_approval, controls_alert, controls_servicekey, controls_setting FROM habitat_app;
REVOKE UPDATE ON controls_servicekey FROM habitat_app;
GRANT UPDATE (last_used_at, revoked_at, revoked_by, revoke_reason) ON controls_servicekey TO habitat_app;
