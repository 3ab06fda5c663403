-- stops: a saga born elsewhere than running, off its edges, or with another name, version, key, input or starter
CREATE TRIGGER workflows_execution_state BEFORE INSERT OR UPDATE ON workflows_execution
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'running',
        'running>waiting,running>compensating,running>completed,running>stuck,running>cancelled,waiting>running,waiting>cancelled,compensating>compensated,compensating>stuck,stuck>running,stuck>compensating,stuck>cancelled',
        'heading,waiting_for,signals,error,due_at,lease_until,fence,finished_at');

CREATE FUNCTION workflows_execution_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'execution % is %: it keeps its fence and its signals, goes back only, and stays as it ended',
        OLD.id, OLD.state
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
END
$$;

-- stops: an ended saga changed, a fence counted down, a signal lost or rewritten, a saga on its way back turned round
CREATE TRIGGER workflows_execution_moves BEFORE UPDATE ON workflows_execution
    FOR EACH ROW WHEN (
        OLD.state IN ('completed', 'compensated', 'cancelled')
        OR NEW.fence < OLD.fence
        OR NOT NEW.signals @> OLD.signals
        OR (OLD.heading = 'backward' AND NEW.heading <> 'backward')
    )
    EXECUTE FUNCTION workflows_execution_refuse();

-- stops: a saga deleted or truncated, by whichever role
CREATE TRIGGER workflows_execution_kept BEFORE DELETE OR TRUNCATE ON workflows_execution
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a step born done, off its edges, or of another execution, name, direction or input
CREATE TRIGGER workflows_step_state BEFORE INSERT OR UPDATE ON workflows_step
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'calling,recording',
        'calling>recorded,calling>refused,recording>recorded,recording>refused,refused>calling,refused>recording',
        'attempts,round,key,output,error,first_called_at,recorded_at');

CREATE FUNCTION workflows_step_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'step % is %: what is recorded never changes, and what was asked keeps its key', OLD.id, OLD.state
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
END
$$;

-- stops: a recorded step changed; a key changed while an answer to it may be under way (only a refused step gets another)
CREATE TRIGGER workflows_step_moves BEFORE UPDATE ON workflows_step
    FOR EACH ROW WHEN (
        OLD.state = 'recorded'
        OR (NEW.key <> OLD.key AND (OLD.state <> 'refused' OR OLD.output IS NOT NULL))
    )
    EXECUTE FUNCTION workflows_step_refuse();

-- stops: a step deleted or truncated, by whichever role
CREATE TRIGGER workflows_step_kept BEFORE DELETE OR TRUNCATE ON workflows_step
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

REVOKE UPDATE, DELETE, TRUNCATE ON workflows_execution, workflows_step FROM habitat_app;
GRANT UPDATE (state, heading, waiting_for, signals, error, due_at, lease_until, fence, finished_at)
    ON workflows_execution TO habitat_app;
GRANT UPDATE (state, attempts, round, key, output, error, first_called_at, recorded_at) ON workflows_step TO habitat_app;
