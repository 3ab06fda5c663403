-- stops: an e-mail born sent, sent without sending, sent twice after it was sent, or rewritten
CREATE TRIGGER notifications_email_state BEFORE INSERT OR UPDATE ON notifications_email
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'queued', 'queued>sending,sending>queued,sending>sent,sending>dead,dead>queued',
        'attempts,due_at,lease_until,fence,error,sent_at,sent_to');

REVOKE UPDATE, DELETE, TRUNCATE ON notifications_notification FROM habitat_app;
GRANT UPDATE (read_at) ON notifications_notification TO habitat_app;
REVOKE DELETE, TRUNCATE ON notifications_email FROM habitat_app;
