"""Attacks on the books by raw SQL, as the application role and as the owner: the database refuses them all."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from tests.treasury.postings import posted, sale
from tests.treasury.raw import ACCOUNT, ENTRY, GIVEN, values
from treasury.models import JournalEntry, JournalLine, Period

REFUSED = (pg.CheckViolation, pg.RestrictViolation, pg.InsufficientPrivilege)


@dataclass
class Attacker:
    """One role's own connection, inside a transaction that is thrown away, with one good entry in the books."""

    role: str
    connection: psycopg.Connection
    entry: int

    def run(self, sql: str, given: dict[str, Any] | None = None) -> psycopg.Cursor:
        return self.connection.execute(sql, given)

    def enter(self, **changes: Any) -> int:
        (pk,) = self.run(ENTRY, GIVEN | {"key": f"raw-{time.monotonic_ns()}"} | changes).fetchone()
        return int(pk)

    def commit_checks(self) -> None:
        """What COMMIT would check, without keeping anything."""
        self.run("SET CONSTRAINTS ALL IMMEDIATE")
        self.run("SET CONSTRAINTS ALL DEFERRED")


@pytest.fixture(params=["app", "owner"])
def attacker(request: pytest.FixtureRequest, django_db_setup) -> Iterator[Attacker]:
    with psycopg.connect(django_db_setup.dsn(request.param)) as connection:
        attacker = Attacker(request.param, connection, 0)
        attacker.entry = attacker.enter()
        attacker.run(values((attacker.entry, "2220", "D", "10"), (attacker.entry, "4420", "C", "10")))
        attacker.commit_checks()
        yield attacker
        connection.rollback()


REWRITES = {
    "update an amount": "UPDATE treasury_journalline SET amount = 11",
    "update to the same value": "UPDATE treasury_journalline SET amount = amount",
    "update no row": "UPDATE treasury_journalline SET amount = 11 WHERE false",
    "move a line": "UPDATE treasury_journalline SET entry_id = entry_id + 1",
    "turn a line over": "UPDATE treasury_journalline SET side = CASE side WHEN 'D' THEN 'C' ELSE 'D' END",
    "turn to another account": "UPDATE treasury_journalline SET account_id = account_id + 1",
    "back-date an entry": "UPDATE treasury_journalentry SET effective_on = '2026-04-01'",
    "change a key": "UPDATE treasury_journalentry SET idempotency_key = 'other'",
    "mark as reversed": "UPDATE treasury_journalentry SET reverses_id = NULL",
    "delete lines": "DELETE FROM treasury_journalline",
    "delete an entry": "DELETE FROM treasury_journalentry",
    "truncate lines": "TRUNCATE treasury_journalline",
    "truncate entries": "TRUNCATE treasury_journalentry CASCADE",
    "truncate the chart": "TRUNCATE treasury_account CASCADE",
    "truncate periods": "TRUNCATE treasury_period CASCADE",
    "update inside a CTE": "WITH gone AS (UPDATE treasury_journalline SET amount = 1 RETURNING 1) SELECT 1 FROM gone",
    "delete inside a CTE": "WITH gone AS (DELETE FROM treasury_journalline RETURNING *) SELECT 1 FROM gone",
    "merge": "MERGE INTO treasury_journalline l USING treasury_journalline o ON l.id = o.id "
    "WHEN MATCHED THEN UPDATE SET amount = 99",
    "upsert": ENTRY.replace("RETURNING id", "ON CONFLICT (idempotency_key) DO UPDATE SET description = 'changed'"),
    "delete an account": "DELETE FROM treasury_account",
    "make a parent take lines": "UPDATE treasury_account SET is_postable = true WHERE code = '3100'",
    "turn an account over": "UPDATE treasury_account SET normal_side = 'D' WHERE code = '2220'",
    "renumber an account": "UPDATE treasury_account SET code = '2221' WHERE code = '2220'",
    "delete a period": "DELETE FROM treasury_period",
    "stretch a period": "UPDATE treasury_period SET \"end\" = '2026-04-02' WHERE name = '2026-Q1'",
    "close at a stroke": "UPDATE treasury_period SET state = 'closed' WHERE name = '2026-Q1'",
    "lock at a stroke": "UPDATE treasury_period SET state = 'locked' WHERE name = '2026-Q1'",
    "close the last period": "UPDATE treasury_period SET state = 'closing' WHERE name = '2027-Q2'",
    "a period born closed": 'INSERT INTO treasury_period (name, start, "end", state) '
    "VALUES ('late', '2027-07-01', '2027-10-01', 'closed')",
}


