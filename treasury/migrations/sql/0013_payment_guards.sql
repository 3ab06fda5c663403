-- stops: a payment, refund, dispute, pay-out or webhook born late in its life, moved along no edge, or turned into
-- another one: amount, reference and whose it was told to be never change.
CREATE TRIGGER payment_state BEFORE INSERT OR UPDATE ON treasury_payment
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'received',
        'received>minted,received>refunding,received>refunded,refunding>refunded,refunding>received,refunded>received',
        'member_id,minted,refunded,disputed,clawed_back');
CREATE TRIGGER refund_state BEFORE INSERT OR UPDATE ON treasury_refund
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'pending', 'pending>succeeded,pending>failed,succeeded>failed', 'journal_entry_id,reclaim,settled_at');
CREATE TRIGGER dispute_state BEFORE INSERT OR UPDATE ON treasury_dispute
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'open', 'open>won,open>lost', 'fee,reclaim,opened_entry_id,closed_entry_id,closed_at');
CREATE TRIGGER payout_state BEFORE INSERT OR UPDATE ON treasury_payout
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'pending', 'pending>in_transit,pending>paid,pending>failed,in_transit>paid,in_transit>failed,paid>failed',
        'arrival_on,matched_at');
CREATE TRIGGER stripeevent_state BEFORE INSERT OR UPDATE ON treasury_stripeevent
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'received', 'received>processed,received>ignored,received>failed,failed>received',
        'attempts,due_at,error,processed_at');

-- stops: money that turns up twice. Credits minted for nobody, for a payment with a problem, or for more than was
-- left; totals that shrink without a refund that failed; a payment passed from one member to another.
CREATE FUNCTION treasury_guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER payment_totals BEFORE INSERT OR UPDATE ON treasury_payment
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_payment();

-- stops: a refund or dispute whose entry is exchanged for another, or whose share in credits changes once decided.
CREATE FUNCTION treasury_guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.journal_entry_id IS NOT NULL AND NEW.journal_entry_id IS DISTINCT FROM OLD.journal_entry_id)
        OR (OLD.state <> 'pending' AND (NEW.journal_entry_id, NEW.reclaim, NEW.settled_at)
            IS DISTINCT FROM (OLD.journal_entry_id, OLD.reclaim, OLD.settled_at)) THEN
        RAISE EXCEPTION 'refund % keeps how it was booked', OLD.refund_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refund_booked BEFORE UPDATE ON treasury_refund
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_refund();
CREATE FUNCTION treasury_guard_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.opened_entry_id IS NOT NULL AND (NEW.opened_entry_id, NEW.fee) IS DISTINCT FROM (OLD.opened_entry_id, OLD.fee))
        OR (OLD.closed_entry_id IS NOT NULL AND NEW.closed_entry_id IS DISTINCT FROM OLD.closed_entry_id)
        OR (OLD.state <> 'open' AND (NEW.reclaim, NEW.closed_at) IS DISTINCT FROM (OLD.reclaim, OLD.closed_at)) THEN
        RAISE EXCEPTION 'dispute % keeps how it was booked', OLD.dispute_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dispute_booked BEFORE UPDATE ON treasury_dispute
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_dispute();

-- stops: a balance transaction rewritten; its pay-out and its entry are added once.
CREATE FUNCTION treasury_guard_movement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'payout_id' - 'journal_entry_id' <> to_jsonb(OLD) - 'payout_id' - 'journal_entry_id'
        OR (OLD.payout_id IS NOT NULL AND NEW.payout_id IS DISTINCT FROM OLD.payout_id)
        OR (OLD.journal_entry_id IS NOT NULL AND NEW.journal_entry_id IS DISTINCT FROM OLD.journal_entry_id) THEN
        RAISE EXCEPTION 'movement % is kept as Stripe told it', OLD.bt_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER movement_fixed BEFORE UPDATE ON treasury_stripemovement
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_movement();

-- stops: any of it disappearing, or a reading rewritten.
CREATE TRIGGER payment_kept BEFORE DELETE OR TRUNCATE ON treasury_payment
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER refund_kept BEFORE DELETE OR TRUNCATE ON treasury_refund
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER dispute_kept BEFORE DELETE OR TRUNCATE ON treasury_dispute
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER payout_kept BEFORE DELETE OR TRUNCATE ON treasury_payout
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER stripeevent_kept BEFORE DELETE OR TRUNCATE ON treasury_stripeevent
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER movement_kept BEFORE DELETE OR TRUNCATE ON treasury_stripemovement
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
CREATE TRIGGER stripereading_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury_stripereading
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

REVOKE UPDATE, DELETE, TRUNCATE ON treasury_payment, treasury_refund, treasury_dispute, treasury_payout,
    treasury_stripeevent, treasury_stripemovement, treasury_stripereading FROM habitat_app;
GRANT UPDATE (state, member_id, minted, refunded, disputed, clawed_back) ON treasury_payment TO habitat_app;
GRANT UPDATE (state, journal_entry_id, reclaim, settled_at) ON treasury_refund TO habitat_app;
GRANT UPDATE (state, fee, reclaim, opened_entry_id, closed_entry_id, closed_at) ON treasury_dispute TO habitat_app;
GRANT UPDATE (state, arrival_on, matched_at) ON treasury_payout TO habitat_app;
GRANT UPDATE (state, attempts, due_at, error, processed_at) ON treasury_stripeevent TO habitat_app;
GRANT UPDATE (payout_id, journal_entry_id) ON treasury_stripemovement TO habitat_app;
