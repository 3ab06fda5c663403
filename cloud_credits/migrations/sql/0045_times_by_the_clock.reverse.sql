DROP TRIGGER submission_received ON cloud_credits_meteringsubmission;
DROP FUNCTION cloud_credits_submission_received();
CREATE OR REPLACE FUNCTION cloud_credits_transaction_moves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    members bigint[];
    earliest timestamptz;
BEGIN
    IF EXISTS (
        SELECT FROM before b FULL JOIN after a ON a.id = b.id
         WHERE a.id IS NULL OR b.id IS NULL
            OR (a.type, a.from_member_id, a.to_member_id, a.amount, a.purpose, a.description, a.reference,
                a.reverses_id, a.reversal_part, a.acting, a.created_at)
               IS DISTINCT FROM
               (b.type, b.from_member_id, b.to_member_id, b.amount, b.purpose, b.description, b.reference,
                b.reverses_id, b.reversal_part, b.acting, b.created_at)
            OR ((a.booked_at, a.booked_xid, a.journal_entry_id, a.from_liquid_after, a.from_staked_after,
                 a.from_sequence, a.to_liquid_after, a.to_staked_after, a.to_sequence)
                IS DISTINCT FROM
                (b.booked_at, b.booked_xid, b.journal_entry_id, b.from_liquid_after, b.from_staked_after,
                 b.from_sequence, b.to_liquid_after, b.to_staked_after, b.to_sequence)
                AND NOT (b.state = 'processing' AND a.state = 'completed'))
    ) THEN
        RAISE EXCEPTION 'a ledger row never changes: post a correction instead'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'transaction_unchanged';
    END IF;
    IF EXISTS (
        SELECT FROM before b JOIN after a ON a.id = b.id
         WHERE a.state <> b.state
           AND (b.state || '>' || a.state) NOT IN (
               'pending>processing', 'pending>failed', 'processing>completed', 'processing>failed',
               'completed>reversed')
    ) THEN
        RAISE EXCEPTION 'a transaction moves only along its states'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_state_edge';
    END IF;
    IF EXISTS (
        SELECT FROM before b JOIN after a ON a.id = b.id JOIN cloud_credits_cloudtransaction t ON t.id = a.id
         WHERE b.state = 'completed' AND a.state = 'reversed' AND NOT cloud_credits_undone_whole(t)
    ) THEN
        RAISE EXCEPTION 'a transaction is reversed by corrections that point at it and undo all of it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_reversed_by_correction';
    END IF;
    SELECT array_agg(a.from_member_id) || array_agg(a.to_member_id), min(a.booked_at) INTO members, earliest
      FROM before b JOIN after a ON a.id = b.id
     WHERE b.state <> 'completed' AND a.state = 'completed';
    IF earliest < statement_timestamp() OR EXISTS (
        SELECT FROM before b JOIN after a ON a.id = b.id
         WHERE b.state <> 'completed' AND a.state = 'completed'
           AND a.booked_xid <> pg_current_xact_id()::text::bigint
    ) THEN
        RAISE EXCEPTION 'a transaction is booked now, by the database transaction that books it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_booked_now';
    END IF;
    IF earliest IS NOT NULL THEN
        PERFORM cloud_credits_check_booked(members, earliest);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION cloud_credits_transaction_born() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    members bigint[];
    earliest timestamptz;
BEGIN
    IF EXISTS (SELECT FROM born WHERE state NOT IN ('pending', 'completed')) THEN
        RAISE EXCEPTION 'a transaction is born pending or completed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_first_state';
    END IF;
    SELECT array_agg(from_member_id) || array_agg(to_member_id), min(booked_at) INTO members, earliest
      FROM born WHERE state = 'completed';
    IF EXISTS (SELECT FROM born WHERE state = 'completed' AND booked_xid <> pg_current_xact_id()::text::bigint)
       OR earliest < statement_timestamp() THEN
        RAISE EXCEPTION 'a transaction is booked now, by the database transaction that books it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_booked_now';
    END IF;
    IF earliest IS NOT NULL THEN
        PERFORM cloud_credits_check_booked(members, earliest);
    END IF;
    RETURN NULL;
END $$;
