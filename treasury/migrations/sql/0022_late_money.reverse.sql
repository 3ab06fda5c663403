DROP TRIGGER payment_state ON treasury_payment;
DROP TRIGGER refund_state ON treasury_refund;
DROP TRIGGER dispute_state ON treasury_dispute;
UPDATE treasury_refund SET origin = 'habitat' WHERE origin = 'held';
CREATE TRIGGER payment_state BEFORE INSERT OR UPDATE ON treasury_payment
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'received',
        'received>minted,received>refunding,received>refunded,received>applied,refunding>refunded,refunding>received,refunded>received',
        'member_id,minted,refunded,disputed,clawed_back');
CREATE TRIGGER refund_state BEFORE INSERT OR UPDATE ON treasury_refund
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'pending', 'pending>succeeded,pending>failed,succeeded>failed', 'journal_entry_id,reclaim,settled_at');
CREATE TRIGGER dispute_state BEFORE INSERT OR UPDATE ON treasury_dispute
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'open', 'open>won,open>lost', 'fee,reclaim,opened_entry_id,closed_entry_id,closed_at');
CREATE OR REPLACE FUNCTION treasury_guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF (NEW.minted, NEW.refunded, NEW.disputed, NEW.clawed_back) IS DISTINCT FROM (0, 0, 0, 0) THEN
            RAISE EXCEPTION 'payment % is born with nothing done to it', NEW.reference
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.member_id IS NOT NULL AND NEW.member_id IS DISTINCT FROM OLD.member_id THEN
        RAISE EXCEPTION 'payment % keeps its member', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.minted <> OLD.minted AND (
        OLD.state <> 'received' OR NEW.state <> 'minted' OR NEW.problem <> '' OR NEW.member_id IS NULL
        OR NEW.minted <> OLD.amount - OLD.refunded - OLD.disputed)
    THEN
        RAISE EXCEPTION 'payment % is minted once, whole, and for its member', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.disputed < OLD.disputed
        OR ((NEW.refunded < OLD.refunded OR NEW.clawed_back < OLD.clawed_back) AND NOT EXISTS (
            SELECT FROM treasury_refund r WHERE r.payment_id = OLD.id AND r.state = 'failed'))
    THEN
        RAISE EXCEPTION 'what went back of payment % only grows, unless a refund failed', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION treasury_guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.journal_entry_id IS NOT NULL AND NEW.journal_entry_id IS DISTINCT FROM OLD.journal_entry_id)
        OR (OLD.state <> 'pending' AND ((NEW.journal_entry_id, NEW.settled_at)
            IS DISTINCT FROM (OLD.journal_entry_id, OLD.settled_at) OR NEW.reclaim < OLD.reclaim)) THEN
        RAISE EXCEPTION 'refund % keeps how it was booked', OLD.refund_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION treasury_guard_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.opened_entry_id IS NOT NULL AND (NEW.opened_entry_id, NEW.fee) IS DISTINCT FROM (OLD.opened_entry_id, OLD.fee))
        OR (OLD.closed_entry_id IS NOT NULL AND NEW.closed_entry_id IS DISTINCT FROM OLD.closed_entry_id)
        OR (OLD.state <> 'open' AND (NEW.closed_at IS DISTINCT FROM OLD.closed_at OR NEW.reclaim < OLD.reclaim)) THEN
        RAISE EXCEPTION 'dispute % keeps how it was booked', OLD.dispute_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
