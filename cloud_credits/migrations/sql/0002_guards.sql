-- The credit ledger's own guards. Statement triggers with transition tables: a per-row one would cost every
-- movement, and the rules are about sets. Each says what it stops.

-- What must be true of rows that were just booked, shared by the two triggers below: played in the order of their
-- time over the row before them, each touched member's newest rows are numbered without a gap, each leaves what its
-- amount says, and the balance stands where the last one leaves it. The row before is what catches a forged row that
-- is slipped in further back, and a number that is skipped.
CREATE FUNCTION cloud_credits_check_booked(members bigint[], earliest timestamptz) RETURNS void
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    bad record;
BEGIN
    SELECT m.id INTO bad
      FROM (SELECT DISTINCT given.id FROM unnest(members) AS given(id) WHERE given.id IS NOT NULL) m
      LEFT JOIN cloud_credits_cloudbalance b ON b.member_id = m.id
     CROSS JOIN LATERAL (
          SELECT * FROM (
              (SELECT from_sequence AS seq, from_liquid_after AS liquid, from_staked_after AS staked, booked_at
                 FROM cloud_credits_cloudtransaction
                WHERE from_member_id = m.id AND booked_at < earliest ORDER BY booked_at DESC LIMIT 1)
              UNION ALL
              (SELECT to_sequence, to_liquid_after, to_staked_after, booked_at
                 FROM cloud_credits_cloudtransaction
                WHERE to_member_id = m.id AND booked_at < earliest ORDER BY booked_at DESC LIMIT 1)
              UNION ALL
              SELECT 0, 0, 0, '-infinity'
          ) sides ORDER BY booked_at DESC LIMIT 1
     ) base
     CROSS JOIN LATERAL (
          SELECT count(*) AS rows, max(booked_at) AS last_at, sum(liquid) AS liquid, sum(staked) AS staked,
                 bool_and(seq = base.seq + number AND liquid_after = base.liquid + liquid_run
                          AND staked_after = base.staked + staked_run) AS played
            FROM (
                SELECT *, row_number() OVER run AS number, sum(liquid) OVER run AS liquid_run,
                       sum(staked) OVER run AS staked_run
                  FROM (
                      SELECT booked_at, from_sequence AS seq, from_liquid_after AS liquid_after,
                             from_staked_after AS staked_after,
                             CASE type WHEN 'unstake' THEN amount ELSE -amount END AS liquid,
                             CASE type WHEN 'stake' THEN amount WHEN 'unstake' THEN -amount ELSE 0 END AS staked
                        FROM cloud_credits_cloudtransaction
                       WHERE from_member_id = m.id AND booked_at >= earliest
                      UNION ALL
                      SELECT booked_at, to_sequence, to_liquid_after, to_staked_after, amount, 0
                        FROM cloud_credits_cloudtransaction
                       WHERE to_member_id = m.id AND booked_at >= earliest
                         AND from_member_id IS DISTINCT FROM to_member_id
                  ) sides WINDOW run AS (ORDER BY booked_at)
            ) numbered
     ) n
     WHERE NOT coalesce(
            n.played AND b.version = base.seq + n.rows AND b.booked_at = n.last_at
            AND b.liquid = base.liquid + n.liquid AND b.staked = base.staked + n.staked, false)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the balance of member % and its newest transactions disagree', bad.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_matches_balance';
    END IF;
END $$;

-- stops: a row born processing, failed or reversed; a completed row whose balances did not move with it, that
-- is out of sequence, that leaves other figures than its amount says, or that is dated behind a balance's newest
-- row; one dated before the statement that books it, or that claims to belong to another database transaction (it
-- would lie behind a sealed block, or never be sealed).
CREATE FUNCTION cloud_credits_transaction_born() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER transaction_born AFTER INSERT ON cloud_credits_cloudtransaction
    REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION cloud_credits_transaction_born();

