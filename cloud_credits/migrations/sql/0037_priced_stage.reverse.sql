REVOKE UPDATE ON cloud_credits_meteringstage FROM habitat_app;
ALTER TABLE cloud_credits_meteringstage RESET (fillfactor);
