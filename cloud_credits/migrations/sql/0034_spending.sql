-- stops: a cap whose count goes back within its month, to an earlier month, or to another member
CREATE FUNCTION cloud_credits_spend_cap_counts_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.member_id <> OLD.member_id OR NEW.month < OLD.month
        OR (NEW.month = OLD.month AND NEW.spent < OLD.spent)
    THEN
        RAISE EXCEPTION 'the spending of member % only counts on', OLD.member_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER spend_cap_counts_on BEFORE UPDATE ON cloud_credits_spendcap
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_spend_cap_counts_on();
-- stops: a cap or a warning deleted
CREATE TRIGGER spend_cap_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_spendcap
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER low_balance_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_lowbalancewarning
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

REVOKE DELETE, TRUNCATE ON cloud_credits_spendcap, cloud_credits_lowbalancewarning FROM habitat_app;
