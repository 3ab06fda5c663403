DROP FUNCTION habitat_now();
