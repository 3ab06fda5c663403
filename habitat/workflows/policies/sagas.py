"""Sagas: what their steps are, and what comes next (house.md, "Queue and sagas")."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from habitat.workflows.errors import UnknownSaga
from habitat.workflows.policies.states import ExecutionState, Heading, StepState

# Nobody takes over before the lease ends; a call gives up well before half of it.
LEASE: Final = timedelta(seconds=120)
CALL_TIMEOUT: Final = 30
# Providers forget idempotency keys after a day: from then on a step looks before it asks again.
KEY_LIFE: Final = timedelta(hours=24)


class Direction(StrEnum):
    FORWARD = "forward"
    BACKWARD = "backward"


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step is told.

    `outputs` are those of every recorded forward step, by name. `step_key` is the provider's idempotency key: the same
    for every attempt at this step in this direction. `timeout` is how many seconds a call may take, `deadline` the
    moment it must be over. `signal` is what the signal carried that this step waited for. `started_by` is the label of
    who started the execution.
    """

    execution_id: int
    saga: str
    key: str
    input: dict[str, Any]
    outputs: dict[str, dict[str, Any]]
    step_key: str
    attempt: int
    first_called_at: datetime | None
    signal: dict[str, Any] | None
    deadline: datetime
    started_by: str
    timeout: int = CALL_TIMEOUT


Call = Callable[[StepContext], dict[str, Any]]
Record = Callable[[StepContext, dict[str, Any]], dict[str, Any] | None]
Find = Callable[[StepContext], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Work:
    """One direction of a step: ask outside, write it down, look it up."""

    call: Call | None
    record: Record | None
    find: Find | None


@dataclass(frozen=True, slots=True)
class SagaStep:
    """`call` goes outside, without a transaction; `record` writes in the engine's; `find` looks before asking again.

    A step without `call` is database work alone. A step that nothing undoes is passed over on the way back. After the
    `pivot` is recorded there is no way back. The step begins when the signal `waits_for` has come.
    """

    name: str
    call: Call | None = None
    record: Record | None = None
    find: Find | None = None
    undo_call: Call | None = None
    undo_record: Record | None = None
    undo_find: Find | None = None
    pivot: bool = False
    waits_for: str = ""

    def work(self, direction: Direction) -> Work:
        if direction is Direction.FORWARD:
            return Work(self.call, self.record, self.find)
        return Work(self.undo_call, self.undo_record, self.undo_find)


@dataclass(frozen=True, slots=True)
class SagaDefinition:
    """A saga. An execution keeps to the steps of the `version` it was started with."""

    name: str
    version: int
    title: str
    help: str
    steps: tuple[SagaStep, ...]

    def step(self, name: str) -> SagaStep:
        return next(step for step in self.steps if step.name == name)

    def check(self) -> None:
        """Raises ValueError for a definition that cannot be run."""
        names = [step.name for step in self.steps]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"{self.name} needs steps, each with a name of its own")
        if sum(step.pivot for step in self.steps) > 1:
            raise ValueError(f"{self.name} has more than one pivot")
        if any("/" in name or len(name) > LONGEST_STEP for name in (self.name, *names)):
            raise ValueError(f"{self.name}: a name is at most {LONGEST_STEP} characters, without a stroke")


LONGEST_STEP: Final = 60
_definitions: Final[dict[tuple[str, int], SagaDefinition]] = {}


def register(*definitions: SagaDefinition) -> None:
    """Makes sagas known; floors call it when ready. Old versions stay as long as executions of them may be open."""
    for definition in definitions:
        definition.check()
        if _definitions.setdefault((definition.name, definition.version), definition) != definition:
            raise ValueError(f"two sagas are called {definition.name} version {definition.version}")


def unregister(name: str, version: int) -> None:
    """Forgets a version of a saga: what runs by it becomes stuck."""
    _definitions.pop((name, version), None)


def definitions() -> Iterable[SagaDefinition]:
    """Every version of every saga, by name."""
    return [_definitions[name] for name in sorted(_definitions)]


def definition(name: str, version: int) -> SagaDefinition:
    """Raises UnknownSaga."""
    try:
        return _definitions[name, version]
    except KeyError:
        raise UnknownSaga(saga=name, version=version) from None


