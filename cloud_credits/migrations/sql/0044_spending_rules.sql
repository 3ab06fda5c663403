-- stops: metered usage counted beyond its member's cap, by whatever wrote it. A cap set below what is spent already
-- stands: it stops what comes next. Asked before the function is called, so what is within its cap costs no call.
CREATE FUNCTION cloud_credits_spend_cap_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the cap of member % is %: % spent is beyond it', NEW.member_id, NEW.monthly_cap, NEW.spent
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER spend_cap_holds BEFORE UPDATE ON cloud_credits_spendcap
    FOR EACH ROW WHEN (NEW.spent > NEW.monthly_cap AND (NEW.month > OLD.month OR NEW.spent > OLD.spent))
    EXECUTE FUNCTION cloud_credits_spend_cap_holds();

-- stops: an automatic top-up that its member did not switch on, of another amount than they chose, beside one that was
-- paid and waits for its credits, or more often in a UTC day than they allowed, declined ones included. Its row stays
-- locked until the end, as its action locks it: two at once are counted one after the other. (One that is not paid yet
-- is purchase_one_top_up's. That index leaves out the paid: money for an earlier one may arrive at any time, and is
-- never refused.)
CREATE FUNCTION cloud_credits_purchase_top_up_wished() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wished record;
    so_far record;
    wrong text;
BEGIN
    NEW.created_at := habitat_now();
    SELECT t.state, t.amount, t.most_a_day INTO wished
      FROM cloud_credits_topup t WHERE t.member_id = NEW.member_id FOR NO KEY UPDATE;
    SELECT count(*) FILTER (
               WHERE p.created_at >= date_trunc('day', NEW.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS today,
           coalesce(bool_or(p.state = 'paid'), false) AS waits
      INTO so_far
      FROM cloud_credits_purchase p WHERE p.member_id = NEW.member_id AND p.kind = 'topup';
    wrong := CASE
        WHEN NOT coalesce(wished.state = 'on', false) THEN 'their top-up is not on'
        WHEN NEW.amount <> wished.amount THEN 'they chose another amount'
        WHEN so_far.waits THEN 'one waits for its credits'
        WHEN so_far.today >= wished.most_a_day THEN 'there were as many today as they allowed'
        END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'no top-up for member %: %', NEW.member_id, wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER purchase_top_up_wished BEFORE INSERT ON cloud_credits_purchase
    FOR EACH ROW WHEN (NEW.kind = 'topup') EXECUTE FUNCTION cloud_credits_purchase_top_up_wished();
