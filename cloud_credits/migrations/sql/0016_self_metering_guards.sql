-- stops: a charge born charged, charged twice, or whose quantity, member or window changes after it was settled
CREATE TRIGGER self_charge_states BEFORE INSERT OR UPDATE ON cloud_credits_selfmetercharge
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'pending', 'pending>charged',
        'attempts,attempted_at,due_at,refusal_code,refusal,meter_id,cost,charged_at');

-- stops: a charge deleted, so that its window's id could be used again
CREATE TRIGGER self_charge_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_selfmetercharge
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

REVOKE DELETE, TRUNCATE ON cloud_credits_selfmetercharge, cloud_credits_selfmeterremainder FROM habitat_app;
