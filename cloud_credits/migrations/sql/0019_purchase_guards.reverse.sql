GRANT UPDATE, DELETE ON cloud_credits_purchase, cloud_credits_recurringpurchase, cloud_credits_paymentmint,
    cloud_credits_refundrequest, cloud_credits_clawback, cloud_credits_termsversion, cloud_credits_termsacceptance,
    cloud_credits_billingcustomer, cloud_credits_receivablewriteoff TO habitat_app;
DROP TRIGGER write_off_kept ON cloud_credits_receivablewriteoff;
DROP TRIGGER billing_customer_kept ON cloud_credits_billingcustomer;
DROP TRIGGER terms_acceptance_kept ON cloud_credits_termsacceptance;
DROP TRIGGER terms_kept ON cloud_credits_termsversion;
DROP TRIGGER clawback_kept ON cloud_credits_clawback;
DROP TRIGGER clawback_grows ON cloud_credits_clawback;
DROP FUNCTION cloud_credits_clawback_grows();
DROP TRIGGER refund_request_kept ON cloud_credits_refundrequest;
DROP TRIGGER refund_request_states ON cloud_credits_refundrequest;
DROP TRIGGER payment_mint_kept ON cloud_credits_paymentmint;
DROP TRIGGER payment_mint_matches ON cloud_credits_paymentmint;
DROP FUNCTION cloud_credits_payment_mint_matches();
DROP TRIGGER recurring_kept ON cloud_credits_recurringpurchase;
DROP TRIGGER recurring_states ON cloud_credits_recurringpurchase;
DROP TRIGGER purchase_kept ON cloud_credits_purchase;
DROP TRIGGER purchase_once ON cloud_credits_purchase;
DROP FUNCTION cloud_credits_purchase_once();
DROP TRIGGER purchase_states ON cloud_credits_purchase;
