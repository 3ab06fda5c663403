-- stops: as before, a payment moved along no edge; a wire may also pay a debt.
DROP TRIGGER payment_state ON treasury_payment;
CREATE TRIGGER payment_state BEFORE INSERT OR UPDATE ON treasury_payment
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'received',
        'received>minted,received>refunding,received>refunded,received>applied,refunding>refunded,refunding>received,refunded>received',
        'member_id,minted,refunded,disputed,clawed_back');
