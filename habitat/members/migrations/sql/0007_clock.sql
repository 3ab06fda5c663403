-- The house's one clock: triggers and verbs both ask it, so that no web server's clock moves a deadline.
-- stops: a deadline moved by a wrong clock, or by a session that shadows `clock_timestamp` (the name is written whole,
-- and no setting is read); `verify_books` compares this very text
CREATE FUNCTION habitat_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS
    'SELECT pg_catalog.clock_timestamp()';
