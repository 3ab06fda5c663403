-- stops: a line of one's own making. Lines that are fewer than two, unequal, of an entry of another statement or
-- another transaction, on an account that takes none, is retired, or belongs to the other ledger.
CREATE FUNCTION treasury_guard_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT given.* INTO bad
      FROM (SELECT n.entry_id,
                   count(*) AS lines,
                   coalesce(sum(n.amount) FILTER (WHERE n.side = 'D'), 0) AS debit,
                   coalesce(sum(n.amount) FILTER (WHERE n.side = 'C'), 0) AS credit,
                   coalesce(bool_and(e.transaction = pg_current_xact_id()), false) AS is_new,
                   coalesce(bool_and(a.is_postable), false) AS postable,
                   coalesce(bool_and(a.is_active), false) AS active,
                   coalesce(bool_and(a.ledger = e.ledger), false) AS same_ledger
              FROM new_lines n
              LEFT JOIN treasury_journalentry e ON e.id = n.entry_id
              LEFT JOIN treasury_account a ON a.id = n.account_id
             GROUP BY n.entry_id) given
     WHERE given.lines < 2
        OR given.debit <> given.credit
        OR NOT (given.is_new AND given.postable AND given.active AND given.same_ledger)
        OR given.lines <> (SELECT count(*) FROM treasury_journalline l WHERE l.entry_id = given.entry_id)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('journal entry %s: its lines are refused', bad.entry_id),
            DETAIL = CASE
                WHEN NOT bad.is_new THEN 'nothing is added to an entry of another transaction'
                WHEN NOT bad.postable THEN 'a line stands on an account that takes none'
                WHEN NOT bad.active THEN 'a line stands on a retired account'
                WHEN NOT bad.same_ledger THEN 'a line stands on an account of the other ledger'
                WHEN bad.lines < 2 THEN 'an entry has at least two lines'
                WHEN bad.debit <> bad.credit THEN format('debits %s, credits %s', bad.debit, bad.credit)
                ELSE 'all lines of an entry come in one statement'
            END;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER journalline_guard
    AFTER INSERT ON treasury_journalline
    REFERENCING NEW TABLE AS new_lines
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_guard_lines();

-- stops: back-dating. An entry outside its period's days, in a period that takes no entries of its kind (also one
-- that closes in another connection: the row lock waits for it), with a forged clock or transaction number.
CREATE FUNCTION treasury_guard_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    PERFORM FROM treasury_period p
      WHERE p.id IN (SELECT n.period_id FROM new_entries n)
      ORDER BY p.id
        FOR SHARE;
    SELECT n.id, n.effective_on, p.name, p.state INTO bad
      FROM new_entries n
      LEFT JOIN treasury_period p ON p.id = n.period_id
     WHERE p.id IS NULL
        OR n.effective_on < p.start
        OR n.effective_on >= p."end"
        OR NOT (p.state = 'open' OR (p.state = 'closing' AND n.source_kind IN ('close', 'adjustment')))
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('journal entry %s: nothing may be dated %s', bad.id, bad.effective_on),
            DETAIL = format('period %s is %s', coalesce(bad.name, '(none)'), coalesce(bad.state, 'missing'));
    END IF;
    SELECT n.id INTO bad
      FROM new_entries n
     WHERE n.transaction <> pg_current_xact_id()
        OR n.posted_at < transaction_timestamp()
        OR n.posted_at > clock_timestamp()
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('journal entry %s: the database writes the posting time and transaction', bad.id);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER journalentry_guard
    AFTER INSERT ON treasury_journalentry
    REFERENCING NEW TABLE AS new_entries
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_guard_entries();

-- stops: an entry without lines, and a reversal that does not mirror its original. Deferred, because the lines may
-- come in a later statement of the transaction.
CREATE FUNCTION treasury_entry_has_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM treasury_journalline l WHERE l.entry_id = NEW.id) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('journal entry %s has no lines', NEW.id);
    END IF;
    IF NEW.reverses_id IS NOT NULL AND EXISTS (
        SELECT FROM treasury_journalline l
         WHERE l.entry_id IN (NEW.id, NEW.reverses_id)
         GROUP BY l.account_id
        HAVING sum(CASE WHEN l.side = 'D' THEN l.amount ELSE -l.amount END) <> 0)
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('journal entry %s does not mirror entry %s', NEW.id, NEW.reverses_id);
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER journalentry_has_lines
    AFTER INSERT ON treasury_journalentry
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION treasury_entry_has_lines();

