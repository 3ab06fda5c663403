GRANT UPDATE, DELETE ON cloud_credits_meteringsubmission TO habitat_app;
DROP TRIGGER submission_kept ON cloud_credits_meteringsubmission;
DROP TRIGGER submission_once ON cloud_credits_meteringsubmission;
DROP FUNCTION cloud_credits_submission_once();
DROP TRIGGER submission_states ON cloud_credits_meteringsubmission;