@pytest.mark.django_db
@pytest.mark.parametrize("attack", REWRITES)
def test_rewriting__is_refused(attacker: Attacker, attack: str):
    with pytest.raises(REFUSED):
        attacker.run(REWRITES[attack], GIVEN)


@pytest.mark.django_db
def test_overlapping_period__is_refused(attacker: Attacker):
    with pytest.raises(pg.ExclusionViolation):
        attacker.run(
            "INSERT INTO treasury_period (name, start, \"end\", state) VALUES ('x', '2026-06-30', '2026-07-02', 'open')"
        )


@pytest.mark.django_db
@pytest.mark.parametrize(
    "attack", ["UPDATE treasury_periodchange SET reason = 'x'", "DELETE FROM treasury_periodchange"]
)
def test_period_record__cannot_be_rewritten(attacker: Attacker, attack: str):
    with pytest.raises(REFUSED):
        attacker.run(attack)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "kind", "ledger", "parent"),
    [
        ("2220-1", "liability", "book", "2220"),
        ("3100-1", "equity", "tax", "3100"),
        ("3100-1", "asset", "book", "3100"),
    ],
)
def test_sub_account__fits_its_parent(attacker: Attacker, code: str, kind: str, ledger: str, parent: str):
    with pytest.raises(pg.CheckViolation, match="does not fit under its parent"):
        attacker.run(
            "INSERT INTO treasury_account (code, name, kind, normal_side, ledger, is_postable, is_active, parent_id) "
            f"VALUES ('{code}', 'Odd', '{kind}', 'C', '{ledger}', true, true, {ACCOUNT.format(parent)})"
        )


BAD_LINES = {
    "one line": [("2220", "D", "10")],
    "unequal": [("2220", "D", "10"), ("4420", "C", "9.99999999")],
    "both debit": [("2220", "D", "10"), ("4420", "D", "10")],
    "parent account": [("2000", "D", "10"), ("4420", "C", "10")],
    "3100 itself": [("1110", "D", "10"), ("3100", "C", "10")],
    "other ledger": [("3290", "D", "10"), ("3200", "C", "10")],
    "unknown account": [("9999", "D", "10"), ("4420", "C", "10")],
    "negative": [("2220", "D", "-10"), ("4420", "C", "-10")],
    "zero": [("2220", "D", "0"), ("4420", "C", "0")],
    "no side": [("2220", "X", "10"), ("4420", "C", "10")],
}


@pytest.mark.django_db
@pytest.mark.parametrize("attack", BAD_LINES)
def test_lines__that_break_a_rule_are_refused(attacker: Attacker, attack: str):
    entry = attacker.enter()

    with pytest.raises((*REFUSED, pg.NotNullViolation)):
        attacker.run(values(*[(entry, *row) for row in BAD_LINES[attack]]))


@pytest.mark.django_db
def test_lines__on_a_retired_account_are_refused(attacker: Attacker):
    attacker.run("UPDATE treasury_account SET is_active = false WHERE code = '4910'")
    entry = attacker.enter()

    with pytest.raises(pg.CheckViolation, match="retired"):
        attacker.run(values((entry, "1110", "D", "10"), (entry, "4910", "C", "10")))


@pytest.mark.django_db
def test_entry_without_lines__is_refused_at_commit(attacker: Attacker):
    attacker.enter()

    with pytest.raises(pg.CheckViolation, match="has no lines"):
        attacker.connection.commit()