def newest(name: str) -> SagaDefinition:
    """What a new execution runs by. Raises UnknownSaga."""
    versions = [version for known, version in _definitions if known == name]
    return definition(name, max(versions, default=0))


def step_key(saga: str, key: str, step: str, direction: Direction, round_: int = 1) -> str:
    """The provider's idempotency key. A new `round_` begins when a person tries again what was refused: the provider
    would only repeat its refusal under the old one."""
    base = f"{saga}:{key}:{step}:{direction.value}"
    return base if round_ == 1 else f"{base}:{round_}"


# --- what comes next


@dataclass(frozen=True, slots=True)
class StepSeen:
    """A step's row as the rules see it. `effect_outside`: it was refused after its call had come back."""

    state: StepState
    effect_outside: bool = False


Seen = Mapping[tuple[str, Direction], StepSeen]


class Next(StrEnum):
    RUN = "run"
    WAIT = "wait"
    TURN_BACK = "turn_back"
    COMPLETE = "complete"
    COMPENSATED = "compensated"


@dataclass(frozen=True, slots=True)
class Decision:
    """`step` is what to RUN, in `direction`, or what WAITs for its signal."""

    next: Next
    step: SagaStep | None = None
    direction: Direction = Direction.FORWARD


def next_step(
    saga: SagaDefinition, *, state: ExecutionState, heading: Heading, seen: Seen, signals: Mapping[str, Any]
) -> Decision:
    """What an open execution does next, from its rows alone: the same however often it is asked."""
    if state is ExecutionState.COMPENSATING or heading is Heading.BACKWARD:
        return _backward(saga, seen)
    return _forward(saga, seen, signals, turning=heading is Heading.TURNING and not past_pivot(saga, seen))


def _forward(saga: SagaDefinition, seen: Seen, signals: Mapping[str, Any], *, turning: bool) -> Decision:
    for step in saga.steps:
        row = seen.get((step.name, Direction.FORWARD))
        if row is not None and row.state is StepState.RECORDED:
            continue
        # What a call did must be known before anything is undone; what stayed in the database left nothing behind.
        if turning and (row is None or row.state is not StepState.CALLING):
            return Decision(Next.TURN_BACK)
        if row is None and step.waits_for and step.waits_for not in signals:
            return Decision(Next.WAIT, step)
        return Decision(Next.RUN, step)
    return Decision(Next.COMPLETE)


def _backward(saga: SagaDefinition, seen: Seen) -> Decision:
    for step in reversed(saga.steps):
        undone = seen.get((step.name, Direction.BACKWARD))
        if undone is not None and undone.state is StepState.RECORDED:
            continue
        if needs_undoing(step, seen.get((step.name, Direction.FORWARD))):
            return Decision(Next.RUN, step, Direction.BACKWARD)
    return Decision(Next.COMPENSATED)


def needs_undoing(step: SagaStep, row: StepSeen | None) -> bool:
    """Recorded with something to undo it by, or refused by its record after the call had had its effect outside."""
    if row is None:
        return False
    if row.state is StepState.RECORDED:
        return step.undo_call is not None or step.undo_record is not None
    return row.effect_outside and step.undo_call is not None


def past_pivot(saga: SagaDefinition, seen: Seen) -> bool:
    """Whether the pivot is recorded, or its effect stands outside although its record was refused."""
    return any(
        row.state is StepState.RECORDED or row.effect_outside
        for step in saga.steps
        if step.pivot and (row := seen.get((step.name, Direction.FORWARD))) is not None
    )


def may_turn_back(saga: SagaDefinition, seen: Seen) -> bool:
    """Whether a person may send it back: not past its pivot, and not while the pivot's own outcome is unknown."""
    unknown = any(
        row.state is StepState.CALLING
        for step in saga.steps
        if step.pivot and (row := seen.get((step.name, Direction.FORWARD))) is not None
    )
    return not unknown and not past_pivot(saga, seen)


def must_look(first_called_at: datetime | None, now: datetime) -> bool:
    """Whether the provider may have forgotten the step's key."""
    return first_called_at is not None and now - first_called_at > KEY_LIFE
