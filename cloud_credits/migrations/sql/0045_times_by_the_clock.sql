-- What 0002 stops, unchanged, and beside it: a row booked ahead of the database's clock. Whoever moves such a member's
-- credits next is booked after that row, and a batch books all its members after the newest row of any of them: one row
-- dated ten years ahead would take every member it is charged with along, for good. A batch's rows lie a microsecond
-- apart, so its last ones are ahead by less than a second; a minute leaves room for that. A clock that is set back by
-- more than that lets nobody book who moved credits since, until it has caught up.
CREATE OR REPLACE FUNCTION cloud_credits_transaction_born() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    members bigint[];
    earliest timestamptz;
    latest timestamptz;
BEGIN
    IF EXISTS (SELECT FROM born WHERE state NOT IN ('pending', 'completed')) THEN
        RAISE EXCEPTION 'a transaction is born pending or completed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_first_state';
    END IF;
    SELECT array_agg(from_member_id) || array_agg(to_member_id), min(booked_at), max(booked_at)
      INTO members, earliest, latest
      FROM born WHERE state = 'completed';
    IF EXISTS (SELECT FROM born WHERE state = 'completed' AND booked_xid <> pg_current_xact_id()::text::bigint)
       OR earliest < statement_timestamp() OR latest > clock_timestamp() + interval '1 minute' THEN
        RAISE EXCEPTION 'a transaction is booked now, by the database transaction that books it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_booked_now';
    END IF;
    IF earliest IS NOT NULL THEN
        PERFORM cloud_credits_check_booked(members, earliest);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION cloud_credits_transaction_moves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    members bigint[];
    earliest timestamptz;
    latest timestamptz;
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
    SELECT array_agg(a.from_member_id) || array_agg(a.to_member_id), min(a.booked_at), max(a.booked_at)
      INTO members, earliest, latest
      FROM before b JOIN after a ON a.id = b.id
     WHERE b.state <> 'completed' AND a.state = 'completed';
    IF earliest < statement_timestamp() OR latest > clock_timestamp() + interval '1 minute' OR EXISTS (
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

-- stops: usage left in the queue at another time than it says. Usage is as old as its submission says that it came in
-- (0043), so a submission dated back would let in usage of any age without a second person. A web server's clock and
-- the database's may be a little apart.
CREATE FUNCTION cloud_credits_submission_received() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.received_at NOT BETWEEN habitat_now() - interval '1 minute' AND habitat_now() + interval '1 minute' THEN
        RAISE EXCEPTION 'a submission is received when it is taken in'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER submission_received BEFORE INSERT ON cloud_credits_meteringsubmission
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_submission_received();
