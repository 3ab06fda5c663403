-- stops: an endpoint led to another address, other types or another key, or off its machine's edges
CREATE TRIGGER webhook_endpoint_state BEFORE INSERT OR UPDATE ON notifications_webhookendpoint
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'active', 'active>disabled,active>removed,disabled>active,disabled>removed',
        'because,failures,failing_since,quiet_until,attempted_at,secret_version,rotated_at');
CREATE TRIGGER webhook_endpoint_kept BEFORE DELETE OR TRUNCATE ON notifications_webhookendpoint
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a message that says something else than it did
CREATE TRIGGER webhook_message_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON notifications_webhookmessage
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a delivery born delivered, that jumps over its sending, or that carries another message elsewhere
CREATE TRIGGER webhook_delivery_state BEFORE INSERT OR UPDATE ON notifications_webhookdelivery
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'pending',
        'pending>sending,sending>pending,sending>delivered,sending>dead,delivered>pending,dead>pending',
        'attempts,due_at,lease_until,fence,status,error,delivered_at');
CREATE TRIGGER webhook_delivery_kept BEFORE DELETE OR TRUNCATE ON notifications_webhookdelivery
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: an attempt rewritten or taken away
CREATE TRIGGER webhook_attempt_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON notifications_webhookattempt
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

REVOKE DELETE, TRUNCATE ON notifications_webhookendpoint, notifications_webhookdelivery FROM habitat_app;
REVOKE UPDATE, DELETE, TRUNCATE ON notifications_webhookmessage, notifications_webhookattempt FROM habitat_app;
