-- stops: history of members rewritten, by whichever role
CREATE TRIGGER members_memberhistory_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON members_memberhistory
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
-- stops: history of sign-ins rewritten, by whichever role
CREATE TRIGGER members_userhistory_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON members_userhistory
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
-- stops: history of roles rewritten, by whichever role
CREATE TRIGGER members_rolehistory_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON members_rolehistory
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON members_memberhistory, members_userhistory, members_rolehistory FROM habitat_app;
