"""Whoever runs a saga dies at any of its points: the next one goes on, and nothing is lost or done twice."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django_q.models import Schedule

from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.actions import sagas
from habitat.workflows.actions.sagas import QUEUE
from habitat.workflows.models import Execution
from habitat.workflows.policies.sagas import Direction, SagaDefinition, SagaStep, StepContext
from habitat.workflows.reports.proofs import PROOFS
from habitat.workflows.workflows.kill_points import KillPoint
from habitat.workflows.workflows.sagas import advance
from tests.workflows.saga_drills import (
    Point,
    lease_over,
    make_due,
    points_of,
    resume,
    rows_of,
    run_killed,
    to_the_end,
    worker,
)
from tests.workflows.toy import CAKE, Bakery, known, tallies, tally

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def cake() -> Iterator[None]:
    with known(CAKE):
        yield


class Case:
    """One cake ordered at a bakery of its own; `goes_back`: the payment is refused."""

    def __init__(self, home: Path, name: str, *, goes_back: bool = False) -> None:
        self.home = home / name
        self.home.mkdir()
        self.bakery = Bakery(self.home)
        if goes_back:
            self.bakery.goes_wrong("pay", "refuse")
        given = {"home": str(self.home), "cake": "plum"}
        self.execution = sagas.start(saga="cake", key=name, input=given, acting=SYSTEM)
        sagas.signal(saga="cake", key=name, name="baked", payload={"at": "noon"}, acting=SYSTEM)

    def rows(self) -> dict[str, Any]:
        return rows_of(self.execution, replace={str(self.home): "{home}"})

    def log(self) -> list[dict[str, Any]]:
        return [{**entry, "key": entry["key"].replace(f":{self.home.name}:", ":{key}:")} for entry in self.bakery.log()]


def test_points__are_every_step_direction_and_point() -> None:
    points = [str(point) for point in points_of(CAKE)]
    assert len(points) == len(set(points)) == 29
    assert points[:6] == [
        "cake/note/forward/after_claim",
        "cake/note/forward/before_record",
        "cake/note/forward/after_record",
        "cake/note/backward/after_claim",
        "cake/note/backward/before_record",
        "cake/note/backward/after_record",
    ]
    assert [point for point in points if "order/backward" in point] == [
        f"cake/order/backward/{point}" for point in ("after_claim", "after_call", "before_record", "after_record")
    ]
    assert not [point for point in points if "pay/backward" in point]


@pytest.mark.parametrize("point", points_of(CAKE), ids=str)
def test_killed_at__ends_as_if_nothing_had_happened(point: Point, tmp_path: Path) -> None:
    goes_back = point.direction is Direction.BACKWARD
    calm = Case(tmp_path, "calm", goes_back=goes_back)
    assert to_the_end(calm.execution.pk).state == ("compensated" if goes_back else "completed")
    once = tallies()

    killed = Case(tmp_path, "killed", goes_back=goes_back)
    run_killed(killed.execution.pk, point)
    resume(killed.execution.pk)

    assert killed.rows() == calm.rows()
    assert killed.log() == calm.log()
    assert tallies() == {name: 2 * count for name, count in once.items()}
    assert [proof.name for proof in PROOFS if not proof.run().ok] == []


def test_killed_between__leaves_the_rows_that_say_so(tmp_path: Path) -> None:
    case = Case(tmp_path, "killed")
    run_killed(case.execution.pk, "cake/order/forward/after_call")
    found = Execution.objects.get(pk=case.execution.pk)
    assert (found.state, found.fence, found.lease_until is not None) == ("running", 2, True)
    assert list(found.steps.values_list("name", "state", "attempts")) == [
        ("note", "recorded", 1),
        ("order", "calling", 1),
    ]
    assert [entry["act"] for entry in case.bakery.log()] == ["order"]
    # The lease is not over: nobody takes it.
    assert advance(found.pk).fence == 2
    resume(found.pk)
    assert [act for act, _ in case.bakery.asked()] == ["order", "order", "taste", "pay", "fetch"]


def test_killed_before_the_record_commits__local_effects_are_gone(tmp_path: Path) -> None:
    case = Case(tmp_path, "killed")
    run_killed(case.execution.pk, "cake/order/forward/before_record")
    assert tallies() == {"note": 1}


def test_poison__that_kills_every_worker_is_set_aside(tmp_path: Path) -> None:
    case = Case(tmp_path, "killed")
    run_killed(case.execution.pk, "cake/note/forward/before_record")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflows_step SET attempts = 12")
    execution = resume(case.execution.pk)
    assert (execution.state, execution.error) == ("stuck", "Every attempt ended with the death of its worker.")
    assert tallies() == {}


def test_kill_point__unknown_kills_nobody(tmp_path: Path, settings) -> None:
    settings.SAGA_KILL_POINT = "cake/order/forward/never"
    assert to_the_end(Case(tmp_path, "calm").execution.pk).state == "completed"
    with pytest.raises(AssertionError, match="was not reached"):
        run_killed(Case(tmp_path, "other").execution.pk, "cake/order/backward/after_call")


# --- two workers


def slow(context: StepContext) -> dict[str, Any]:
    """On its first attempt it sleeps through its lease: another worker takes over and is done before it wakes."""
    if context.attempt == 1:
        make_due(context.execution_id)
        other = threading.Thread(target=in_another_worker, args=(context.execution_id,))
        other.start()
        other.join(30)
    return {"attempt": context.attempt}


def in_another_worker(execution_id: int) -> None:
    try:
        advance(execution_id)
    finally:
        connections.close_all()


def count(context: StepContext, result: dict[str, Any]) -> None:
    tally("slow")


def quick(context: StepContext, result: dict[str, Any]) -> None:
    tally("quick")


def test_stale_fence__writes_nothing(caplog) -> None:
    saga = SagaDefinition(
        "slow", 1, "Slow", "", (SagaStep("nap", call=slow, record=count), SagaStep("end", record=quick))
    )
    with known(saga):
        execution = advance(sagas.start(saga="slow", key="1", input={}, acting=SYSTEM).pk)
    assert execution.state == "completed"
    assert execution.steps.get(name="nap").output == {"attempt": 2}
    assert tallies() == {"slow": 1, "quick": 1}
    assert "Fence 1 of execution 1 is stale: nothing is written" in caplog.text


def sleeps_while_another_takes_it(context: StepContext) -> dict[str, Any]:
    """On its first attempt: when it wakes, another worker has taken the step and is still at it."""
    if context.attempt == 1:
        make_due(context.execution_id)
        other = threading.Thread(target=take_and_keep, args=(context.execution_id,))
        other.start()
        other.join(30)
    return {"attempt": context.attempt}


def take_and_keep(execution_id: int) -> None:
    try:
        assert sagas.claim(execution_id=execution_id, acting=SYSTEM) is not None
    finally:
        connections.close_all()


@pytest.mark.parametrize("fails", [False, True])
def test_stale_fence__while_another_holds_the_step_writes_nothing(fails: bool) -> None:
    def call(context: StepContext) -> dict[str, Any]:
        result = sleeps_while_another_takes_it(context)
        if fails and context.attempt == 1:
            raise RuntimeError("woke too late")
        return result

    saga = SagaDefinition("slow", 1, "Slow", "", (SagaStep("nap", call=call, record=count),))
    with known(saga):
        execution = advance(sagas.start(saga="slow", key="1", input={}, acting=SYSTEM).pk)
        row = execution.steps.get()
        assert (execution.state, execution.fence, execution.lease_until is not None) == ("running", 2, True)
        assert (row.state, row.attempts, row.output, row.error) == ("calling", 2, None, "")
        assert tallies() == {}
        make_due(execution.pk)
        execution = advance(execution.pk)
    assert (execution.state, execution.steps.get().output) == ("completed", {"attempt": 3})
    assert tallies() == {"slow": 1}


def fails_late(context: StepContext) -> dict[str, Any]:
    result = slow(context)
    if context.attempt == 1:
        raise RuntimeError("woke too late")
    return result


def test_stale_fence__keeps_no_failure_either() -> None:
    saga = SagaDefinition("slow", 1, "Slow", "", (SagaStep("nap", call=fails_late, record=count),))
    with known(saga):
        execution = advance(sagas.start(saga="slow", key="1", input={}, acting=SYSTEM).pk)
    assert (execution.state, execution.error) == ("completed", "")
    assert tallies() == {"slow": 1}


def test_many_workers__take_each_step_once() -> None:
    steps = tuple(SagaStep(f"step{number}", record=count) for number in range(5))
    with known(SagaDefinition("busy", 1, "Busy", "", steps)):
        ids = [sagas.start(saga="busy", key=str(key), input={}, acting=SYSTEM).pk for key in range(4)]
        workers = [threading.Thread(target=lambda: [in_another_worker(each) for each in ids * 5]) for _ in range(4)]
        for each in workers:
            each.start()
        for each in workers:
            each.join(60)
        states = {to_the_end(each).state for each in ids}
    assert states == {"completed"}
    assert tallies() == {"slow": 20}
    assert set(Execution.objects.values_list("steps__attempts", flat=True)) == {1}


def test_call__leaves_no_transaction_open(app_dsn: str) -> None:
    seen: list[tuple[int, int]] = []

    def look(context: StepContext) -> dict[str, Any]:
        Execution.objects.exists()  # a read of its own must not hold anything either
        with psycopg.connect(app_dsn, autocommit=True) as other:
            row = other.execute(
                "SELECT count(*) FILTER (WHERE xact_start IS NOT NULL), count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            ).fetchone()
            assert row is not None
            seen.append((row[0], row[1]))
        return {}

    with known(SagaDefinition("look", 1, "Look", "", (SagaStep("look", call=look),))):
        assert advance(sagas.start(saga="look", key="1", input={}, acting=SYSTEM).pk).state == "completed"
    assert seen == [(0, 1)]


# --- a real worker


def wait_for(what, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "the worker did nothing in time"
        time.sleep(0.1)


@pytest.mark.slow
def test_real_worker__dies_at_its_point_and_the_next_one_goes_on(tmp_path: Path) -> None:
    calm = Case(tmp_path, "calm")
    to_the_end(calm.execution.pk)
    killed = Case(tmp_path, "killed")
    program, log = ("-m", "tests.workflows.cake_worker"), tmp_path / "log"
    point = Point("cake", "pay", Direction.FORWARD, KillPoint.AFTER_CALL)

    # The worker's own clock first ticks after half a minute; the wake of a commit waits for it here.
    Schedule.objects.all().delete()
    queue.send(QUEUE)
    with worker(log, point, *program):
        wait_for(lambda: any(entry["act"] == "pay" for entry in killed.bakery.log()))
        wait_for(lambda: killed.execution.steps.filter(name="pay", state="calling").exists())
        wait_for(lambda: "died" in log.read_text() or "reincarnated" in log.read_text())
    assert not killed.execution.steps.filter(name="pay", state="recorded").exists()

    lease_over(killed.execution.pk)
    Schedule.objects.all().delete()
    queue.send(QUEUE)
    with worker(log, "", *program):
        wait_for(lambda: Execution.objects.get(pk=killed.execution.pk).state == "completed")

    assert killed.rows() == calm.rows()
    assert killed.log() == calm.log()
