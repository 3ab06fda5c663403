-- Room in each page for the priced row beside the one that came, so that no index hears of the change.
ALTER TABLE cloud_credits_meteringstage SET (fillfactor = 40);
GRANT UPDATE (card_id, cost, description, digest, rate, version) ON cloud_credits_meteringstage TO habitat_app;
