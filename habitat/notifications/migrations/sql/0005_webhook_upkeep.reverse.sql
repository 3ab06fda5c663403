REVOKE DELETE ON notifications_webhookdelivery, notifications_webhookmessage, notifications_webhookattempt FROM habitat_app;
DROP TRIGGER webhook_attempt_with_delivery ON notifications_webhookattempt;
DROP TRIGGER webhook_attempt_kept ON notifications_webhookattempt;
CREATE TRIGGER webhook_attempt_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON notifications_webhookattempt
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
DROP TRIGGER webhook_message_young ON notifications_webhookmessage;
DROP TRIGGER webhook_message_kept ON notifications_webhookmessage;
CREATE TRIGGER webhook_message_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON notifications_webhookmessage
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
DROP TRIGGER webhook_delivery_not_emptied ON notifications_webhookdelivery;
DROP TRIGGER webhook_delivery_kept ON notifications_webhookdelivery;
DROP TRIGGER webhook_delivery_state ON notifications_webhookdelivery;
DROP FUNCTION notifications_webhook_attempt_alone();
DROP FUNCTION notifications_webhook_still_needed();
-- The state that is known no more: whoever wants one of these sent again still can.
UPDATE notifications_webhookdelivery SET state = 'dead' WHERE state = 'superseded';
CREATE TRIGGER webhook_delivery_state BEFORE INSERT OR UPDATE ON notifications_webhookdelivery
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'pending',
        'pending>sending,sending>pending,sending>delivered,sending>dead,delivered>pending,dead>pending',
        'attempts,due_at,lease_until,fence,status,error,delivered_at');
CREATE TRIGGER webhook_delivery_kept BEFORE DELETE OR TRUNCATE ON notifications_webhookdelivery
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
