-- stops: a reading, a version of a line, a row set aside, or a part of a match being rewritten or taken out.
CREATE TRIGGER bankreading_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_bankreading
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER banklineversion_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_banklineversion
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER bankrowaside_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_bankrowaside
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER bankmatchline_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_bankmatchline
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();
CREATE TRIGGER bankmatchtarget_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_bankmatchtarget
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

-- stops: an account, a line, a match or a bill disappearing.
CREATE TRIGGER bankaccount_kept BEFORE DELETE OR TRUNCATE ON treasury_bankaccount
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER bankline_kept BEFORE DELETE OR TRUNCATE ON treasury_bankline
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER bankmatch_kept BEFORE DELETE OR TRUNCATE ON treasury_bankmatch
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER bill_kept BEFORE DELETE OR TRUNCATE ON treasury_bill
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: an account that turns into another, or stands for another account of the chart once its lines are booked.
CREATE FUNCTION treasury_guard_bankaccount() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.account_id, NEW.opened_at, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.account_id, OLD.opened_at, OLD.created_at)
        OR (NEW.ledger_code <> OLD.ledger_code AND EXISTS (
            SELECT FROM treasury_bankmatchline ml
              JOIN treasury_bankline l ON l.id = ml.line_id
              JOIN treasury_bankmatch m ON m.id = ml.match_id
             WHERE l.account_id = NEW.id AND m.state IN ('confirmed', 'questioned')))
    THEN
        RAISE EXCEPTION 'bank account % keeps what it stands for', OLD.account_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bankaccount_fixed BEFORE UPDATE ON treasury_bankaccount
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_bankaccount();

-- stops: a line that turns into another, is born with somebody else's version, or goes back to an older version.
CREATE FUNCTION treasury_guard_bankline() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    chosen record;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.account_id, NEW.line_id, NEW.opened_at, NEW.first_seen_at)
        IS DISTINCT FROM (OLD.id, OLD.account_id, OLD.line_id, OLD.opened_at, OLD.first_seen_at) THEN
        RAISE EXCEPTION 'bank line % never changes: its versions do', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.current_id IS NOT NULL THEN
        SELECT v.line_id, v.number, (SELECT max(n.number) FROM treasury_banklineversion n WHERE n.line_id = NEW.id) AS last
          INTO chosen FROM treasury_banklineversion v WHERE v.id = NEW.current_id;
    END IF;
    IF (NEW.current_id IS NOT NULL AND (chosen.line_id IS DISTINCT FROM NEW.id OR chosen.number <> chosen.last))
        OR (TG_OP = 'UPDATE' AND NEW.current_id IS NULL AND OLD.current_id IS NOT NULL) THEN
        RAISE EXCEPTION 'bank line %: its current version is its newest', NEW.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bankline_fixed BEFORE INSERT OR UPDATE ON treasury_bankline
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_bankline();

-- stops: a line whose newest version is not the one it shows, at commit. Deferred: the version comes after the line.
CREATE FUNCTION treasury_bankline_shows_newest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM treasury_bankline l JOIN treasury_banklineversion v ON v.id = l.current_id
         WHERE l.id = NEW.line_id AND v.number = (
               SELECT max(n.number) FROM treasury_banklineversion n WHERE n.line_id = NEW.line_id))
        OR (NEW.number > 1 AND NOT EXISTS (
            SELECT FROM treasury_banklineversion b WHERE b.line_id = NEW.line_id AND b.number = NEW.number - 1))
    THEN
        RAISE EXCEPTION 'bank line % does not show its newest version', NEW.line_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER banklineversion_shown AFTER INSERT ON treasury_banklineversion
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION treasury_bankline_shows_newest();

-- stops: a match born decided, moved along no edge, or whose word changes without a step.
CREATE TRIGGER bankmatch_state BEFORE INSERT OR UPDATE ON treasury_bankmatch
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'suggested',
        'suggested>confirmed,suggested>dismissed,confirmed>questioned,confirmed>undone,questioned>confirmed,'
        'questioned>undone',
        'decided_at,decided_by,reason,journal_entry_id,question,undone_at,undone_by,undo_reason');
CREATE FUNCTION treasury_guard_bankmatch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.state = OLD.state AND NEW IS DISTINCT FROM OLD)
        OR (OLD.journal_entry_id IS NOT NULL AND NEW.journal_entry_id IS DISTINCT FROM OLD.journal_entry_id) THEN
        RAISE EXCEPTION 'bank match % keeps what was decided', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bankmatch_settled BEFORE UPDATE ON treasury_bankmatch
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_bankmatch();

-- stops: a line or a target slipped into a match that was decided.
CREATE FUNCTION treasury_guard_match_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM parts p LEFT JOIN treasury_bankmatch m ON m.id = p.match_id
         WHERE m.state IS DISTINCT FROM 'suggested') THEN
        RAISE EXCEPTION 'nothing is added to a match that was decided'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER bankmatchline_open AFTER INSERT ON treasury_bankmatchline
    REFERENCING NEW TABLE AS parts FOR EACH STATEMENT EXECUTE FUNCTION treasury_guard_match_parts();
CREATE TRIGGER bankmatchtarget_open AFTER INSERT ON treasury_bankmatchtarget
    REFERENCING NEW TABLE AS parts FOR EACH STATEMENT EXECUTE FUNCTION treasury_guard_match_parts();

