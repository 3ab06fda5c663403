GRANT INSERT, UPDATE, DELETE ON treasury_mintswitch, treasury_mintswitchchange, treasury_backingcheck TO habitat_app;
DROP TRIGGER backingcheck_append_only ON treasury_backingcheck;
DROP TRIGGER mintswitchchange_append_only ON treasury_mintswitchchange;
DROP TRIGGER mintswitch_told ON treasury_mintswitch;
DROP FUNCTION treasury_mintswitch_told();
DROP TRIGGER mintswitch_kept ON treasury_mintswitch;
DELETE FROM treasury_mintswitch;
