-- The same triggers as before, with the record of what people decided.
DROP TRIGGER workflows_execution_state ON workflows_execution;
DROP TRIGGER workflows_execution_moves ON workflows_execution;

-- stops: a saga born elsewhere than running, off its edges, or with another name, version, key, input or starter
CREATE TRIGGER workflows_execution_state BEFORE INSERT OR UPDATE ON workflows_execution
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'running',
        'running>waiting,running>compensating,running>completed,running>stuck,running>cancelled,waiting>running,waiting>cancelled,compensating>compensated,compensating>stuck,stuck>running,stuck>compensating,stuck>cancelled',
        'heading,waiting_for,signals,error,decisions,due_at,lease_until,fence,finished_at');

-- stops: an ended saga changed, a fence counted down, a signal or a decision lost or rewritten, a saga on its way back turned round
CREATE TRIGGER workflows_execution_moves BEFORE UPDATE ON workflows_execution
    FOR EACH ROW WHEN (
        OLD.state IN ('completed', 'compensated', 'cancelled')
        OR NEW.fence < OLD.fence
        OR NOT NEW.signals @> OLD.signals
        OR NOT NEW.decisions @> OLD.decisions
        OR jsonb_array_length(NEW.decisions) < jsonb_array_length(OLD.decisions)
        OR (OLD.heading = 'backward' AND NEW.heading <> 'backward')
    )
    EXECUTE FUNCTION workflows_execution_refuse();

GRANT UPDATE (decisions) ON workflows_execution TO habitat_app;