-- stops: a confirmed match whose sides differ, without lines, of a line that is not posted or says another amount now,
-- of a line or a fact that another match holds, without its entry, or whose entry moves the bank by something else.
-- Deferred: the entry and the parts may come after the step. The lines are locked, so that two cannot pass at once.
CREATE FUNCTION treasury_bankmatch_agrees() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    PERFORM FROM treasury_bankline l
      WHERE l.id IN (SELECT ml.line_id FROM treasury_bankmatchline ml WHERE ml.match_id = NEW.id)
      ORDER BY l.id FOR NO KEY UPDATE;
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM treasury_bankmatchline ml WHERE ml.match_id = NEW.id) THEN 'it has no line'
        WHEN EXISTS (
            SELECT FROM treasury_bankmatchline ml
              JOIN treasury_bankline l ON l.id = ml.line_id
              JOIN treasury_banklineversion v ON v.id = l.current_id
             WHERE ml.match_id = NEW.id AND (v.status <> 'sent' OR v.amount <> ml.amount))
            THEN 'a line is not posted, or says another amount'
        WHEN EXISTS (
            SELECT FROM treasury_bankmatchline ml
              JOIN treasury_bankmatchline other ON other.line_id = ml.line_id AND other.match_id <> ml.match_id
              JOIN treasury_bankmatch m ON m.id = other.match_id
             WHERE ml.match_id = NEW.id AND m.state IN ('confirmed', 'questioned'))
            THEN 'another match holds a line of it'
        WHEN NEW.kind NOT IN ('ignored', 'duplicate') AND EXISTS (
            SELECT FROM treasury_bankmatchtarget t
              JOIN treasury_bankmatchtarget other
                ON other.kind = t.kind AND other.target_id = t.target_id AND other.match_id <> t.match_id
              JOIN treasury_bankmatch m ON m.id = other.match_id
             WHERE t.match_id = NEW.id AND t.kind <> 'account' AND m.state IN ('confirmed', 'questioned')
               AND m.kind NOT IN ('ignored', 'duplicate'))
            THEN 'another match holds a fact of it'
        WHEN NEW.kind NOT IN ('ignored', 'duplicate') AND
            (SELECT sum(ml.amount) FROM treasury_bankmatchline ml WHERE ml.match_id = NEW.id)
            <> coalesce((SELECT sum(t.amount) FROM treasury_bankmatchtarget t WHERE t.match_id = NEW.id), 0)
            THEN 'its lines and its facts differ'
        WHEN NEW.kind IN ('ignored', 'duplicate') AND NEW.journal_entry_id IS NOT NULL THEN 'it posts nothing'
        WHEN NEW.kind NOT IN ('ignored', 'duplicate') AND NEW.journal_entry_id IS NULL THEN 'it has no entry'
        WHEN NEW.kind NOT IN ('ignored', 'duplicate') AND EXISTS (
            SELECT code FROM (
                SELECT a.ledger_code AS code, ml.amount
                  FROM treasury_bankmatchline ml
                  JOIN treasury_bankline l ON l.id = ml.line_id
                  JOIN treasury_bankaccount a ON a.id = l.account_id
                 WHERE ml.match_id = NEW.id
                UNION ALL
                SELECT t.target_id, -t.amount FROM treasury_bankmatchtarget t
                 WHERE t.match_id = NEW.id AND t.kind = 'account' AND t.target_id IN ('1110', '1120')
                UNION ALL
                SELECT a.code, CASE j.side WHEN 'D' THEN -j.amount ELSE j.amount END
                  FROM treasury_journalline j JOIN treasury_account a ON a.id = j.account_id
                 WHERE j.entry_id = NEW.journal_entry_id AND a.code IN ('1110', '1120')) moved
             GROUP BY code HAVING sum(amount) <> 0)
            THEN 'its entry moves the bank by something else'
        END INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'bank match %: %', NEW.id, wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER bankmatch_agrees AFTER UPDATE ON treasury_bankmatch
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.state = 'confirmed' AND OLD.state <> 'confirmed')
    EXECUTE FUNCTION treasury_bankmatch_agrees();

-- stops: a bill born paid, moved along no edge, or given another amount, account or supplier.
CREATE TRIGGER bill_state BEFORE INSERT OR UPDATE ON treasury_bill
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'open', 'open>paid,open>void,paid>open', 'void_entry_id,voided_by,void_reason');

-- What the application role may do: write new rows, show a newer version, and move a match or a bill along.
REVOKE UPDATE, DELETE, TRUNCATE ON treasury_bankreading, treasury_banklineversion, treasury_bankrowaside,
    treasury_bankmatchline, treasury_bankmatchtarget FROM habitat_app;
REVOKE UPDATE, DELETE, TRUNCATE ON treasury_bankaccount, treasury_bankline, treasury_bankmatch, treasury_bill
    FROM habitat_app;
GRANT UPDATE (name, kind, ledger_code, is_backing, read_until) ON treasury_bankaccount TO habitat_app;
GRANT UPDATE (current_id) ON treasury_bankline TO habitat_app;
GRANT UPDATE (state, decided_at, decided_by, reason, journal_entry_id, question, undone_at, undone_by, undo_reason)
    ON treasury_bankmatch TO habitat_app;
GRANT UPDATE (state, void_entry_id, voided_by, void_reason) ON treasury_bill TO habitat_app;
