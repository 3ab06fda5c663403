-- Its rows never see a commit, so no crash and no copy of the database has to keep them.
ALTER TABLE cloud_credits_meteringstage SET UNLOGGED;

-- A row's number is the one its transaction will have.
ALTER TABLE cloud_credits_meteringstage
    ALTER COLUMN id SET DEFAULT nextval('cloud_credits_cloudtransaction_id_seq');

-- Every row dies with its batch, so what counts is how many dead ones there are, not what part of the table. Nobody
-- ever sees a row of another batch: statistics would tell the planner of a table that is always empty.
ALTER TABLE cloud_credits_meteringstage SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 2000000000
);

REVOKE UPDATE, TRUNCATE ON cloud_credits_meteringstage FROM habitat_app;
