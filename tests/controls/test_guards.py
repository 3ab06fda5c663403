"""Every guard these floors declare stands in the database, enabled."""

import pytest
from django.db import connection

from habitat.controls.policies.guards import GUARDS as CONTROLS
from habitat.controls.policies.guards import Guard, GuardKind
from habitat.members.policies.guards import GUARDS as MEMBERS

pytestmark = pytest.mark.django_db

QUESTIONS = {
    GuardKind.TRIGGER: """
        SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s AND tgenabled = 'O'""",
    # A partial unique constraint is an index in the catalogue.
    GuardKind.CONSTRAINT: """
        SELECT (SELECT count(*) FROM pg_constraint WHERE conrelid = t.oid AND conname = t.name AND convalidated)
             + (SELECT count(*) FROM pg_indexes WHERE tablename = t.table_name AND indexname = t.name)
        FROM (SELECT %s::regclass AS oid, %s AS name, %s AS table_name) t""",
    GuardKind.NO_PRIVILEGE: "SELECT (NOT has_table_privilege('habitat_app', %s, %s))::int",
}


# `verify_books` looks for the guards of every floor; these are the two that need no other.
@pytest.mark.parametrize(
    "guard",
    [g for g in [*(Guard(*row) for row in MEMBERS), *CONTROLS] if g.kind in QUESTIONS],
    ids=lambda guard: f"{guard.table}.{guard.name}",
)
def test_guard__stands(guard: Guard) -> None:
    kind = GuardKind(guard.kind)
    given = [guard.table, guard.name] + ([guard.table] if kind is GuardKind.CONSTRAINT else [])
    with connection.cursor() as cursor:
        cursor.execute(QUESTIONS[kind], given)
        assert cursor.fetchone()[0] >= 1
