DROP INDEX stripe_customer_member;
DO $$
DECLARE
    found regclass;
BEGIN
    FOR found IN
        SELECT c.oid::regclass FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'djstripe\_%'
    LOOP
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO habitat_app', found);
    END LOOP;
END $$;
