-- stops: a top-up born on, or that goes on after a decline by anything but its member's switch; another member's row
CREATE TRIGGER top_up_states BEFORE INSERT OR UPDATE ON cloud_credits_topup
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'off', 'off>on,on>off,on>stopped,stopped>on,stopped>off',
        'threshold,amount,method_id,customer_id,card,most_a_day,because,changed_at');
-- stops: a top-up deleted
CREATE TRIGGER top_up_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_topup
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

REVOKE DELETE, TRUNCATE ON cloud_credits_topup FROM habitat_app;
