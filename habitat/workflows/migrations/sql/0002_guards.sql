-- stops: a job that jumps over a state, is born done, or changes its name or due time
CREATE TRIGGER workflows_job_state BEFORE INSERT OR UPDATE ON workflows_job
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'due', 'due>running,running>due,running>done,running>failed,done>due,failed>due',
        'attempts,take_at,lease_until,fence,error,finished_at');
