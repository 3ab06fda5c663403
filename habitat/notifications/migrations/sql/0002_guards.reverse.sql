DROP TRIGGER notifications_email_state ON notifications_email;
GRANT UPDATE, DELETE ON notifications_notification TO habitat_app;
GRANT DELETE ON notifications_email TO habitat_app;
