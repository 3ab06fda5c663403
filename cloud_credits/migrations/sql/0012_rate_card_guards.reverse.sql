GRANT UPDATE, DELETE ON cloud_credits_ratecardhistory TO habitat_app;
GRANT DELETE ON cloud_credits_ratecard TO habitat_app;
DROP TRIGGER rate_card_history_kept ON cloud_credits_ratecardhistory;
DROP TRIGGER rate_card_kept ON cloud_credits_ratecard;
DROP TRIGGER rate_card_frozen ON cloud_credits_ratecard;
DROP FUNCTION cloud_credits_rate_card_frozen();
DROP TRIGGER rate_card_states ON cloud_credits_ratecard;
