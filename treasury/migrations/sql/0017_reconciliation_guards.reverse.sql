REVOKE UPDATE (message, amount, since, times, last_run_id, resolved_run_id, owner_id, state, resolved_at, resolved_by,
    resolution) ON treasury_reconciliationexception FROM habitat_app;
GRANT UPDATE, DELETE ON treasury_reconciliationrun, treasury_exceptionnote, treasury_reconciliationexception TO habitat_app;
DROP TRIGGER exceptionnote_append_only ON treasury_exceptionnote;
DROP TRIGGER reconciliationexception_kept ON treasury_reconciliationexception;
DROP TRIGGER reconciliationexception_settled ON treasury_reconciliationexception;
DROP FUNCTION treasury_reconciliationexception_settled();
DROP TRIGGER reconciliationexception_state ON treasury_reconciliationexception;
DROP TRIGGER reconciliationrun_append_only ON treasury_reconciliationrun;
