DROP TRIGGER purchase_top_up_wished ON cloud_credits_purchase;
DROP FUNCTION cloud_credits_purchase_top_up_wished();
DROP TRIGGER spend_cap_holds ON cloud_credits_spendcap;
DROP FUNCTION cloud_credits_spend_cap_holds();
