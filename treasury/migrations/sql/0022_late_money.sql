-- What the rows of before say by their entries, before the guards watch the new columns: refunds and lost disputes that
-- stood in 2240, and refunds of ours that no credits were burned for.
DROP TRIGGER payment_state ON treasury_payment;
DROP TRIGGER refund_state ON treasury_refund;
DROP TRIGGER dispute_state ON treasury_dispute;
UPDATE treasury_refund r SET origin = 'held'
  FROM treasury_payment p
 WHERE p.id = r.payment_id AND r.origin = 'habitat' AND p.state <> 'minted';
UPDATE treasury_refund r SET held = said.amount
  FROM (SELECT l.entry_id, sum(l.amount) AS amount
          FROM treasury_journalline l JOIN treasury_account a ON a.id = l.account_id
         WHERE a.code = '2240' AND l.side = 'D' GROUP BY 1) said
 WHERE said.entry_id = r.journal_entry_id AND r.origin <> 'habitat';
UPDATE treasury_dispute d SET held = said.amount
  FROM (SELECT l.entry_id, sum(l.amount) AS amount
          FROM treasury_journalline l JOIN treasury_account a ON a.id = l.account_id
         WHERE a.code = '2240' AND l.side = 'D' GROUP BY 1) said
 WHERE said.entry_id = d.closed_entry_id AND d.state = 'lost';

-- stops: as before, a payment, refund or dispute moved along no edge; what waits again and what it covered may move.
CREATE TRIGGER payment_state BEFORE INSERT OR UPDATE ON treasury_payment
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'received',
        'received>minted,received>refunding,received>refunded,received>applied,refunding>refunded,refunding>received,refunded>received',
        'member_id,minted,refunded,disputed,clawed_back,late');
CREATE TRIGGER refund_state BEFORE INSERT OR UPDATE ON treasury_refund
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'pending', 'pending>succeeded,pending>failed,succeeded>failed',
        'journal_entry_id,reclaim,held,settled_at');
CREATE TRIGGER dispute_state BEFORE INSERT OR UPDATE ON treasury_dispute
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'open', 'open>won,open>lost', 'fee,reclaim,held,opened_entry_id,closed_entry_id,closed_at');

-- stops: money that turns up twice. Credits minted for nobody, for a payment with a problem, or for more than was
-- left; totals that shrink without a refund that failed; money that waits after the mint without one, or whose credits
-- are more than waited; a payment passed from one member to another.
CREATE OR REPLACE FUNCTION treasury_guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF (NEW.minted, NEW.refunded, NEW.disputed, NEW.clawed_back, NEW.late) IS DISTINCT FROM (0, 0, 0, 0, 0) THEN
            RAISE EXCEPTION 'payment % is born with nothing done to it', NEW.reference
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.member_id IS NOT NULL AND NEW.member_id IS DISTINCT FROM OLD.member_id THEN
        RAISE EXCEPTION 'payment % keeps its member', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.minted <> OLD.minted AND NOT (
        (OLD.state = 'received' AND NEW.state = 'minted' AND NEW.problem = '' AND NEW.member_id IS NOT NULL
            AND NEW.minted = OLD.amount - OLD.refunded - OLD.disputed)
        OR (OLD.state = 'minted' AND NEW.minted > OLD.minted AND NEW.minted - OLD.minted = OLD.late - NEW.late))
    THEN
        RAISE EXCEPTION 'payment % is minted once, whole, and for its member', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.disputed < OLD.disputed
        OR ((NEW.refunded < OLD.refunded OR NEW.clawed_back < OLD.clawed_back OR NEW.late > OLD.late) AND NOT EXISTS (
            SELECT FROM treasury_refund r WHERE r.payment_id = OLD.id AND r.state = 'failed'))
    THEN
        RAISE EXCEPTION 'what went back of payment % only grows, unless a refund failed', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

-- stops: a refund or dispute whose entry is exchanged for another, or whose share in credits, or of what stood in 2240,
-- shrinks once decided. Both may grow: a refund that came back covers what another took beyond the payment.
CREATE OR REPLACE FUNCTION treasury_guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.journal_entry_id IS NOT NULL AND NEW.journal_entry_id IS DISTINCT FROM OLD.journal_entry_id)
        OR (OLD.state <> 'pending' AND ((NEW.journal_entry_id, NEW.settled_at)
            IS DISTINCT FROM (OLD.journal_entry_id, OLD.settled_at)
            OR NEW.reclaim < OLD.reclaim OR NEW.held < OLD.held)) THEN
        RAISE EXCEPTION 'refund % keeps how it was booked', OLD.refund_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION treasury_guard_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.opened_entry_id IS NOT NULL AND (NEW.opened_entry_id, NEW.fee) IS DISTINCT FROM (OLD.opened_entry_id, OLD.fee))
        OR (OLD.closed_entry_id IS NOT NULL AND NEW.closed_entry_id IS DISTINCT FROM OLD.closed_entry_id)
        OR (OLD.state <> 'open' AND (NEW.closed_at IS DISTINCT FROM OLD.closed_at
            OR NEW.reclaim < OLD.reclaim OR NEW.held < OLD.held)) THEN
        RAISE EXCEPTION 'dispute % keeps how it was booked', OLD.dispute_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

GRANT UPDATE (late) ON treasury_payment TO habitat_app;
GRANT UPDATE (held) ON treasury_refund TO habitat_app;
GRANT UPDATE (held) ON treasury_dispute TO habitat_app;
