-- A refund that fails before there were credits leaves its money here: the purchase waits for them again.
-- stops: a purchase born paid, and one that leaves its machine's edges
DROP TRIGGER purchase_states ON cloud_credits_purchase;
CREATE TRIGGER purchase_states BEFORE INSERT OR UPDATE ON cloud_credits_purchase
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'created',
        'created>open,created>paid,created>failed,open>paid,open>expired,open>failed,paid>minted,paid>refunded,paid>failed,minted>refunded,expired>paid,failed>paid,refunded>minted,refunded>paid',
        'session_id,checkout_url,expires_at,payment_id,problem,paid_at');
