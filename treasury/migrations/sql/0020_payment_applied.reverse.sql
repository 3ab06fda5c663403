DROP TRIGGER payment_state ON treasury_payment;
CREATE TRIGGER payment_state BEFORE INSERT OR UPDATE ON treasury_payment
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'received',
        'received>minted,received>refunding,received>refunded,refunding>refunded,refunding>received,refunded>received',
        'member_id,minted,refunded,disputed,clawed_back');
