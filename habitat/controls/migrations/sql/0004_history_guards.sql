-- stops: history of settings rewritten, by whichever role
CREATE TRIGGER controls_settinghistory_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON controls_settinghistory
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
-- stops: history of service keys rewritten, by whichever role
CREATE TRIGGER controls_keyhistory_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON controls_keyhistory
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON controls_settinghistory, controls_keyhistory FROM habitat_app;
