-- Exclusion constraints of upper floors compare keys and ranges in one index.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Statement trigger for tables where nothing is ever rewritten. Also stops the owner of the table.
CREATE FUNCTION habitat_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END
$$;

-- Statement trigger for tables whose rows may change and are never thrown away.
CREATE FUNCTION habitat_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never deleted: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END
$$;

-- Row trigger BEFORE INSERT OR UPDATE for things that live through states.
-- Arguments: state column; first states "a,b"; edges "a>b,a>c"; columns that may change beside the state "x,y".
-- Rows are compared as jsonb, which is too slow for tables that see many writes a second.
CREATE FUNCTION habitat_guard_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fresh jsonb := to_jsonb(NEW);
    former jsonb;
    state_after text := to_jsonb(NEW) ->> TG_ARGV[0];
    state_before text;
    frozen text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT coalesce(state_after = ANY (string_to_array(TG_ARGV[1], ',')), false) THEN
            RAISE EXCEPTION '% cannot be born as %', TG_TABLE_NAME, coalesce(state_after, 'nothing')
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
                      CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    former := to_jsonb(OLD);
    state_before := former ->> TG_ARGV[0];
    IF state_after IS DISTINCT FROM state_before
        AND NOT coalesce((state_before || '>' || state_after) = ANY (string_to_array(TG_ARGV[2], ',')), false)
    THEN
        RAISE EXCEPTION '% cannot go from % to %', TG_TABLE_NAME, state_before, coalesce(state_after, 'nothing')
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
                  CONSTRAINT = TG_NAME;
    END IF;
    SELECT string_agg(changed.key, ', ' ORDER BY changed.key) INTO frozen
        FROM jsonb_each(fresh) AS changed
        WHERE changed.key <> TG_ARGV[0]
          AND NOT changed.key = ANY (string_to_array(coalesce(TG_ARGV[3], ''), ','))
          AND changed.value IS DISTINCT FROM former -> changed.key;
    IF frozen IS NOT NULL THEN
        RAISE EXCEPTION '% keeps its %: it never changes', TG_TABLE_NAME, frozen
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
                  CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

-- stops: a membership born in a late status, a status off the machine's edges, a changed kind, code or birth time
CREATE TRIGGER members_member_state BEFORE INSERT OR UPDATE ON members_member
    FOR EACH ROW EXECUTE FUNCTION habitat_guard_state(
        'status', 'pending',
        'pending>active,active>suspended,active>inactive,active>withdrawn,active>expelled,suspended>active,inactive>active',
        'display_name,user_id,is_investor,ens_subname,ethereum_address,cloud_wallet_created_at');

CREATE FUNCTION members_member_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.user_id IS NOT NULL AND NEW.user_id IS DISTINCT FROM OLD.user_id)
        OR (OLD.ens_subname IS NOT NULL AND NEW.ens_subname IS DISTINCT FROM OLD.ens_subname)
        OR (OLD.ethereum_address IS NOT NULL AND NEW.ethereum_address IS DISTINCT FROM OLD.ethereum_address)
        OR (OLD.cloud_wallet_created_at IS NOT NULL
            AND NEW.cloud_wallet_created_at IS DISTINCT FROM OLD.cloud_wallet_created_at)
    THEN
        RAISE EXCEPTION 'member % keeps its sign-in and its cloud identity', OLD.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
                  CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

-- stops: a sign-in, a cloud name or an address that passes from one member to another
CREATE TRIGGER members_member_once BEFORE UPDATE ON members_member
    FOR EACH ROW EXECUTE FUNCTION members_member_once();

-- stops: a member deleted, by whichever role
CREATE TRIGGER members_member_kept BEFORE DELETE OR TRUNCATE ON members_member
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();
-- stops: a sign-in deleted, by whichever role
CREATE TRIGGER members_user_kept BEFORE DELETE OR TRUNCATE ON members_user
    FOR EACH STATEMENT EXECUTE FUNCTION habitat_never_deleted();

REVOKE DELETE, TRUNCATE ON members_member, members_user FROM habitat_app;
