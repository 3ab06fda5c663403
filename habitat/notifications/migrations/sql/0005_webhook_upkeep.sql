-- stops: as before; what waits may now end unsent, superseded by a newer message or given up
DROP TRIGGER webhook_delivery_state ON notifications_webhookdelivery;
CREATE TRIGGER webhook_delivery_state BEFORE INSERT OR UPDATE ON notifications_webhookdelivery
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'pending',
        'pending>sending,pending>superseded,pending>dead,sending>pending,sending>delivered,sending>dead,delivered>pending,dead>pending',
        'attempts,due_at,lease_until,fence,status,error,delivered_at');

CREATE FUNCTION notifications_webhook_still_needed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'row % of % is still needed: it is not deleted', OLD.id, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END
$$;
CREATE FUNCTION notifications_webhook_attempt_alone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM notifications_webhookdelivery WHERE id = OLD.delivery_id) THEN
        RAISE EXCEPTION 'sending % is deleted only with its delivery', OLD.id
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
    END IF;
    RETURN OLD;
END
$$;

-- stops: a delivery deleted that still waits, or that was made less than thirty days ago
DROP TRIGGER webhook_delivery_kept ON notifications_webhookdelivery;
CREATE TRIGGER webhook_delivery_kept BEFORE DELETE ON notifications_webhookdelivery
    FOR EACH ROW WHEN (
        OLD.state NOT IN ('delivered', 'dead', 'superseded') OR OLD.created_at > statement_timestamp() - interval '30 days'
    ) EXECUTE FUNCTION notifications_webhook_still_needed();
CREATE TRIGGER webhook_delivery_not_emptied BEFORE TRUNCATE ON notifications_webhookdelivery
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a message that says something else than it did, or a young one deleted; its deliveries' foreign key stops one
-- that still has any
DROP TRIGGER webhook_message_kept ON notifications_webhookmessage;
CREATE TRIGGER webhook_message_kept BEFORE UPDATE OR TRUNCATE ON notifications_webhookmessage
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER webhook_message_young BEFORE DELETE ON notifications_webhookmessage
    FOR EACH ROW WHEN (OLD.created_at > statement_timestamp() - interval '30 days')
    EXECUTE FUNCTION notifications_webhook_still_needed();

-- stops: an attempt rewritten, or taken away from a delivery that is there
DROP TRIGGER webhook_attempt_kept ON notifications_webhookattempt;
CREATE TRIGGER webhook_attempt_kept BEFORE UPDATE OR TRUNCATE ON notifications_webhookattempt
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER webhook_attempt_with_delivery BEFORE DELETE ON notifications_webhookattempt
    FOR EACH ROW EXECUTE FUNCTION notifications_webhook_attempt_alone();

GRANT DELETE ON notifications_webhookdelivery, notifications_webhookmessage, notifications_webhookattempt TO habitat_app;
