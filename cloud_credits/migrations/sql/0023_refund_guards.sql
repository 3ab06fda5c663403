-- stops: a refund carried on by anything but its own burn, failed while its credits stay away, or whose burn, return or
-- number at Stripe is exchanged for another
CREATE FUNCTION cloud_credits_refund_request_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.burn_id IS NOT NULL AND NEW.burn_id IS DISTINCT FROM OLD.burn_id)
        OR (OLD.giveback_id IS NOT NULL AND NEW.giveback_id IS DISTINCT FROM OLD.giveback_id)
        OR (OLD.refund_id <> '' AND NEW.refund_id <> OLD.refund_id)
        OR (NEW.burn_id IS DISTINCT FROM OLD.burn_id AND NOT EXISTS (
            SELECT FROM cloud_credits_cloudtransaction t
             WHERE t.id = NEW.burn_id AND t.type = 'burn' AND t.purpose = 'payment' AND t.state = 'completed'
               AND t.amount = NEW.amount AND t.from_member_id = NEW.member_id))
        OR (NEW.giveback_id IS DISTINCT FROM OLD.giveback_id AND NOT EXISTS (
            SELECT FROM cloud_credits_cloudtransaction t
             WHERE t.id = NEW.giveback_id AND t.type = 'correction' AND t.purpose = 'payment'
               AND t.state = 'completed' AND t.amount = NEW.amount AND t.to_member_id = NEW.member_id))
    THEN
        RAISE EXCEPTION 'refund request % keeps its own burn, return and refund', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refund_request_once BEFORE UPDATE ON cloud_credits_refundrequest
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_refund_request_once();

-- stops: a recurring purchase that stands for another subscription
CREATE FUNCTION cloud_credits_recurring_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'recurring purchase % keeps its subscription', OLD.id
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER recurring_once BEFORE UPDATE ON cloud_credits_recurringpurchase
    FOR EACH ROW WHEN (OLD.subscription_id IS NOT NULL AND NEW.subscription_id IS DISTINCT FROM OLD.subscription_id)
    EXECUTE FUNCTION cloud_credits_recurring_once();
