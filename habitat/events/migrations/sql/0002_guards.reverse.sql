DROP TRIGGER events_delivery_kept ON events_delivery;
DROP TRIGGER events_delivery_state ON events_delivery;
DROP TRIGGER events_delivery_born ON events_delivery;
DROP TRIGGER events_event_append_only ON events_event;
DROP TRIGGER events_event_born ON events_event;
DROP FUNCTION events_refuse_move();
DROP FUNCTION events_refuse_birth();
GRANT INSERT, UPDATE, DELETE ON events_event, events_delivery TO habitat_app;
