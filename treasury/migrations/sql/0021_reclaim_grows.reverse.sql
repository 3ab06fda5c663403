CREATE OR REPLACE FUNCTION treasury_guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.journal_entry_id IS NOT NULL AND NEW.journal_entry_id IS DISTINCT FROM OLD.journal_entry_id)
        OR (OLD.state <> 'pending' AND (NEW.journal_entry_id, NEW.reclaim, NEW.settled_at)
            IS DISTINCT FROM (OLD.journal_entry_id, OLD.reclaim, OLD.settled_at)) THEN
        RAISE EXCEPTION 'refund % keeps how it was booked', OLD.refund_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION treasury_guard_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.opened_entry_id IS NOT NULL AND (NEW.opened_entry_id, NEW.fee) IS DISTINCT FROM (OLD.opened_entry_id, OLD.fee))
        OR (OLD.closed_entry_id IS NOT NULL AND NEW.closed_entry_id IS DISTINCT FROM OLD.closed_entry_id)
        OR (OLD.state <> 'open' AND (NEW.reclaim, NEW.closed_at) IS DISTINCT FROM (OLD.reclaim, OLD.closed_at)) THEN
        RAISE EXCEPTION 'dispute % keeps how it was booked', OLD.dispute_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
