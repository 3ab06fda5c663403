-- stops: a purchase born paid, off its machine's edges, for another amount, kind or member
CREATE TRIGGER purchase_states BEFORE INSERT OR UPDATE ON cloud_credits_purchase
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'created',
        'created>open,created>paid,created>failed,open>paid,open>expired,open>failed,paid>minted,paid>refunded,minted>refunded,expired>paid,failed>paid,refunded>minted',
        'session_id,checkout_url,expires_at,payment_id,problem,paid_at');

-- stops: a purchase whose payment, checkout or moment of payment is exchanged for another
CREATE FUNCTION cloud_credits_purchase_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.payment_id IS NOT NULL AND NEW.payment_id IS DISTINCT FROM OLD.payment_id)
        OR (OLD.session_id IS NOT NULL AND NEW.session_id IS DISTINCT FROM OLD.session_id)
        OR (OLD.paid_at IS NOT NULL AND NEW.paid_at IS DISTINCT FROM OLD.paid_at)
    THEN
        RAISE EXCEPTION 'purchase % keeps its checkout and its payment', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER purchase_once BEFORE UPDATE ON cloud_credits_purchase
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_purchase_once();
CREATE TRIGGER purchase_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_purchase
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a recurring purchase off its machine's edges, for another amount or member
CREATE TRIGGER recurring_states BEFORE INSERT OR UPDATE ON cloud_credits_recurringpurchase
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'starting',
        'starting>active,starting>cancelled,active>paused,active>cancelled,paused>active,paused>cancelled',
        'subscription_id,paused_because,ended_at');
CREATE TRIGGER recurring_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_recurringpurchase
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a payment minted into more credits than its dollars, into another transaction's amount, or for another member
CREATE FUNCTION cloud_credits_payment_mint_matches() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM treasury_payment p
          JOIN cloud_credits_cloudtransaction t ON t.id = NEW.transaction_id
         WHERE p.id = NEW.payment_id AND NEW.amount > 0 AND 10 * NEW.amount <= p.amount
           AND t.type = 'mint' AND t.purpose = 'payment' AND t.state = 'completed'
           AND t.amount = NEW.amount AND t.to_member_id = p.member_id
    ) THEN
        RAISE EXCEPTION 'payment % is not what transaction % minted', NEW.payment_id, NEW.transaction_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_mint_matches BEFORE INSERT ON cloud_credits_paymentmint
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_payment_mint_matches();
CREATE TRIGGER payment_mint_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_paymentmint
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a refund request born sent, off its machine's edges, for another payment or amount
CREATE TRIGGER refund_request_states BEFORE INSERT OR UPDATE ON cloud_credits_refundrequest
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'asked',
        'asked>burned,asked>failed,burned>sent,burned>failed,sent>settled,sent>failed,settled>failed',
        'burn_id,giveback_id,refund_id,problem');
CREATE TRIGGER refund_request_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_refundrequest
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a clawback born with a total, that shrinks, or that takes back more than the payment minted
CREATE FUNCTION cloud_credits_clawback_grows() RETURNS trigger LANGUAGE plpgsql AS $$
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
        OR NEW.total - NEW.given_back
           > (SELECT m.amount FROM cloud_credits_paymentmint m WHERE m.payment_id = NEW.payment_id)
    THEN
        RAISE EXCEPTION 'the clawback of payment % only grows, up to what was minted', OLD.payment_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER clawback_grows BEFORE INSERT OR UPDATE ON cloud_credits_clawback
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_clawback_grows();
CREATE TRIGGER clawback_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_clawback
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: terms edited after they were published, an acceptance rewritten or taken away, a customer who changes hands,
-- a written-off debt that comes back
CREATE TRIGGER terms_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_termsversion
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER terms_acceptance_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_termsacceptance
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER billing_customer_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_billingcustomer
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER write_off_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_receivablewriteoff
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

REVOKE UPDATE, DELETE, TRUNCATE ON cloud_credits_purchase, cloud_credits_recurringpurchase, cloud_credits_paymentmint,
    cloud_credits_refundrequest, cloud_credits_clawback, cloud_credits_termsversion, cloud_credits_termsacceptance,
    cloud_credits_billingcustomer, cloud_credits_receivablewriteoff FROM habitat_app;
GRANT UPDATE (state, session_id, checkout_url, expires_at, payment_id, problem, paid_at)
    ON cloud_credits_purchase TO habitat_app;
GRANT UPDATE (state, subscription_id, paused_because, ended_at) ON cloud_credits_recurringpurchase TO habitat_app;
GRANT UPDATE (state, burn_id, giveback_id, refund_id, problem) ON cloud_credits_refundrequest TO habitat_app;
GRANT UPDATE (total, burned, owed, for_disputes, given_back, updated_at) ON cloud_credits_clawback TO habitat_app;