-- Whether corrections and a debt together undo a transaction: what its holder still had is taken back (part 1), and
-- what they had spent is owed by them or, where techne is the holder, issued anew to the giver (part 2).
CREATE FUNCTION cloud_credits_undone_whole(t cloud_credits_cloudtransaction) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    WITH parts AS (
        SELECT coalesce(sum(amount) FILTER (WHERE reversal_part = 1), 0) AS taken,
               coalesce(sum(amount) FILTER (WHERE reversal_part = 2), 0) AS issued,
               coalesce(bool_and(type = 'correction' AND state = 'completed'
                                 AND to_member_id IS NOT DISTINCT FROM t.from_member_id
                                 AND from_member_id IS NOT DISTINCT FROM
                                     CASE reversal_part WHEN 1 THEN t.to_member_id END), true) AS right_way
          FROM cloud_credits_cloudtransaction WHERE reverses_id = t.id
    ), debt AS (
        SELECT coalesce(sum(amount), 0) AS owed, coalesce(bool_and(member_id = t.to_member_id), true) AS by_holder
          FROM cloud_credits_receivable WHERE origin_id = t.id
    )
    SELECT right_way AND by_holder AND taken + greatest(issued, owed) = t.amount
           AND (issued = 0 OR owed = 0 OR issued = owed)
      FROM parts, debt
$$;

-- stops: any change of a ledger row but its state along the edges, and, on completion only, what it left behind.
CREATE FUNCTION cloud_credits_transaction_moves() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER transaction_moves AFTER UPDATE ON cloud_credits_cloudtransaction
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION cloud_credits_transaction_moves();

-- stops: deleting or emptying the ledger.
CREATE TRIGGER transaction_kept BEFORE DELETE ON cloud_credits_cloudtransaction
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER transaction_kept_whole BEFORE TRUNCATE ON cloud_credits_cloudtransaction
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a balance born with credits.
CREATE FUNCTION cloud_credits_balance_born() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM born
         WHERE liquid <> 0 OR staked <> 0 OR version <> 0 OR booked_at IS NOT NULL OR last_transaction_id IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'a balance is born empty'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'balance_born_empty';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER balance_born AFTER INSERT ON cloud_credits_cloudbalance
    REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION cloud_credits_balance_born();

-- stops: a balance that moves without its transaction, jumps in sequence, or changes hands.
CREATE FUNCTION cloud_credits_balance_moves() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER balance_moves AFTER UPDATE ON cloud_credits_cloudbalance
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION cloud_credits_balance_moves();

-- stops: deleting or emptying balances.
CREATE TRIGGER balance_kept BEFORE DELETE ON cloud_credits_cloudbalance
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER balance_kept_whole BEFORE TRUNCATE ON cloud_credits_cloudbalance
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: changing, deleting or emptying idempotency keys and sealed blocks.
CREATE TRIGGER idempotency_key_kept BEFORE UPDATE OR DELETE ON cloud_credits_idempotencykey
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER idempotency_key_kept_whole BEFORE TRUNCATE ON cloud_credits_idempotencykey
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER block_kept BEFORE UPDATE OR DELETE ON cloud_credits_chainblock
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER block_kept_whole BEFORE TRUNCATE ON cloud_credits_chainblock
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a stake born released, and any change of a stake but its release.
CREATE TRIGGER position_states BEFORE INSERT OR UPDATE ON cloud_credits_stakingposition
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'active', 'active>unstaked,active>slashed', 'unstake_transaction_id,released_at');
CREATE TRIGGER position_kept BEFORE DELETE ON cloud_credits_stakingposition
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER position_kept_whole BEFORE TRUNCATE ON cloud_credits_stakingposition
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a debt born settled: it would stand for a reversal that took nothing back.
CREATE FUNCTION cloud_credits_receivable_born() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a receivable is born unsettled'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'receivable_born_unsettled';
END $$;
CREATE TRIGGER receivable_born BEFORE INSERT ON cloud_credits_receivable
    FOR EACH ROW WHEN (NEW.settled <> 0) EXECUTE FUNCTION cloud_credits_receivable_born();

