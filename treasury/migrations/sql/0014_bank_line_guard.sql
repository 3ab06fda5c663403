-- stops: a line that turns into another, shows somebody else's version, or goes back to an older one. A line is born
-- before its first version and shows none.
CREATE OR REPLACE FUNCTION treasury_guard_bankline() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.account_id, NEW.line_id, NEW.opened_at, NEW.first_seen_at)
        IS DISTINCT FROM (OLD.id, OLD.account_id, OLD.line_id, OLD.opened_at, OLD.first_seen_at) THEN
        RAISE EXCEPTION 'bank line % never changes: its versions do', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    IF (NEW.current_id IS NULL AND TG_OP = 'UPDATE' AND OLD.current_id IS NOT NULL)
        OR (NEW.current_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM treasury_banklineversion v
             WHERE v.id = NEW.current_id AND v.line_id = NEW.id
               AND v.number = (SELECT max(n.number) FROM treasury_banklineversion n WHERE n.line_id = NEW.id)))
    THEN
        RAISE EXCEPTION 'bank line %: its current version is its newest', NEW.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

-- stops: what it stopped before. A match that was put in question in the same transaction need not agree with its line
-- any more, and one that was undone with nothing.
CREATE OR REPLACE FUNCTION treasury_bankmatch_agrees() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
    state_now text;
BEGIN
    SELECT m.state INTO state_now FROM treasury_bankmatch m WHERE m.id = NEW.id;
    IF state_now NOT IN ('confirmed', 'questioned') THEN
        RETURN NULL;
    END IF;
    PERFORM FROM treasury_bankline l
      WHERE l.id IN (SELECT ml.line_id FROM treasury_bankmatchline ml WHERE ml.match_id = NEW.id)
      ORDER BY l.id FOR NO KEY UPDATE;
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM treasury_bankmatchline ml WHERE ml.match_id = NEW.id) THEN 'it has no line'
        WHEN state_now = 'confirmed' AND EXISTS (
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
