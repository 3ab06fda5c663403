-- stops: as before, a purchase moved along no edge; a wire that waits may also pay its sender's debt.
DROP TRIGGER purchase_states ON cloud_credits_purchase;
CREATE TRIGGER purchase_states BEFORE INSERT OR UPDATE ON cloud_credits_purchase
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'created',
        'created>open,created>paid,created>failed,open>paid,open>expired,open>failed,paid>minted,paid>refunded,paid>failed,minted>refunded,expired>paid,failed>paid,refunded>minted',
        'session_id,checkout_url,expires_at,payment_id,problem,paid_at');

-- stops: a debt that was paid coming back.
CREATE TRIGGER debt_payment_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_receivablepayment
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON cloud_credits_receivablepayment FROM habitat_app;
