-- The one row of the switch. Both flags begin on; the first check decides about the automatic one.
INSERT INTO treasury_mintswitch (id, automatic, manual) VALUES (1, true, true);

-- stops: the switch taken away.
CREATE TRIGGER mintswitch_kept
    BEFORE DELETE OR TRUNCATE ON treasury_mintswitch
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a flag moved without the change that says who did and why.
CREATE FUNCTION treasury_mintswitch_told() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    missing text;
BEGIN
    SELECT said.flag INTO missing
      FROM (VALUES ('automatic', OLD.automatic, NEW.automatic), ('manual', OLD.manual, NEW.manual))
           AS said(flag, before, after)
     WHERE said.before <> said.after
       AND NOT EXISTS (SELECT FROM treasury_mintswitchchange c
                        WHERE c.flag = said.flag AND c."on" = said.after
                          AND c.changed_at BETWEEN transaction_timestamp() AND clock_timestamp());
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'the mint switch: its % flag moved and nothing says why', missing
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER mintswitch_told
    AFTER UPDATE ON treasury_mintswitch
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION treasury_mintswitch_told();

-- stops: the record of a flag, or of a check, rewritten.
CREATE TRIGGER mintswitchchange_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_mintswitchchange
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER backingcheck_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_backingcheck
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- What the application role may do: move the flags, and add to the records.
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON treasury_mintswitch FROM habitat_app;
REVOKE UPDATE, DELETE, TRUNCATE ON treasury_mintswitchchange, treasury_backingcheck FROM habitat_app;
GRANT UPDATE (automatic, manual, changed_at) ON treasury_mintswitch TO habitat_app;
