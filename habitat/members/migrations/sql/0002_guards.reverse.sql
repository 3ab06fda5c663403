GRANT DELETE ON members_member, members_user TO habitat_app;
DROP TRIGGER members_user_kept ON members_user;
DROP TRIGGER members_member_kept ON members_member;
DROP TRIGGER members_member_once ON members_member;
DROP FUNCTION members_member_once();
DROP TRIGGER members_member_state ON members_member;
DROP FUNCTION habitat_guard_state();
DROP FUNCTION habitat_never_deleted();
DROP FUNCTION habitat_append_only();
-- btree_gist stays: an extension holds no rows, and indexes made by hand may lean on it.
