"""`GET /api/health`: what each part says, what makes the house degraded, and what makes it not ready."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule

from cloud_credits.models import ChainBlock
from habitat.events.models import Delivery
from habitat.members.policies.actors import SYSTEM
from habitat.site.reports import health as report
from habitat.workflows.actions.jobs import insert_due
from habitat.workflows.actions.schedule import ensure_tick
from tests.site.cooperative import make_cooperative

pytestmark = pytest.mark.django_db


@pytest.fixture
def awake(settings):
    """A house whose clock just ticked."""
    settings.EVENT_BUS_URL = ""
    ensure_tick(acting=SYSTEM)
    Schedule.objects.update(next_run=timezone.now() + timedelta(seconds=30))
    insert_due(now=timezone.now(), acting=SYSTEM)


def ask() -> tuple[int, dict]:
    answer = Client().get("/api/health")
    return answer.status_code, answer.json()


def states(told: dict) -> dict[str, str]:
    return {name: part["state"] for name, part in told["parts"].items() if part["state"] != "ok"}


def test_health__of_a_house_that_is_well(awake):
    code, told = ask()

    assert (code, told["status"], told["live"], told["ready"]) == (200, "ok", True, True)
    assert set(told["parts"]) == {
        "database",
        "migrations",
        "queue",
        "deadLetters",
        "jobClock",
        "worker",
        "eventBus",
        "ledgerHead",
    }
    assert told["parts"]["ledgerHead"]["height"] == 0


def test_health__asks_five_queries(awake, django_assert_num_queries):
    ask()

    with django_assert_num_queries(5):
        ask()


def _delivery(*, state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (name, payload, actor, subscribers)"
            " VALUES ('cloud.minted', '{}', 'system:0', '{treasury}') RETURNING id"
        )
        cursor.execute("INSERT INTO events_delivery (event_id, subscriber) VALUES (%s, 'treasury')", cursor.fetchone())
    if state == "dead":
        Delivery.objects.update(state="delivering", lease_until=timezone.now())
        Delivery.objects.update(state="dead", lease_until=None)


def test_dead_letter__degrades(awake):
    _delivery(state="dead")

    code, told = ask()

    assert (code, told["status"]) == (200, "degraded")
    assert states(told) == {"deadLetters": "degraded"}
    assert told["parts"]["deadLetters"]["dead"] == 1


def test_old_delivery__degrades(awake, monkeypatch):
    _delivery(state="pending")
    assert ask()[1]["status"] == "ok"

    monkeypatch.setattr(report, "DELIVERY_PATIENCE", timedelta(seconds=-1))
    code, told = ask()

    assert (code, states(told)) == (200, {"queue": "degraded"})
    assert told["parts"]["queue"]["waiting"] == 1


def test_stale_tick__degrades(awake):
    Schedule.objects.update(next_run=timezone.now() - timedelta(minutes=4))

    code, told = ask()

    assert (code, told["status"], states(told)) == (200, "degraded", {"jobClock": "degraded"})


def test_worker_that_stands_still__degrades(awake, monkeypatch):
    monkeypatch.setattr(report, "JOB_PATIENCE", timedelta(seconds=-60))

    assert states(ask()[1]) == {"worker": "degraded"}


def test_house_that_never_ran__is_ready_but_degraded():
    code, told = ask()

    assert (code, told["ready"]) == (200, True)
    assert states(told) == {"jobClock": "degraded", "worker": "degraded"}


def test_unapplied_migration__is_not_ready(awake, monkeypatch):
    ahead = report.expected_migrations() | {("treasury", "9999_next")}
    monkeypatch.setattr(report, "expected_migrations", lambda: ahead)

    code, told = ask()

    assert (code, told["status"], told["ready"], told["live"]) == (503, "failing", False, True)
    assert told["parts"]["migrations"]["missing"] == "treasury.9999_next"


def test_database_down__is_not_ready(monkeypatch):
    from django.db import OperationalError

    def refuse() -> None:
        raise OperationalError("connection refused: password=secret")

    monkeypatch.setattr(connection, "ensure_connection", refuse)

    found = report.health()

    assert (found.ready, found.state) == (False, report.State.FAILING)
    assert "secret" not in repr(found)


def test_bus_that_does_not_answer__degrades(awake, settings):
    settings.EVENT_BUS_URL = "amqp://somebody:hidden@127.0.0.1:1/"

    answer = Client().get("/api/health")

    assert answer.status_code == 200
    assert states(answer.json()) == {"eventBus": "degraded"}
    assert b"hidden" not in answer.content


def test_wrong_method__is_refused():
    assert Client().post("/api/health").status_code == 405


@pytest.mark.django_db(transaction=True)
def test_ledger_head__is_the_last_sealed_block():
    make_cooperative()

    head = ask()[1]["parts"]["ledgerHead"]

    last = ChainBlock.objects.latest("height")
    assert (head["height"], head["hash"]) == (last.height, last.hash)
