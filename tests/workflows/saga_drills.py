"""Drills: kill whoever runs a saga at any of its points, let another go on, and compare with a run nobody disturbed.

A drill builds its case twice (another key, another world outside), runs one to its end with `to_the_end`, kills the
other with `run_killed` at a point of `points_of`, lets `resume` go on, and compares `rows_of` both and what the outside
world logged. Tests of drills commit: mark them `django_db(transaction=True)`.
"""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, connections, transaction

from habitat.workflows import locks
from habitat.workflows.models import Execution
from habitat.workflows.policies.sagas import Direction, SagaDefinition
from habitat.workflows.policies.states import OPEN
from habitat.workflows.workflows.kill_points import KillPoint
from habitat.workflows.workflows.sagas import advance

ROOT = Path(__file__).resolve().parents[2]
OPEN_STATES = [state.value for state in OPEN]
# A saga that pauses more often than this in a drill does not end.
MOST_ROUNDS = 40
FORGOTTEN = "…"


@dataclass(frozen=True)
class Point:
    """As the setting SAGA_KILL_POINT writes it."""

    saga: str
    step: str
    direction: Direction
    point: KillPoint

    def __str__(self) -> str:
        return f"{self.saga}/{self.step}/{self.direction.value}/{self.point.value}"


def points_of(saga: SagaDefinition) -> Iterator[Point]:
    """Every step × direction × point that a run can reach: database work has no call, and nothing from the pivot on is
    undone."""
    before_pivot = True
    for step in saga.steps:
        before_pivot = before_pivot and not step.pivot
        for direction in Direction:
            work = step.work(direction)
            if direction is Direction.BACKWARD and not (before_pivot and (work.call or work.record)):
                continue
            for point in KillPoint:
                if work.call is not None or point is not KillPoint.AFTER_CALL:
                    yield Point(saga.name, step.name, direction, point)


def make_due(execution_id: int) -> None:
    """As if the pause, or the lease of whoever died, were over."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflows_execution SET due_at = now() - interval '1 s',"
            " lease_until = CASE WHEN lease_until IS NOT NULL THEN now() - interval '1 s' END"
            " WHERE id = %s AND state = ANY(%s)",
            [execution_id, OPEN_STATES],
        )


def to_the_end(execution_id: int) -> Execution:
    """Advances, pauses skipped, until it waits for a signal, is stuck or ended."""
    for _ in range(MOST_ROUNDS):
        execution = advance(execution_id)
        if execution.state not in OPEN_STATES:
            return execution
        make_due(execution_id)
    raise AssertionError(f"{execution} is {execution.state} after {MOST_ROUNDS} pauses: {execution.error}")


def run_killed(
    execution_id: int, point: Point | str, run: Callable[[int], object] = to_the_end, seconds: float = 60
) -> None:
    """A forked child runs the execution until it kills itself at `point`; fails when it never gets there."""
    # A connection cannot be shared: the parent hangs up first, each then opens its own.
    connections.close_all()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            settings.SAGA_KILL_POINT = str(point)
            run(execution_id)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    ended = _wait(child, seconds)
    assert ended == -signal.SIGKILL, f"{point} was not reached: the child ended with {ended}"


def _wait(child: int, seconds: float) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the child neither died nor ended")


def lease_over(execution_id: int) -> None:
    """Waits until the dead worker's transaction is gone, then ends its lease."""
    with transaction.atomic():
        locks.execution(execution_id)
    make_due(execution_id)


def resume(execution_id: int, run: Callable[[int], Execution] = to_the_end) -> Execution:
    """Another worker takes over when the lease is over, and goes on to the end."""
    lease_over(execution_id)
    return run(execution_id)


def rows_of(
    execution: Execution, *, forget: Collection[str] = (), replace: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The execution and its steps without ids, times, attempts and fences, so that two runs can be compared.

    `forget` are JSON keys whose values differ from run to run (ids of rows); `replace` are texts that do (the world's
    address). The execution's own key is replaced in any case.
    """
    found = Execution.objects.get(pk=execution.pk)
    rows = {
        "state": found.state,
        "heading": found.heading,
        "waiting_for": found.waiting_for,
        "version": found.version,
        "input": found.input,
        "signals": found.signals,
        "error": found.error,
        "leased": found.lease_until is not None,
        "finished": found.finished_at is not None,
        "steps": [
            {
                "name": step.name,
                "direction": step.direction,
                "state": step.state,
                "key": step.key.replace(f":{found.key}:", ":{key}:"),
                "input": step.input,
                "output": step.output,
                "error": step.error,
            }
            for step in found.steps.order_by("id")
        ],
    }
    text = json.dumps(_without(rows, set(forget)), sort_keys=True)
    for before, after in (replace or {}).items():
        text = text.replace(before, after)
    result: dict[str, Any] = json.loads(text)
    return result


def _without(value: Any, forget: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: FORGOTTEN if name in forget else _without(inner, forget) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, forget) for inner in value]
    return value


@contextmanager
def worker(log: Path, point: Point | str = "", *program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker on this test's database: `manage.py qcluster`, or `program` where the saga is a test's own."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "habitat.settings.test",
        "EVENT_WAKE": "timer",
        "SAGA_KILL_POINT": str(point),
        "WORKERS": "1",
    }
    with log.open("ab") as written:
        process = subprocess.Popen(
            [sys.executable, *(program or ("manage.py", "qcluster"))],
            cwd=ROOT,
            env=environment,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
