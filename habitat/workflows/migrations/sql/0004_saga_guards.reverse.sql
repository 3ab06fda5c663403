GRANT UPDATE, DELETE ON workflows_execution, workflows_step TO habitat_app;
DROP TRIGGER workflows_step_kept ON workflows_step;
DROP TRIGGER workflows_step_moves ON workflows_step;
DROP FUNCTION workflows_step_refuse();
DROP TRIGGER workflows_step_state ON workflows_step;
DROP TRIGGER workflows_execution_kept ON workflows_execution;
DROP TRIGGER workflows_execution_moves ON workflows_execution;
DROP FUNCTION workflows_execution_refuse();
DROP TRIGGER workflows_execution_state ON workflows_execution;
