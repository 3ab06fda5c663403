GRANT UPDATE, TRUNCATE ON cloud_credits_meteringstage TO habitat_app;
ALTER TABLE cloud_credits_meteringstage RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_insert_threshold,
    autovacuum_analyze_threshold
);
ALTER TABLE cloud_credits_meteringstage ALTER COLUMN id DROP DEFAULT;
ALTER TABLE cloud_credits_meteringstage SET LOGGED;
