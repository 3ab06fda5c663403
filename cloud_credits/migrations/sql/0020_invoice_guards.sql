-- stops: an invoice born sent, off its machine's edges, or whose author and birth change
CREATE TRIGGER invoice_states BEFORE INSERT OR UPDATE ON cloud_credits_invoice
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'state', 'draft',
        'draft>sent,draft>void,sent>overdue,sent>paid,sent>void,overdue>paid,overdue>void,paid>refunded',
        'title,total,number,sent_at,due_on,paid_at,paid_by,payment_transaction_id,refund_transaction_id,payment_received_at');

-- The credits of an invoice are one completed transfer of exactly its total, for invoices, between its member and
-- techne.
CREATE FUNCTION cloud_credits_settles_invoice(transaction_id bigint, total numeric, payer bigint, payee bigint)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM cloud_credits_cloudtransaction t
                    WHERE t.id = transaction_id AND t.type = 'transfer' AND t.state = 'completed'
                      AND t.purpose = 'invoice' AND t.amount = total
                      AND t.from_member_id = payer AND t.to_member_id = payee)
$$;

-- stops: an invoice that changes once it was sent; a number out of turn or a due day of one's own; an invoice paid or
-- refunded by anything but its own transfer
CREATE FUNCTION cloud_credits_invoice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    movable text[] := ARRAY['state'];
    techne bigint := (SELECT id FROM members_member WHERE system_code = 'techne');
    fits boolean := true;
BEGIN
    IF NEW.state = 'draft' THEN
        movable := movable || ARRAY['title', 'total'];
    ELSIF NEW.state = 'sent' AND OLD.state = 'draft' THEN
        movable := movable || ARRAY['number', 'sent_at', 'due_on'];
        fits := NEW.number = (SELECT coalesce(max(number), 0) + 1 FROM cloud_credits_invoice)
            AND NEW.due_on = (NEW.sent_at AT TIME ZONE 'UTC')::date + 30;
    ELSIF NEW.state = 'paid' AND OLD.state <> 'paid' THEN
        movable := movable || ARRAY['paid_at', 'paid_by', 'payment_transaction_id'];
        fits := cloud_credits_settles_invoice(NEW.payment_transaction_id, NEW.total, NEW.member_id, techne);
    ELSIF NEW.state = 'refunded' AND OLD.state = 'paid' THEN
        movable := movable || ARRAY['refund_transaction_id'];
        fits := cloud_credits_settles_invoice(NEW.refund_transaction_id, NEW.total, techne, NEW.member_id);
    ELSIF NEW.state IN ('sent', 'overdue') AND NEW.state = OLD.state THEN
        movable := movable || ARRAY['payment_received_at'];
    END IF;
    IF to_jsonb(NEW) - movable IS DISTINCT FROM to_jsonb(OLD) - movable OR NOT coalesce(fits, false) THEN
        RAISE EXCEPTION 'invoice % goes from % to % with what does not belong to it', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_unchanged BEFORE UPDATE ON cloud_credits_invoice
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_invoice_frozen();

-- stops: an invoice deleted, so that its number could be given again
CREATE TRIGGER invoice_kept BEFORE DELETE OR TRUNCATE ON cloud_credits_invoice
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a line added to, changed on or taken off an invoice that was sent, also by somebody who wrote while it was
-- being sent: the row lock waits for that
CREATE FUNCTION cloud_credits_invoiceline_of_draft() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched bigint[] := ARRAY[CASE WHEN TG_OP <> 'INSERT' THEN OLD.invoice_id END,
                              CASE WHEN TG_OP <> 'DELETE' THEN NEW.invoice_id END];
    found text;
BEGIN
    FOR found IN SELECT state FROM cloud_credits_invoice WHERE id = ANY (touched) ORDER BY id FOR SHARE LOOP
        IF found <> 'draft' THEN
            RAISE EXCEPTION 'an invoice that is % keeps its lines', found
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
                      CONSTRAINT = TG_NAME;
        END IF;
    END LOOP;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER invoiceline_of_draft BEFORE INSERT OR UPDATE OR DELETE ON cloud_credits_invoiceline
    FOR EACH ROW EXECUTE FUNCTION cloud_credits_invoiceline_of_draft();
-- stops: all lines taken away at once
CREATE TRIGGER invoiceline_kept_whole BEFORE TRUNCATE ON cloud_credits_invoiceline
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

-- stops: a total that is not the sum of its lines. Deferred: invoice and lines are written one after the other.
CREATE FUNCTION cloud_credits_invoice_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    key text := CASE WHEN TG_TABLE_NAME = 'cloud_credits_invoice' THEN 'id' ELSE 'invoice_id' END;
    touched bigint[] := ARRAY[CASE WHEN TG_OP <> 'INSERT' THEN (to_jsonb(OLD) ->> key)::bigint END,
                              CASE WHEN TG_OP <> 'DELETE' THEN (to_jsonb(NEW) ->> key)::bigint END];
    bad record;
BEGIN
    SELECT i.id, i.total, coalesce(sum(l.amount), 0) AS lines INTO bad
      FROM cloud_credits_invoice i LEFT JOIN cloud_credits_invoiceline l ON l.invoice_id = i.id
     WHERE i.id = ANY (touched)
     GROUP BY i.id
    HAVING i.total <> coalesce(sum(l.amount), 0);
    IF FOUND THEN
        RAISE EXCEPTION 'invoice % is over % CLOUD and its lines are over %', bad.id, bad.total, bad.lines
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER invoice_adds_up AFTER INSERT OR UPDATE OF total ON cloud_credits_invoice
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cloud_credits_invoice_adds_up();
CREATE CONSTRAINT TRIGGER invoiceline_adds_up AFTER INSERT OR UPDATE OR DELETE ON cloud_credits_invoiceline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cloud_credits_invoice_adds_up();

-- stops: an invoice's history rewritten
CREATE TRIGGER invoicechange_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cloud_credits_invoicechange
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_append_only();

REVOKE UPDATE, DELETE, TRUNCATE ON cloud_credits_invoice FROM habitat_app;
GRANT UPDATE (state, title, total, number, sent_at, due_on, paid_at, paid_by, payment_transaction_id,
    refund_transaction_id, payment_received_at) ON cloud_credits_invoice TO habitat_app;
REVOKE UPDATE, TRUNCATE ON cloud_credits_invoiceline FROM habitat_app;
REVOKE UPDATE, DELETE, TRUNCATE ON cloud_credits_invoicechange FROM habitat_app;
