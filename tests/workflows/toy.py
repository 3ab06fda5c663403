"""A toy saga for the engine's tests: it orders a cake from a bakery whose world is a directory of files.

The bakery keeps to what providers promise: one effect an idempotency key, the first answer again under the same key,
and a log of every call that had an effect. It is reached from any process by its path.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from habitat.workflows.errors import StepNotYet, StepRefused
from habitat.workflows.policies.sagas import SagaDefinition, SagaStep, StepContext, register, unregister


class Lost(Exception):
    """The answer never came: what happened outside is unknown."""


class Bakery:
    """`faults` maps an act to what goes wrong with its next calls: `lost` (after the effect), `down` (before it),
    `refuse`, `not_yet`."""

    def __init__(self, home: str | Path) -> None:
        self.file = Path(home) / "bakery.json"

    @contextmanager
    def _opened(self) -> Iterator[dict[str, Any]]:
        with self.file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            empty: dict[str, Any] = {"log": [], "faults": {}, "asked": []}
            world = json.loads(self.file.read_text()) if self.file.exists() else empty
            yield world
            self.file.write_text(json.dumps(world))

    def ask(self, act: str, key: str, **about: Any) -> dict[str, Any]:
        with self._opened() as world:
            world["asked"].append([act, key])
            faults = world["faults"].get(act, [])
            fault = faults.pop(0) if faults else ""
            done = next((entry for entry in world["log"] if entry["key"] == key), None)
            if fault in ("", "lost") and done is None:
                done = {"act": act, "key": key, "about": about}
                world["log"].append(done)
        if fault == "lost" or fault == "down":
            raise Lost(fault)
        if fault == "refuse":
            raise StepRefused(f"The bakery refuses to {act}.")
        if fault == "not_yet":
            raise StepNotYet(timedelta(minutes=5))
        return {"receipt": f"{act}-{about.get('cake', '')}"}

    def find(self, key: str) -> dict[str, Any] | None:
        with self._opened() as world:
            world["asked"].append(["find", key])
            done = next((entry for entry in world["log"] if entry["key"] == key), None)
        return None if done is None else {"receipt": f"{done['act']}-{done['about'].get('cake', '')}"}

    def goes_wrong(self, act: str, *faults: str) -> None:
        with self._opened() as world:
            world["faults"].setdefault(act, []).extend(faults)

    def log(self) -> list[dict[str, Any]]:
        with self._opened() as world:
            return list(world["log"])

    def asked(self) -> list[tuple[str, str]]:
        with self._opened() as world:
            return [(act, key) for act, key in world["asked"]]


def tally(name: str, by: int = 1) -> None:
    """A local effect that can be counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_eventcount (day, name, count) VALUES ('2026-01-01', %s, %s)"
            " ON CONFLICT (day, name) DO UPDATE SET count = events_eventcount.count + %s",
            [f"toy-{name}", by, by],
        )


def tallies() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, count FROM events_eventcount WHERE name LIKE 'toy-%' ORDER BY name")
        return {name.removeprefix("toy-"): count for name, count in cursor.fetchall()}


def _asks(act: str):
    def call(context: StepContext) -> dict[str, Any]:
        assert not connection.in_atomic_block or _in_a_test_case()
        return Bakery(context.input["home"]).ask(act, context.step_key, cake=context.input["cake"])

    return call


def _in_a_test_case() -> bool:
    return all(block._from_testcase for block in connection.atomic_blocks)


def _finds(context: StepContext) -> dict[str, Any] | None:
    return Bakery(context.input["home"]).find(context.step_key)


def _tallies(name: str):
    def record(context: StepContext, result: dict[str, Any]) -> dict[str, Any] | None:
        tally(name)
        if context.input.get("refuses") == name:
            raise StepRefused(f"The books refuse {name}.")
        if context.input.get("breaks") == name:
            raise RuntimeError(f"{name} broke")
        return {"signal": context.signal} if context.signal is not None else None

    return record


STEPS = (
    SagaStep("note", record=_tallies("note"), undo_record=_tallies("unnote")),
    SagaStep(
        "order",
        call=_asks("order"),
        record=_tallies("order"),
        find=_finds,
        undo_call=_asks("unorder"),
        undo_record=_tallies("unorder"),
        undo_find=_finds,
    ),
    SagaStep("taste", call=_asks("taste")),
    SagaStep("pay", call=_asks("pay"), record=_tallies("pay"), pivot=True),
    SagaStep("fetch", call=_asks("fetch"), record=_tallies("fetch"), waits_for="baked"),
    SagaStep("eat", record=_tallies("eat")),
)
CAKE = SagaDefinition(
    name="cake", version=1, title="A cake", help="Orders, pays, fetches and eats a cake.", steps=STEPS
)


@contextmanager
def known(*sagas: SagaDefinition) -> Iterator[None]:
    register(*sagas)
    try:
        yield
    finally:
        for saga in sagas:
            unregister(saga.name, saga.version)
