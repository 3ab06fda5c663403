GRANT DELETE ON cloud_credits_spendcap, cloud_credits_lowbalancewarning TO habitat_app;
DROP TRIGGER low_balance_kept ON cloud_credits_lowbalancewarning;
DROP TRIGGER spend_cap_kept ON cloud_credits_spendcap;
DROP TRIGGER spend_cap_counts_on ON cloud_credits_spendcap;
DROP FUNCTION cloud_credits_spend_cap_counts_on();
