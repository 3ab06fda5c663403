"""The outbox: what `emit` writes, in how many statements, and what nobody may do to it afterwards."""

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from habitat.events.actions import wakes
from habitat.events.actions.outbox import emit
from habitat.events.errors import OutsideTransaction, UnknownEventType
from habitat.events.models import Delivery, Event
from habitat.events.policies.guards import GUARDS
from habitat.events.policies.registry import DeliveredEvent, event_type
from habitat.events.reports.proofs import PROOFS
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from tests.events.facts import BellRang, NobodyListens, heard_by

ANNA = Actor(kind=ActorKind.MEMBER, id=7, name="Anna")


def ignore(event: DeliveredEvent) -> None:
    """Hears and does nothing."""


@pytest.mark.django_db
def test_emit__writes_the_fact_and_a_delivery_for_each_subscriber_with_a_handler() -> None:
    with heard_by("treasury", ignore), heard_by("notifications", ignore):
        (event_id,) = emit(BellRang(amount="12.50000000", times=3), acting=ANNA)

    event = Event.objects.get()
    assert event.pk == event_id
    assert (event.name, event.payload, event.actor) == ("bell.rang", {"amount": "12.50000000", "times": 3}, "member:7")
    assert event.subscribers == ["notifications", "treasury", "analytics"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        assert event.transaction == cursor.fetchone()[0]
    deliveries = Delivery.objects.filter(event=event).order_by("subscriber")
    assert [(d.subscriber, d.state, d.attempts, d.fence) for d in deliveries] == [
        ("analytics", "pending", 0, 0),
        ("notifications", "pending", 0, 0),
        ("treasury", "pending", 0, 0),
    ]
    assert all(proof.run().ok for proof in PROOFS)


@pytest.mark.django_db
def test_emit__is_one_statement_for_many_events() -> None:
    emit(BellRang(amount="1"), acting=SYSTEM)
    with CaptureQueriesContext(connection) as queries:
        ids = emit(*(BellRang(amount=str(number)) for number in range(5)), acting=SYSTEM)
    assert len(queries) == 1
    assert [Event.objects.get(pk=pk).payload["amount"] for pk in ids] == ["0", "1", "2", "3", "4"]


@pytest.mark.django_db(transaction=True)
def test_emit__refused_outside_a_transaction() -> None:
    with pytest.raises(OutsideTransaction):
        emit(BellRang(amount="1"), acting=SYSTEM)
    assert Event.objects.count() == 0


@pytest.mark.django_db
def test_emit__refuses_a_type_nobody_registered() -> None:
    with pytest.raises(UnknownEventType):
        emit(object(), acting=SYSTEM)
    assert Event.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_emit__of_a_transaction_that_rolls_back_leaves_nothing_and_wakes_nobody(monkeypatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(wakes._BELL, "answer", rung.append)
    with transaction.atomic():
        emit(BellRang(amount="1"), acting=SYSTEM)
        transaction.set_rollback(True)
    assert (Event.objects.count(), Delivery.objects.count(), rung) == (0, 0, [])
    with transaction.atomic():
        emit(BellRang(amount="1"), acting=SYSTEM)
        assert rung == []
    assert rung == ["deliveries"]


@pytest.mark.parametrize("hint", [float, bytes, object, list[float], "Decimal"])
def test_event_type__refuses_what_json_cannot_carry_exactly(hint: type) -> None:
    from dataclasses import make_dataclass
    from decimal import Decimal

    fact = make_dataclass("Fact", [("amount", Decimal if hint == "Decimal" else hint)], frozen=True)
    fact.name = "fact.wrong"
    with pytest.raises(TypeError, match=r"Fact\.amount"):
        event_type(fact)


ATTACKS = (
    "UPDATE events_event SET actor = 'member:1'",
    "UPDATE events_event SET payload = '{}'",
    "DELETE FROM events_event",
    "TRUNCATE events_event, events_delivery CASCADE",
    "TRUNCATE events_delivery",
    "DELETE FROM events_delivery",
    "UPDATE events_delivery SET subscriber = 'treasury' WHERE subscriber = 'analytics'",
    "UPDATE events_delivery SET event_id = event_id + 1",
    "UPDATE events_delivery SET state = 'delivered'",
    "UPDATE events_delivery SET state = 'dead'",
    "UPDATE events_delivery SET state = 'lost'",
    "UPDATE events_delivery SET state = 'delivering'",
    "UPDATE events_delivery SET lease_until = now()",
    (
        "INSERT INTO events_event (name, payload, actor, subscribers, transaction)"
        " VALUES ('x', '{}', 'x', '{}', '3'::xid8)"
    ),
    "INSERT INTO events_delivery (event_id, subscriber, state) SELECT id, 'treasury', 'delivered' FROM events_event",
    "INSERT INTO events_delivery (event_id, subscriber, attempts) SELECT id, 'treasury', 4 FROM events_event",
    "INSERT INTO events_delivery (event_id, subscriber) SELECT id, 'analytics' FROM events_event",
    "INSERT INTO events_delivery (event_id, subscriber) SELECT id, 'nobody' FROM events_event",
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("role", ["app", "owner"])
def test_outbox__refuses_raw_sql(role: str, request: pytest.FixtureRequest) -> None:
    with transaction.atomic():
        emit(BellRang(amount="1"), acting=SYSTEM)
    before = (list(Event.objects.values()), list(Delivery.objects.values()))
    dsn = request.getfixturevalue(f"{role}_dsn")
    with psycopg.connect(dsn, autocommit=True) as attacker:
        for attack in ATTACKS:
            with pytest.raises(psycopg.Error):
                attacker.execute(attack)
            assert (list(Event.objects.values()), list(Delivery.objects.values())) == before, attack


@pytest.mark.django_db
def test_delivered__is_final_and_a_fence_never_runs_backwards() -> None:
    emit(BellRang(amount="1"), acting=SYSTEM)
    held = "UPDATE events_delivery SET state = 'delivering', lease_until = now(), fence = 2"
    with connection.cursor() as cursor:
        cursor.execute(held)
        with pytest.raises(DatabaseError), transaction.atomic():
            cursor.execute("UPDATE events_delivery SET fence = 1")
        cursor.execute("UPDATE events_delivery SET state = 'delivered', lease_until = NULL")
        for state in ("pending", "dead"):
            with pytest.raises(DatabaseError), transaction.atomic():
                cursor.execute("UPDATE events_delivery SET state = %s", [state])


@pytest.mark.django_db
def test_guards__are_all_in_the_catalogue() -> None:
    with connection.cursor() as cursor:
        for guard in GUARDS:
            if guard.kind == "trigger":
                cursor.execute(
                    "SELECT tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s",
                    [guard.table, guard.name],
                )
                assert cursor.fetchone() == ("O",), guard
            elif guard.kind == "constraint":
                cursor.execute("SELECT 1 FROM pg_constraint WHERE conname = %s", [guard.name])
                assert cursor.fetchone(), guard
            elif guard.kind == "columns":
                privilege, _, columns = guard.name.rstrip(")").partition(" (")
                cursor.execute(
                    "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = %s::regclass"
                    " AND attnum > 0 AND has_column_privilege('habitat_app', attrelid, attnum, %s)",
                    [guard.table, privilege],
                )
                assert sorted(str(cursor.fetchone()[0]).split(", ")) == sorted(columns.split(", ")), guard
            else:
                cursor.execute("SELECT has_table_privilege('habitat_app', %s, %s)", [guard.table, guard.name])
                assert cursor.fetchone() == (False,), guard


@pytest.mark.django_db(transaction=True)
def test_proofs__find_a_missing_and_an_orphaned_delivery(superuser_dsn: str) -> None:
    with transaction.atomic():
        emit(BellRang(amount="1"), NobodyListens(), acting=SYSTEM)
    assert [(proof.run().ok, proof.run().counted) for proof in PROOFS] == [(True, 2), (True, 2)]
    first = Event.objects.order_by("id").first()
    assert first is not None
    with psycopg.connect(superuser_dsn, autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("DELETE FROM events_delivery WHERE event_id = %s", [first.pk])
        superuser.execute("INSERT INTO events_delivery (event_id, subscriber) VALUES (999999, 'sync')")
    results = [proof.run() for proof in PROOFS]
    assert [result.ok for result in results] == [False, False]
    assert f"event {first.pk} does not have" in results[0].message
