GRANT DELETE ON cloud_credits_usageimport TO habitat_app;
GRANT UPDATE, DELETE ON cloud_credits_resourceusage, cloud_credits_meteringrefusal TO habitat_app;
DROP TRIGGER refusal_kept ON cloud_credits_meteringrefusal;
DROP TRIGGER usage_kept ON cloud_credits_resourceusage;
DROP TRIGGER usage_matches ON cloud_credits_resourceusage;
DROP FUNCTION cloud_credits_usage_matches();