-- stops: a posted entry or line being changed, moved or taken out, by anybody, by any statement.
CREATE TRIGGER journalentry_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_journalentry
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER journalline_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_journalline
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a period's history being rewritten.
CREATE TRIGGER periodchange_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_periodchange
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: a period born closed, moved along no edge, or given other days once it exists.
CREATE TRIGGER period_state
    BEFORE INSERT OR UPDATE ON treasury_period
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'open', 'open>closing,closing>closed,closing>open,closed>locked,closed>open', '');
-- stops: a period disappearing from under its entries.
CREATE TRIGGER period_kept
    BEFORE DELETE OR TRUNCATE ON treasury_period
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a period closing while the one after it does not exist, so that new facts would have no place.
CREATE FUNCTION treasury_guard_close() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM treasury_period p WHERE p.start = NEW."end") THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('period %s: the next period must exist first', NEW.name);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER period_next_exists
    BEFORE UPDATE OF state ON treasury_period
    FOR EACH ROW WHEN (NEW.state IN ('closing', 'closed', 'locked') AND OLD.state <> NEW.state)
    EXECUTE FUNCTION treasury_guard_close();

-- stops: a period opened again, filled and closed with nobody's name to it: each step has its record, written by the
-- transaction that takes it, neither before it nor ahead for a later one. Deferred, because the record comes after
-- the step.
CREATE FUNCTION treasury_period_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM treasury_periodchange c
         WHERE c.period_id = NEW.id AND c.from_state = OLD.state AND c.to_state = NEW.state
           AND c.at BETWEEN transaction_timestamp() AND clock_timestamp())
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('period %s: its step from %s to %s has no record', NEW.name, OLD.state, NEW.state);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER period_told
    AFTER UPDATE ON treasury_period
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.state <> NEW.state)
    EXECUTE FUNCTION treasury_period_told();

-- stops: an account changing what it is once lines may stand on it; a sub-account under an account that takes lines,
-- in the other ledger, of another kind.
CREATE FUNCTION treasury_guard_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    above record;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.code, NEW.kind, NEW.normal_side, NEW.ledger, NEW.is_postable, NEW.parent_id)
        IS DISTINCT FROM (OLD.id, OLD.code, OLD.kind, OLD.normal_side, OLD.ledger, OLD.is_postable, OLD.parent_id) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('account %s: only its name and whether it is in use may change', OLD.code);
    END IF;
    IF TG_OP = 'INSERT' AND NEW.parent_id IS NOT NULL THEN
        SELECT p.is_postable, p.ledger, p.kind INTO above FROM treasury_account p WHERE p.id = NEW.parent_id;
        IF above.is_postable OR above.ledger <> NEW.ledger OR above.kind <> NEW.kind THEN
            RAISE EXCEPTION USING
                ERRCODE = 'check_violation',
                MESSAGE = format('account %s does not fit under its parent', NEW.code);
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_guard
    BEFORE INSERT OR UPDATE ON treasury_account
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_account();
-- stops: an account disappearing from the chart.
CREATE TRIGGER account_kept
    BEFORE DELETE OR TRUNCATE ON treasury_account
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- Not a guard but a promise kept: a snapshot row taken out unseals its whole day, so no balance ever changes by it.
CREATE FUNCTION treasury_unseal_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM old_sums) THEN
        RETURN NULL;
    END IF;
    DELETE FROM treasury_accountday a USING old_sums o WHERE a.day = o.day;
    DELETE FROM treasury_sealedday s USING old_sums o WHERE s.day = o.day;
    RETURN NULL;
END $$;
CREATE TRIGGER accountday_unseals
    AFTER DELETE ON treasury_accountday
    REFERENCING OLD TABLE AS old_sums
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_unseal_days();
-- stops: snapshots emptied in a way the trigger above cannot see.
CREATE TRIGGER accountday_no_truncate
    BEFORE TRUNCATE ON treasury_accountday
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- What the application role may do: write new facts, and move a period or an account along.
REVOKE UPDATE, DELETE, TRUNCATE ON treasury_journalentry, treasury_journalline, treasury_periodchange FROM habitat_app;
REVOKE UPDATE, DELETE, TRUNCATE ON treasury_period, treasury_account FROM habitat_app;
GRANT UPDATE (state) ON treasury_period TO habitat_app;
GRANT UPDATE (name, is_active) ON treasury_account TO habitat_app;