-- stops: a receivable that shrinks, grows, or changes hands; only what is settled of it moves, and only up.
CREATE FUNCTION cloud_credits_receivable_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (to_jsonb(NEW) - 'settled') IS DISTINCT FROM (to_jsonb(OLD) - 'settled') OR NEW.settled < OLD.settled THEN
        RAISE EXCEPTION 'a receivable only gets settled'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'receivable_only_settled';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER receivable_moves BEFORE UPDATE ON cloud_credits_receivable
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_receivable_moves();
CREATE TRIGGER receivable_kept BEFORE DELETE ON cloud_credits_receivable
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER receivable_kept_whole BEFORE TRUNCATE ON cloud_credits_receivable
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a name that changes hands, a revocation undone, a name deleted so that it could be issued again.
CREATE FUNCTION cloud_credits_registration_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.member_id, NEW.subname, NEW.ethereum_address, NEW.created_at)
       IS DISTINCT FROM (OLD.member_id, OLD.subname, OLD.ethereum_address, OLD.created_at)
       OR (OLD.revoked_at IS NOT NULL AND
           (NEW.revoked_at, NEW.revoked_by, NEW.revoke_reason)
           IS DISTINCT FROM (OLD.revoked_at, OLD.revoked_by, OLD.revoke_reason)) THEN
        RAISE EXCEPTION 'a name stays with its member, and a revocation stays'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'registration_unchanged';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER registration_moves BEFORE UPDATE ON cloud_credits_ensregistration
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_registration_moves();
CREATE TRIGGER registration_kept BEFORE DELETE ON cloud_credits_ensregistration
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER registration_kept_whole BEFORE TRUNCATE ON cloud_credits_ensregistration
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- A ledger row as auditors read it: every column that says what happened, none that a later fact may change.
CREATE FUNCTION cloud_credits_canonical(t cloud_credits_cloudtransaction) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT concat_ws('|',
        t.id::text, t.type, coalesce(t.from_member_id::text, '-'), coalesce(t.to_member_id::text, '-'),
        t.amount::text, t.purpose, coalesce(t.reverses_id::text, '-'), coalesce(t.reversal_part::text, '-'),
        coalesce(t.journal_entry_id::text, '-'),
        coalesce(t.from_liquid_after::text, '-'), coalesce(t.from_staked_after::text, '-'),
        coalesce(t.from_sequence::text, '-'),
        coalesce(t.to_liquid_after::text, '-'), coalesce(t.to_staked_after::text, '-'),
        coalesce(t.to_sequence::text, '-'),
        (extract(epoch FROM t.booked_at) * 1000000)::numeric(20, 0)::text,
        t.acting, to_json(t.description)::text, to_json(t.reference)::text)
$$;

-- The application role: insert, read, and move what the guards above let move.
REVOKE UPDATE, DELETE, TRUNCATE ON cloud_credits_cloudtransaction, cloud_credits_cloudbalance,
    cloud_credits_idempotencykey, cloud_credits_chainblock, cloud_credits_stakingposition,
    cloud_credits_receivable, cloud_credits_ensregistration FROM habitat_app;
GRANT UPDATE (state, journal_entry_id, from_liquid_after, from_staked_after, from_sequence, to_liquid_after,
    to_staked_after, to_sequence, booked_at, booked_xid) ON cloud_credits_cloudtransaction TO habitat_app;
GRANT UPDATE (liquid, staked, version, last_transaction_id, booked_at, onchain_balance, onchain_synced_at,
    onchain_sync_status) ON cloud_credits_cloudbalance TO habitat_app;
GRANT UPDATE (state, unstake_transaction_id, released_at) ON cloud_credits_stakingposition TO habitat_app;
GRANT UPDATE (settled) ON cloud_credits_receivable TO habitat_app;
GRANT UPDATE (text_records, registered_onchain, onchain_tx_hash, registered_at, revoked_at, revoked_by,
    revoke_reason) ON cloud_credits_ensregistration TO habitat_app;
