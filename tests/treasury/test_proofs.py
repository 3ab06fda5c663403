"""Every guard of this floor is in the database, and every proof names the damage that slips in once one is off."""

import psycopg
import pytest
from django.db import connection

from tests.treasury.postings import sale
from tests.treasury.raw import ENTRY, GIVEN, values
from treasury.policies.guards import GUARDS
from treasury.reports.proofs import PROOFS

TRIGGERS = (
    "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
    "WHERE NOT t.tgisinternal AND t.tgenabled = 'O' AND c.relname LIKE 'treasury%'"
)
CONSTRAINTS = (
    "SELECT c.relname, k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
    "UNION SELECT t.relname, i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
    "JOIN pg_class t ON t.oid = x.indrelid WHERE x.indisunique"
)


def found(sql: str) -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return set(cursor.fetchall())


@pytest.mark.django_db
def test_guards__are_all_in_the_database():
    triggers, constraints = found(TRIGGERS), found(CONSTRAINTS)

    for guard in GUARDS:
        if guard.kind == "trigger":
            assert (guard.table, guard.name) in triggers
        elif guard.kind == "constraint":
            assert (guard.table, guard.name) in constraints
        elif guard.kind == "no_privilege":
            privilege = f"SELECT 'has', has_table_privilege('habitat_app', '{guard.table}', '{guard.name}')::text"
            assert found(privilege) == {("has", "false")}


@pytest.mark.django_db
def test_guards__name_every_trigger_there_is():
    named = {(guard.table, guard.name) for guard in GUARDS if guard.kind == "trigger"}

    assert found(TRIGGERS) == named


@pytest.mark.django_db
def test_proofs__hold_on_good_books_and_count_them():
    sale()

    results = {proof.name: proof.run() for proof in PROOFS}

    assert all(result.ok for result in results.values())
    assert results["entries balance"].counted == 1
    assert results["ledgers balance"].counted == 2


def entered(connection: psycopg.Connection, **changes: str) -> int:
    (pk,) = connection.execute(ENTRY, GIVEN | changes).fetchone()
    return int(pk)


def one_line(connection: psycopg.Connection) -> None:
    connection.execute(values((entered(connection), "2220", "D", "10")))


def on_a_parent(connection: psycopg.Connection) -> None:
    entry = entered(connection)
    connection.execute(values((entry, "2000", "D", "10"), (entry, "4420", "C", "10")))


def across_ledgers(connection: psycopg.Connection) -> None:
    entry = entered(connection)
    connection.execute(values((entry, "3290", "D", "10"), (entry, "4420", "C", "10")))


def out_of_period(connection: psycopg.Connection) -> None:
    entry = entered(connection, on="2026-08-01")
    connection.execute(values((entry, "2220", "D", "10"), (entry, "4420", "C", "10")))


def blank_source(connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE treasury_journalentry DROP CONSTRAINT entry_names_its_source")
    entry = entered(connection, kind=" ")
    connection.execute(values((entry, "2220", "D", "10"), (entry, "4420", "C", "10")))


def crooked_reversal(connection: psycopg.Connection) -> None:
    connection.execute(
        "UPDATE treasury_journalentry SET reverses_id = id - 1 WHERE id = (SELECT max(id) FROM treasury_journalentry)"
    )


DAMAGE = {
    "entries balance": ("treasury_journalline", one_line),
    "ledgers balance": ("treasury_journalline", across_ledgers),
    "lines stand where they may": ("treasury_journalline", on_a_parent),
    "entries lie in their period": ("treasury_journalentry", out_of_period),
    "entries name their source": ("treasury_journalentry", blank_source),
    "reversals mirror their entries": ("treasury_journalentry", crooked_reversal),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", DAMAGE)
def test_proof__finds_the_damage_done_while_a_guard_was_off(name: str, owner_dsn: str):
    sale()
    sale("3")
    table, damage = DAMAGE[name]
    with psycopg.connect(owner_dsn) as owner:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        damage(owner)
        owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        owner.commit()

    (result,) = [proof.run() for proof in PROOFS if proof.name == name]

    assert not result.ok
