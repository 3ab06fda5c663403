CREATE OR REPLACE FUNCTION cloud_credits_balance_moves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    IF EXISTS (
        SELECT FROM before b FULL JOIN after a ON a.id = b.id
         WHERE a.id IS NULL OR b.id IS NULL OR a.member_id <> b.member_id OR a.created_at <> b.created_at
    ) THEN
        RAISE EXCEPTION 'a balance belongs to one member for ever'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'balance_owner_unchanged';
    END IF;
    SELECT a.member_id INTO bad
      FROM before b
      JOIN after a ON a.id = b.id
      LEFT JOIN cloud_credits_cloudtransaction t ON t.id = a.last_transaction_id
     WHERE (a.liquid, a.staked, a.version, a.last_transaction_id, a.booked_at)
           IS DISTINCT FROM (b.liquid, b.staked, b.version, b.last_transaction_id, b.booked_at)
       AND NOT coalesce(
            a.version > b.version AND (b.booked_at IS NULL OR a.booked_at > b.booked_at)
            AND t.state = 'completed' AND t.booked_at = a.booked_at
            AND ((t.from_member_id = a.member_id AND t.from_sequence = a.version
                  AND t.from_liquid_after = a.liquid AND t.from_staked_after = a.staked)
              OR (t.to_member_id = a.member_id AND t.to_sequence = a.version
                  AND t.to_liquid_after = a.liquid AND t.to_staked_after = a.staked)), false)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the balance of member % moves only with a completed transaction', bad.member_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'balance_moves_with_transaction';
    END IF;
    RETURN NULL;
END $$;