@pytest.mark.django_db
def test_entry_without_lines__is_refused_at_once_when_constraints_are_immediate(attacker: Attacker):
    attacker.run("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(pg.CheckViolation, match="has no lines"):
        attacker.enter()


@pytest.mark.django_db
@pytest.mark.parametrize("constraints", ["DEFERRED", "IMMEDIATE"])
@pytest.mark.parametrize("pair", [1, 2])
def test_adding_to_an_entry__is_refused_one_line_or_a_balanced_pair(attacker: Attacker, constraints: str, pair: int):
    attacker.run(f"SET CONSTRAINTS ALL {constraints}")
    rows = [(attacker.entry, "1110", "D", "5"), (attacker.entry, "2240", "C", "5")][:pair]

    with pytest.raises(pg.CheckViolation):
        attacker.run(values(*rows))


@pytest.mark.django_db
def test_lines_in_two_statements__are_refused(attacker: Attacker):
    entry = attacker.enter()

    with pytest.raises(pg.CheckViolation):
        attacker.run(values((entry, "2220", "D", "10")))


@pytest.mark.django_db
def test_lines_before_their_entry__are_refused(attacker: Attacker):
    (coming,) = attacker.run("SELECT max(id) + 1000 FROM treasury_journalentry").fetchone()

    with pytest.raises(pg.CheckViolation):
        attacker.run(values((coming, "2220", "D", "10"), (coming, "4420", "C", "10")))


@pytest.mark.django_db
def test_two_inserts_in_one_statement__are_judged_together(attacker: Attacker):
    entry = attacker.enter()
    debit = values((entry, "2220", "D", "10"))
    credit = values((entry, "4420", "C", "9"))

    with pytest.raises(pg.CheckViolation):
        attacker.run(f"WITH one AS ({debit} RETURNING 1), two AS ({credit} RETURNING 1) SELECT 1")


@pytest.mark.django_db
def test_good_lines_beside_an_addition__do_not_hide_it(attacker: Attacker):
    entry = attacker.enter()
    rows = [(entry, "2220", "D", "10"), (entry, "4420", "C", "10")]
    added = [(attacker.entry, "1110", "D", "5"), (attacker.entry, "2240", "C", "5")]

    with pytest.raises(pg.CheckViolation):
        attacker.run(values(*rows, *added))


@pytest.mark.django_db
def test_two_entries_unequal_alone_equal_together__are_refused(attacker: Attacker):
    one, two = attacker.enter(), attacker.enter()

    with pytest.raises(pg.CheckViolation):
        attacker.run(
            values((one, "2220", "D", "10"), (one, "4420", "C", "9"), (two, "2220", "D", "9"), (two, "4420", "C", "10"))
        )


BAD_ENTRIES = {
    "a day outside its period": {"on": "2026-03-31"},
    "the period's own end": {"on": "2026-07-01"},
    "no source kind": {"kind": ""},
    "a blank source kind": {"kind": "  "},
    "unknown ledger": {"ledger": "shadow"},
}


@pytest.mark.django_db
@pytest.mark.parametrize("attack", BAD_ENTRIES)
def test_entry__that_breaks_a_rule_is_refused(attacker: Attacker, attack: str):
    with pytest.raises(pg.CheckViolation):
        attacker.enter(**BAD_ENTRIES[attack])


@pytest.mark.django_db
def test_key_used_twice__is_refused(attacker: Attacker):
    attacker.enter(key="same")

    with pytest.raises(pg.UniqueViolation):
        attacker.enter(key="same")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("column", "value"),
    [("posted_at", "now() - interval '1 day'"), ("posted_at", "now() + interval '1 day'"), ("transaction", "'3'")],
)
def test_forged_clock_or_transaction__is_refused(attacker: Attacker, column: str, value: str):
    forged = ENTRY.replace("posted_by)", f"posted_by, {column})").replace("'raw:0'", f"'raw:0', {value}")

    with pytest.raises(pg.CheckViolation, match="posting time"):
        attacker.run(forged, GIVEN | {"key": "forged"})


