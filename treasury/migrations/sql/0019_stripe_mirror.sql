-- dj-stripe's tables: only the ten that mirror what we retrieved are written, and nothing is deleted from them.
-- stops: Stripe's secret key in djstripe_apikey, a webhook's secret in djstripe_webhookendpoint, and every other way
-- in which the package itself would keep what it was told.
DO $$
DECLARE
    found regclass;
BEGIN
    FOR found IN
        SELECT c.oid::regclass FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'djstripe\_%'
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %s FROM habitat_app', found);
    END LOOP;
END $$;
GRANT INSERT, UPDATE ON djstripe_customer, djstripe_paymentmethod, djstripe_balancetransaction, djstripe_subscription,
    djstripe_paymentintent, djstripe_charge, djstripe_invoice, djstripe_refund, djstripe_dispute, djstripe_payout
    TO habitat_app;

-- A member's customers are found by the mark we put on them.
CREATE INDEX stripe_customer_member ON djstripe_customer ((metadata ->> 'habitat_member_id'));
