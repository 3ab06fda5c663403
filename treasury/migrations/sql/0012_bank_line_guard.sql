-- stops: a line that turns into another, shows somebody else's version, or goes back to an older one. A line is born
-- before its first version and shows none.
CREATE OR REPLACE FUNCTION treasury_guard_bankline() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.account_id, NEW.line_id, NEW.opened_at, NEW.first_seen_at)
        IS DISTINCT FROM (OLD.id, OLD.account_id, OLD.line_id, OLD.opened_at, OLD.first_seen_at) THEN
        RAISE EXCEPTION 'bank line % never changes: its versions do', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    IF (NEW.current_id IS NULL AND TG_OP = 'UPDATE' AND OLD.current_id IS NOT NULL)
        OR (NEW.current_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM treasury_banklineversion v
             WHERE v.id = NEW.current_id AND v.line_id = NEW.id
               AND v.number = (SELECT max(n.number) FROM treasury_banklineversion n WHERE n.line_id = NEW.id)))
    THEN
        RAISE EXCEPTION 'bank line %: its current version is its newest', NEW.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