CLOSING = """
WITH told AS (
    INSERT INTO treasury_periodchange (period_id, verb, from_state, to_state, reason, actor)
    SELECT id, 'begin_close', state, 'closing', 'raw', 'raw:0' FROM treasury_period WHERE name = '2026-Q1'
)
UPDATE treasury_period SET state = 'closing' WHERE name = '2026-Q1'
"""
CLOSED = {
    "closed": ("closing", "closed"),
    "locked": ("closing", "closed", "locked"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("state", CLOSED)
@pytest.mark.parametrize("kind", ["test", "close", "adjustment"])
def test_back_dating__into_a_period_that_is_over_is_refused(attacker: Attacker, state: str, kind: str):
    for step in CLOSED[state]:
        attacker.run("UPDATE treasury_period SET state = %(step)s WHERE name = '2026-Q1'", {"step": step})

    with pytest.raises(pg.CheckViolation, match="nothing may be dated 2026-03-31"):
        attacker.enter(on="2026-03-31", period="2026-Q1", kind=kind)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "at",
    [None, "now() - interval '1 day'", "now() + interval '1 day'"],
    ids=["no record", "an older record", "a record dated ahead"],
)
def test_a_period__takes_no_step_without_its_record(attacker: Attacker, at: str | None):
    if at:
        attacker.run(
            "INSERT INTO treasury_periodchange (period_id, verb, from_state, to_state, reason, actor, at) "
            f"SELECT id, 'begin_close', state, 'closing', 'raw', 'raw:0', {at} FROM treasury_period "
            "WHERE name = '2026-Q1'"
        )
    attacker.run("UPDATE treasury_period SET state = 'closing' WHERE name = '2026-Q1'")
    with pytest.raises(pg.CheckViolation, match="has no record"):
        attacker.commit_checks()


@pytest.mark.django_db
def test_back_dating__into_a_closing_period_is_refused_but_for_the_close(attacker: Attacker):
    attacker.run(CLOSING)
    for kind in ("close", "adjustment"):
        entry = attacker.enter(on="2026-03-31", period="2026-Q1", kind=kind)
        attacker.run(values((entry, "2220", "D", "10"), (entry, "4420", "C", "10")))
    attacker.commit_checks()

    with pytest.raises(pg.CheckViolation, match="is closing"):
        attacker.enter(on="2026-03-31", period="2026-Q1")


# --- what only two connections can try: everything before this line is committed for good


@pytest.fixture
def both(app_dsn: str, owner_dsn: str) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    with psycopg.connect(app_dsn) as app, psycopg.connect(owner_dsn) as owner:
        yield app, owner


@pytest.mark.django_db(transaction=True)
def test_committed_entry__takes_nothing_more(both):
    entry = sale()

    for connection in both:
        with pytest.raises(pg.CheckViolation, match="another transaction"):
            connection.execute(values((entry.pk, "1110", "D", "5"), (entry.pk, "2240", "C", "5")))
        connection.rollback()

    assert JournalLine.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_committed_entry__cannot_be_rewritten_by_either_role(both):
    sale()
    before = (list(JournalEntry.objects.values()), list(JournalLine.objects.values()))

    for connection in both:
        for attack in REWRITES.values():
            with pytest.raises(REFUSED):
                connection.execute(attack, GIVEN | {"key": "raw-1"})
            connection.rollback()

    assert (list(JournalEntry.objects.values()), list(JournalLine.objects.values())) == before


@pytest.mark.django_db(transaction=True)
def test_back_dating__waits_for_a_close_in_another_connection_and_is_refused(both):
    app, owner = both
    owner.execute(CLOSING)
    outcome: list[BaseException | None] = []

    def back_date() -> None:
        try:
            app.execute(ENTRY, GIVEN | {"on": "2026-03-31", "period": "2026-Q1", "key": "late"})
            outcome.append(None)
        except psycopg.Error as error:
            outcome.append(error)

    attack = threading.Thread(target=back_date)
    attack.start()
    attack.join(timeout=0.5)
    assert attack.is_alive(), "the entry must wait for the close"
    owner.commit()
    attack.join(timeout=10)

    assert isinstance(outcome[0], pg.CheckViolation)
    app.rollback()
    assert JournalEntry.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_close__waits_for_an_entry_in_flight_and_then_has_it(both):
    app, owner = both
    (entry,) = app.execute(ENTRY, GIVEN | {"on": "2026-03-31", "period": "2026-Q1", "key": "in time"}).fetchone()
    app.execute(values((entry, "2220", "D", "10"), (entry, "4420", "C", "10")))

    def close() -> None:
        owner.execute("SELECT FROM treasury_period WHERE name = '2026-Q1' FOR UPDATE")
        owner.execute(CLOSING)
        owner.commit()

    closing = threading.Thread(target=close)
    closing.start()
    closing.join(timeout=0.5)
    assert closing.is_alive(), "the close must wait for the entry"
    app.commit()
    closing.join(timeout=10)

    assert Period.objects.get(name="2026-Q1").state == "closing"
    assert JournalEntry.objects.get().effective_on.isoformat() == "2026-03-31"


@pytest.mark.django_db(transaction=True)
def test_back_dating__in_a_snapshot_older_than_the_close_is_refused(both):
    app, owner = both
    app.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    app.execute("SELECT 1 FROM treasury_period")
    owner.execute(CLOSING)
    owner.commit()

    with pytest.raises(pg.SerializationFailure):
        app.execute(ENTRY, GIVEN | {"on": "2026-03-31", "period": "2026-Q1", "key": "old snapshot"})


@pytest.mark.django_db(transaction=True)
def test_reversal__of_one_entry_exists_once(both):
    entry = sale()
    reversing = ENTRY.replace("posted_by)", "posted_by, reverses_id)").replace("'raw:0'", f"'raw:0', {entry.pk}")

    for connection in both:
        (first,) = connection.execute(reversing, GIVEN | {"key": "undo"}).fetchone()
        connection.execute(values((first, "4420", "D", "10"), (first, "2220", "C", "10")))
        with pytest.raises(pg.UniqueViolation):
            connection.execute(reversing, GIVEN | {"key": "undo twice"})
        connection.rollback()


@pytest.mark.django_db
def test_reversal__that_is_no_mirror_is_refused(attacker: Attacker):
    reversing = ENTRY.replace("posted_by)", "posted_by, reverses_id)").replace("'raw:0'", f"'raw:0', {attacker.entry}")
    (crooked,) = attacker.run(reversing, GIVEN | {"key": "crooked"}).fetchone()
    attacker.run(values((crooked, "4420", "D", "9"), (crooked, "2220", "C", "9")))

    with pytest.raises(pg.CheckViolation, match="does not mirror"):
        attacker.connection.commit()


@pytest.mark.django_db
def test_queryset_update__cannot_set_a_state_off_the_edges():
    from django.db import IntegrityError

    with pytest.raises(IntegrityError):
        Period.objects.filter(name="2026-Q1").update(state="closed")


@pytest.mark.django_db
def test_application_role__holds_no_right_it_does_not_need():
    from django.db import connection

    posted(("2220", "1", None), ("4420", None, "1"))
    wanted = {
        ("treasury_journalentry", "INSERT,SELECT"),
        ("treasury_journalline", "INSERT,SELECT"),
        ("treasury_periodchange", "INSERT,SELECT"),
        ("treasury_period", "INSERT,SELECT"),
        ("treasury_account", "INSERT,SELECT"),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, string_agg(privilege_type, ',' ORDER BY privilege_type) "
            "FROM information_schema.role_table_grants WHERE grantee = 'habitat_app' AND table_name = ANY(%s) "
            "GROUP BY table_name",
            [[table for table, _ in wanted]],
        )
        assert set(cursor.fetchall()) == wanted
