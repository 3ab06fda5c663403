"""Every saga of the house, killed at every step, direction and point: the rows of all tables and what Stripe was asked
are those of a run nobody disturbed.

The table comes from the registry and `tests/site/saga_scenarios.py`: a saga without a scenario for each of its
directions fails here. While the dead worker's lease runs, Stripe's webhooks go on arriving.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import Schedule

from habitat.events.models import Delivery
from habitat.events.workflows import queue
from habitat.site.reports.verification import GUARDS, proofs
from habitat.workflows.actions.sagas import QUEUE
from habitat.workflows.models import Execution
from habitat.workflows.policies.sagas import Direction, SagaDefinition, SagaStep, definitions, newest
from habitat.workflows.workflows.kill_points import KillPoint
from tests.database import TestDatabase
from tests.sandboxes import Sandbox
from tests.site.house_rows import differences, house_rows
from tests.site.saga_scenarios import SCENARIOS, Scenario, hear
from tests.treasury.stripe_side import KEY, StripeSide
from tests.workflows.saga_drills import Point, lease_over, points_of, run_killed, to_the_end, worker
from tests.workflows.toy import known
from treasury.models import StripeEvent

pytestmark = pytest.mark.django_db(transaction=True)


def scenarios_of(point: Point) -> list[Scenario]:
    return [one for one in SCENARIOS if (one.saga, one.direction) == (point.saga, point.direction)]


def drills() -> Iterator[Any]:
    for saga in definitions():
        for point in points_of(saga):
            for scenario in scenarios_of(point):
                yield pytest.param(scenario, point, id=f"{point}-{scenario.name}")


def without_scenario() -> list[str]:
    """Points of the registry that no scenario reaches."""
    return [str(point) for saga in definitions() for point in points_of(saga) if not scenarios_of(point)]


def broken_books() -> list[str]:
    """What the floors' proofs find; guards are not a saga's business."""
    return [result.message for floor, proof in proofs() if floor != GUARDS and not (result := proof.run()).ok]


@dataclass(frozen=True)
class Outcome:
    """What is left at the end: the house's rows, and what Stripe was asked to do."""

    rows: dict[str, list[str]]
    calls: list[dict[str, Any]]


class Theatre:
    """Each run of a scenario begins in the same house and the same sandbox, so that both count from one."""

    def __init__(self, database: TestDatabase, sandbox: Sandbox, folder: Path) -> None:
        self.database, self.sandbox, self.folder = database, sandbox, folder
        self._built: dict[Scenario, tuple[str, Path, Execution]] = {}
        self._undisturbed: dict[Scenario, Outcome] = {}

    def set_up(self, scenario: Scenario) -> tuple[StripeSide, Execution]:
        """The scenario before its saga's first step, built once."""
        side = StripeSide(self.sandbox)
        if scenario not in self._built:
            self.database.restore()
            self.sandbox.control("reset", seed="test")
            execution = scenario.build(side)
            memory = self.folder / f"{len(self._built)}.sqlite3"
            self.sandbox.keep(memory)
            self._built[scenario] = (self.database.keep(), memory, execution)
        kept, memory, execution = self._built[scenario]
        self.database.bring_back(kept)
        self.sandbox.bring_back(memory)
        return side, execution

    def undisturbed(self, scenario: Scenario) -> Outcome:
        """What a run leaves that nobody killed; run once."""
        if scenario not in self._undisturbed:
            side, execution = self.set_up(scenario)
            ended = run_through(scenario, side, execution.pk)
            assert (ended.state, ended.error != "") == (scenario.ends, scenario.ends == "compensated"), ended.error
            assert broken_books() == []
            self._undisturbed[scenario] = self.left()
        return self._undisturbed[scenario]

    def left(self) -> Outcome:
        return Outcome(house_rows(), self.sandbox.calls())


