-- stops: as before, a clawback born with a total, that shrinks, or that takes back more than became credits; what a
-- payment's credits are worth may grow by money that came back after the mint.
CREATE OR REPLACE FUNCTION cloud_credits_clawback_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.total <> 0 OR NEW.given_back <> 0 THEN
            RAISE EXCEPTION 'a clawback is born empty'
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
                      CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.payment_id, NEW.member_id) IS DISTINCT FROM (OLD.payment_id, OLD.member_id)
        OR NEW.burned < OLD.burned OR NEW.owed < OLD.owed OR NEW.for_disputes < OLD.for_disputes
        OR NEW.given_back < OLD.given_back
        OR 10 * (NEW.total - NEW.given_back)
           > (SELECT p.minted FROM treasury_payment p WHERE p.id = NEW.payment_id)
    THEN
        RAISE EXCEPTION 'the clawback of payment % only grows, up to what was minted', OLD.payment_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
