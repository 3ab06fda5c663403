CREATE FUNCTION events_refuse_birth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% must be born new: pending, untried, in the transaction that writes it', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
END
$$;

CREATE FUNCTION events_refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'delivery % cannot go from % to %, nor become another', OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
END
$$;

-- The outbox is the hottest path of the house. Its row triggers only have a WHEN: it is weighed without a call,
-- and the function runs to refuse, never to agree.

-- stops: a fact that says it belongs to another transaction, and so slips behind or before the cursors
CREATE TRIGGER events_event_born BEFORE INSERT ON events_event
    FOR EACH ROW WHEN (NEW.transaction <> pg_current_xact_id())
    EXECUTE FUNCTION events_refuse_birth();

-- stops: a fact changed, deleted or truncated, by whichever role
CREATE TRIGGER events_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events_event
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a delivery born delivered, dead or tried, by whichever role
CREATE TRIGGER events_delivery_born BEFORE INSERT ON events_delivery
    FOR EACH ROW WHEN (NEW.state <> 'pending' OR NEW.attempts <> 0 OR NEW.fence <> 0)
    EXECUTE FUNCTION events_refuse_birth();

-- stops: a delivery that jumps over a state, leaves `delivered`, forgets a fence, or changes its event or subscriber
CREATE TRIGGER events_delivery_state BEFORE UPDATE ON events_delivery
    FOR EACH ROW WHEN (
        NEW.id <> OLD.id OR NEW.event_id <> OLD.event_id OR NEW.subscriber <> OLD.subscriber OR NEW.fence < OLD.fence
        OR (NEW.state <> OLD.state AND OLD.state || '>' || NEW.state NOT IN (
            'pending>delivering', 'delivering>pending', 'delivering>delivered', 'delivering>dead', 'dead>pending'))
    )
    EXECUTE FUNCTION events_refuse_move();

-- stops: a delivery deleted or truncated, by whichever role
CREATE TRIGGER events_delivery_kept BEFORE DELETE OR TRUNCATE ON events_delivery
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON events_event, events_delivery FROM habitat_app;
GRANT INSERT (name, payload, actor, subscribers) ON events_event TO habitat_app;
GRANT INSERT (event_id, subscriber) ON events_delivery TO habitat_app;
GRANT UPDATE (state, attempts, due_at, lease_until, fence, error) ON events_delivery TO habitat_app;
