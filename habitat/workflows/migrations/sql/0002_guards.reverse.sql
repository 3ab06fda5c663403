DROP TRIGGER workflows_job_state ON workflows_job;
