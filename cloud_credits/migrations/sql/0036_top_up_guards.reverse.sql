GRANT DELETE ON cloud_credits_topup TO habitat_app;
DROP TRIGGER top_up_kept ON cloud_credits_topup;
DROP TRIGGER top_up_states ON cloud_credits_topup;