@pytest.fixture(scope="module")
def stage(django_db_setup: TestDatabase, stripe_server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(django_db_setup, stripe_server, tmp_path_factory.mktemp("scenarios"))


@pytest.fixture
def theatre(stage: Theatre, stripe_sandbox: Sandbox, settings, monkeypatch) -> Theatre:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = KEY, stripe_sandbox.url
    # For the real workers.
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    monkeypatch.setenv("STRIPE_API_BASE", stripe_sandbox.url)
    return stage


def run_through(scenario: Scenario, side: StripeSide, execution_id: int) -> Execution:
    """To its end, Stripe's webhooks included."""
    execution = to_the_end(execution_id)
    if scenario.heard:
        hear(side)
        execution = to_the_end(execution_id)
    return execution


def test_every_saga_step_and_direction__has_a_scenario() -> None:
    assert without_scenario() == []
    assert {one.saga for one in SCENARIOS} == {saga.name for saga in definitions()}


def test_saga_without_a_scenario__is_found() -> None:
    def nothing(context: Any, answer: Any) -> None:
        del context, answer

    saga = SagaDefinition("forgotten", 1, "Forgotten", "", (SagaStep("only", record=nothing),))
    with known(saga):
        assert without_scenario() == [
            f"forgotten/only/forward/{point}" for point in ("after_claim", "before_record", "after_record")
        ]


@pytest.mark.own_database
@pytest.mark.parametrize(("scenario", "point"), list(drills()))
def test_killed_at__ends_as_if_nothing_had_happened(scenario: Scenario, point: Point, theatre: Theatre) -> None:
    expected = theatre.undisturbed(scenario)

    side, execution = theatre.set_up(scenario)
    run = partial(run_through, scenario, side)
    run_killed(execution.pk, point, run)
    if scenario.heard:
        hear(side)
    lease_over(execution.pk)
    assert run(execution.pk).state == scenario.ends

    found = theatre.left()
    assert differences(expected.rows, found.rows) == []
    assert found.calls == expected.calls


def looked_up() -> list[Any]:
    """Calls that are looked up when their key is old, one scenario each."""
    points = (point for saga in definitions() for point in points_of(saga))
    asked = (point for point in points if point.point is KillPoint.AFTER_CALL)
    return [
        pytest.param(scenarios_of(point)[0], point, id=f"{point.saga}/{point.step}")
        for point in asked
        if newest(point.saga).step(point.step).work(point.direction).find is not None
    ]


@pytest.mark.own_database
@pytest.mark.parametrize(("scenario", "point"), looked_up())
def test_resumed_a_day_later__when_stripe_forgot_the_key__looks_before_it_asks_again(
    scenario: Scenario, point: Point, theatre: Theatre
) -> None:
    expected = theatre.undisturbed(scenario)
    side, execution = theatre.set_up(scenario)
    run_killed(execution.pk, point, partial(run_through, scenario, side))

    theatre.sandbox.control("forget_idempotency_keys")
    execution.steps.filter(name=point.step).update(first_called_at=timezone.now() - timedelta(hours=25))
    lease_over(execution.pk)
    assert run_through(scenario, side, execution.pk).state == scenario.ends

    found = theatre.left()
    assert differences(expected.rows, found.rows) == []
    assert found.calls == expected.calls


# --- a real worker

# What a saga leaves; around it a real worker has jobs of its own.
LEFT_BY_SAGAS = (
    "workflows.Execution",
    "workflows.Step",
    "cloud_credits.BillingCustomer",
    "cloud_credits.Purchase",
    "cloud_credits.RecurringPurchase",
    "cloud_credits.RefundRequest",
    "cloud_credits.CloudTransaction",
    "cloud_credits.CloudBalance",
    "treasury.Payment",
    "treasury.Refund",
    "treasury.JournalEntry",
    "treasury.JournalLine",
)


def last_call(saga: SagaDefinition) -> Point:
    """Where a death leaves most behind: Stripe has done it, and the house has not written it down."""
    step = [step for step in saga.steps if step.call is not None][-1]
    return Point(saga.name, step.name, Direction.FORWARD, KillPoint.AFTER_CALL)


def wait_for(what: Callable[[], bool], log: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"the worker did nothing in time:\n{log.read_text()[-4000:]}"
        time.sleep(0.1)


@contextmanager
def worker_called(log: Path, point: Point | str = "") -> Iterator[None]:
    """A real worker for which the wakes of a commit are waiting: its own clock first ticks after half a minute."""
    Schedule.objects.all().delete()
    for name in (QUEUE, queue.DELIVERIES):
        queue.send(name)
    with worker(log, point):
        yield


@pytest.mark.slow
@pytest.mark.own_database
@pytest.mark.parametrize("saga", list(definitions()), ids=lambda saga: saga.name)
def test_real_worker__dies_and_the_next_one_goes_on(
    saga: SagaDefinition, theatre: Theatre, tmp_path: Path, settings
) -> None:
    point, log = last_call(saga), tmp_path / "log"
    scenario = scenarios_of(point)[0]
    expected = theatre.undisturbed(scenario)
    side, execution = theatre.set_up(scenario)
    settings.EVENT_WAKE = "timer"

    def state() -> str:
        return Execution.objects.get(pk=execution.pk).state

    def step(state: str) -> bool:
        return execution.steps.filter(name=point.step, direction="forward", state=state).exists()

    with worker_called(log, point):
        wait_for(lambda: step("calling"), log)
        wait_for(lambda: "died" in log.read_text() or "reincarnated" in log.read_text(), log)
    assert step("calling")

    lease_over(execution.pk)
    # What the dead worker was delivering is leased to it too.
    Delivery.objects.filter(state="delivering").update(due_at=timezone.now(), lease_until=timezone.now())
    with worker_called(log):
        wait_for(lambda: step("recorded"), log)
        if scenario.heard:
            side.knock()
        wait_for(lambda: state() == scenario.ends, log)
        wait_for(lambda: not StripeEvent.objects.filter(state="received").exists(), log)
        wait_for(lambda: not Delivery.objects.exclude(state="delivered").exists(), log)

    found = theatre.left()
    assert differences(chosen(expected.rows), chosen(found.rows)) == []
    assert found.calls == expected.calls


def chosen(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    return {table: rows[table] for table in LEFT_BY_SAGAS}
