"""The saga's verbs: start, take the next step under a lease and a fence, write down its outcome, and what people do.

An execution moves only here. Between two verbs nothing is held: a worker may die at any point, and whoever takes over
finds in the rows what was done, what was asked with an unknown outcome, and what was not begun.
"""

import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.controls.reports.settings import value
from habitat.errors import IdempotencyConflict
from habitat.events.actions.wakes import wake_after_commit
from habitat.events.policies.states import backoff, error_text
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.workflows import locks
from habitat.workflows.errors import (
    AlreadyCalled,
    AlreadyTurning,
    ExecutionEnded,
    NothingToRetry,
    PastPivot,
    StepNotYet,
    StepRefused,
    UnknownExecution,
    UnknownSaga,
)
from habitat.workflows.models import Execution, Step
from habitat.workflows.policies import sagas as policy
from habitat.workflows.policies.sagas import Decision, Direction, Next, SagaDefinition, SagaStep, StepContext, StepSeen
from habitat.workflows.policies.states import ENDED, ExecutionState, Heading, StepState

logger = logging.getLogger(__name__)

QUEUE: Final = "sagas"
ALERT: Final = "saga_stuck"
RETRY: Final = "workflows.retry_execution"
SIGNAL: Final = "workflows.signal_execution"
COMPENSATE: Final = "workflows.compensate_execution"
CANCEL: Final = "workflows.cancel_execution"
WORKER_DIED: Final = "Every attempt ended with the death of its worker."


@dataclass(frozen=True, slots=True)
class Turn:
    """A step in somebody's hands: only the newest `fence` of its execution may write down what came of it."""

    execution_id: int
    fence: int
    step: SagaStep
    direction: Direction
    context: StepContext

    @property
    def work(self) -> policy.Work:
        return self.step.work(self.direction)


# --- starting and signalling


@transaction.atomic
def start(*, saga: str, key: str, input: dict[str, Any], acting: Actor) -> Execution:
    """Begins `saga` in the caller's transaction, once for each `key`; a worker is woken after the commit.

    The same key with the same input is the first execution. Raises UnknownSaga, IdempotencyConflict.
    """
    definition = policy.newest(saga)
    given = _plain(input)
    row = Execution(saga=saga, version=definition.version, key=key, input=given, acting=acting.label)
    Execution.objects.bulk_create([row], ignore_conflicts=True)
    execution = Execution.objects.get(saga=saga, key=key)
    if execution.input != given:
        raise IdempotencyConflict(key=key)
    wake_after_commit(QUEUE)
    return execution


@transaction.atomic
def signal(*, saga: str, key: str, name: str, payload: dict[str, Any], acting: Actor) -> Execution:
    """Tells an execution what it waits for, or will wait for: an early signal is kept until its step begins.

    The first signal of a name counts; a repeat, or one that comes after the end, changes nothing. Whoever calls has
    judged that `acting` may. Raises UnknownExecution.
    """
    execution = locks.execution_of(saga, key)
    if execution is None:
        raise UnknownExecution(saga=saga, key=key)
    return _signal(execution, name, payload)


@transaction.atomic
def signal_by_hand(
    *, execution: Execution, name: str, payload: dict[str, Any], reason: str, acting: Actor
) -> Execution:
    """A person gives the signal. Raises NotAllowed, ReasonRequired, ExecutionEnded."""
    require(acting, SIGNAL)
    reason = require_reason(reason)
    found = _not_ended(locks.execution(execution.pk))
    _told(found, "signal", reason, acting)
    return _signal(found, name, payload)


def _signal(execution: Execution, name: str, payload: dict[str, Any]) -> Execution:
    if execution.state in _values(ENDED) or name in execution.signals:
        return execution
    execution.signals = {**execution.signals, name: _plain(payload)}
    changed = ["signals"]
    if execution.waiting_for == name:
        _wake_up(execution)
        changed += ["state", "waiting_for", "due_at"]
    execution.save(update_fields=changed)
    return Execution.objects.get(pk=execution.pk)


def _wake_up(execution: Execution) -> None:
    execution.go_on()
    execution.waiting_for = ""
    execution.due_at = Now()
    wake_after_commit(QUEUE)


# --- a worker's verbs


# Durable: what is claimed must be committed before anybody leaves the database.
@transaction.atomic(durable=True)
def claim(*, execution_id: int, acting: Actor) -> Turn | None:
    """Takes the next step of an execution that is due: fence + 1, a lease, the attempt counted, `calling` marked.

    None when it is not due, is in other hands, or has nothing to run: then it waits, ended or is stuck.
    """
    execution = locks.due_execution(execution_id)
    if execution is None:
        return None
    execution.fence += 1
    execution.lease_until = Now() + policy.LEASE
    execution.due_at = Now() + policy.LEASE
    execution.save(update_fields=["fence", "lease_until", "due_at"])
    try:
        definition = policy.definition(execution.saga, execution.version)
    except UnknownSaga as error:
        _stick(execution, error.sentence, acting)
        return None
    steps = _by_name(execution)
    decision = _settle(execution, definition, steps)
    if decision.next is not Next.RUN or decision.step is None:
        return None
    return _begin_call(execution, decision.step, decision.direction, steps, acting)


def _begin_call(
    execution: Execution,
    step: SagaStep,
    direction: Direction,
    steps: dict[tuple[str, Direction], Step],
    acting: Actor,
) -> Turn | None:
    """Marks the step and counts the attempt; sets it aside when every attempt before killed its worker."""
    work = step.work(direction)
    row = steps.get((step.name, direction)) or _fresh(execution, step, direction, steps)
    if row.attempts >= _most_attempts():
        row.error = row.error or WORKER_DIED
        row.save(update_fields=["error"])
        _stick(execution, row.error, acting)
        return None
    row.attempts += 1
    if work.call is not None and row.first_called_at is None:
        row.first_called_at = timezone.now()
    row.save(update_fields=None if row._state.adding else ["attempts", "first_called_at"])
    context = StepContext(
        execution_id=execution.pk,
        saga=execution.saga,
        key=execution.key,
        input=execution.input,
        outputs=_outputs(steps),
        step_key=row.key,
        attempt=row.attempts,
        first_called_at=row.first_called_at,
        signal=_signal_of(execution, step, direction),
        deadline=timezone.now() + timedelta(seconds=policy.CALL_TIMEOUT),
        started_by=execution.acting,
    )
    return Turn(execution.pk, execution.fence, step, direction, context)


def _fresh(
    execution: Execution, step: SagaStep, direction: Direction, steps: dict[tuple[str, Direction], Step]
) -> Step:
    told = {
        "input": execution.input,
        "outputs": _outputs(steps),
        "signal": _signal_of(execution, step, direction),
    }
    calls = step.work(direction).call is not None
    return Step(
        execution=execution,
        name=step.name,
        direction=direction.value,
        state=(StepState.CALLING if calls else StepState.RECORDING).value,
        key=policy.step_key(execution.saga, execution.key, step.name, direction),
        input=_plain(told),
    )


def _signal_of(execution: Execution, step: SagaStep, direction: Direction) -> dict[str, Any] | None:
    found = execution.signals.get(step.waits_for) if step.waits_for and direction is Direction.FORWARD else None
    return dict(found) if found is not None else None


def _outputs(steps: dict[tuple[str, Direction], Step]) -> dict[str, dict[str, Any]]:
    """Of recorded forward steps, and of those whose effect stands outside although their record was refused."""
    forward = [row for (_, direction), row in steps.items() if direction is Direction.FORWARD]
    return {row.name: row.output for row in forward if row.output is not None}


@transaction.atomic
def record(*, turn: Turn, result: dict[str, Any], write: Callable[[], dict[str, Any] | None], acting: Actor) -> bool:
    """Runs the step's local actions (`write`) and writes its outcome down in one transaction.

    The output is `result` with what `write` returned laid over it. False, and nothing done, when the fence is stale:
    somebody else took over. What `write` raises rolls all of it back.
    """
    execution = locks.held_execution(turn.execution_id, turn.fence)
    if execution is None:
        logger.warning("Fence %s of execution %s is stale: nothing is written", turn.fence, turn.execution_id)
        return False
    steps = _by_name(execution)
    row = steps[turn.step.name, turn.direction]
    output = {**result, **(write() or {})}
    row.settle()
    row.output, row.error, row.recorded_at = _plain(output), "", Now()
    row.save(update_fields=["state", "output", "error", "recorded_at"])
    if turn.direction is Direction.FORWARD:
        # On the way back the reason for it stays.
        execution.error = ""
    _release(execution)
    _settle(execution, policy.definition(execution.saga, execution.version), steps)
    return True


def fail(*, turn: Turn, error: Exception, result: dict[str, Any] | None, acting: Actor) -> None:
    """Keeps what went wrong. `result` is what the call brought before its record failed, else None.

    StepNotYet: asked again, no attempt counted. StepRefused: back, or stuck where there is no way back. Anything else
    leaves the outcome unknown: the same step is tried again with the same key, and is stuck after the last attempt.
    """
    if isinstance(error, StepNotYet):
        _ask_later(turn=turn, wait=error.wait)
    elif isinstance(error, StepRefused):
        _refuse(turn=turn, error=error, result=result, acting=acting)
    else:
        _try_again(turn=turn, error=error, acting=acting)


@transaction.atomic
def _ask_later(*, turn: Turn, wait: timedelta) -> None:
    execution, row = _held(turn)
    if execution is None or row is None:
        return
    row.attempts -= 1
    row.save(update_fields=["attempts"])
    _release(execution, wait=wait)


@transaction.atomic
def _try_again(*, turn: Turn, error: Exception, acting: Actor) -> None:
    execution, row = _held(turn)
    if execution is None or row is None:
        return
    row.error = error_text(error)
    row.save(update_fields=["error"])
    if row.attempts >= _most_attempts():
        _stick(execution, row.error, acting)
        return
    execution.error = row.error
    _release(execution, wait=backoff(row.attempts, jitter=random.random()))  # noqa: S311 - spreads retries, hides nothing


@transaction.atomic
def _refuse(*, turn: Turn, error: StepRefused, result: dict[str, Any] | None, acting: Actor) -> None:
    execution, row = _held(turn)
    if execution is None or row is None:
        return
    row.refuse()
    row.error = error_text(error)
    if turn.work.call is not None and result is not None:
        # The call had its effect and only its record was refused: the way back must undo it, or a person must look.
        row.output = _plain(result)
    row.save(update_fields=["state", "error", "output"])
    definition = policy.definition(execution.saga, execution.version)
    steps = _by_name(execution)
    if turn.direction is Direction.BACKWARD or policy.past_pivot(definition, _seen(steps)):
        _stick(execution, row.error, acting)
        return
    execution.error = row.error
    _turn_back(execution)
    _release(execution)
    _settle(execution, definition, steps)


def _held(turn: Turn) -> tuple[Execution | None, Step | None]:
    execution = locks.held_execution(turn.execution_id, turn.fence)
    if execution is None:
        logger.warning("Fence %s of execution %s is stale: nothing is kept", turn.fence, turn.execution_id)
        return None, None
    return execution, _by_name(execution)[turn.step.name, turn.direction]


# --- people's verbs


@transaction.atomic
def retry(*, execution: Execution, reason: str, acting: Actor) -> Execution:
    """Lets what is stuck, or pauses after a failure, try again at once, with all its attempts before it.

    Raises NotAllowed, ReasonRequired, ExecutionEnded, NothingToRetry.
    """
    require(acting, RETRY)
    reason = require_reason(reason)
    found = _not_ended(locks.execution(execution.pk))
    if found.state == ExecutionState.WAITING.value or found.lease_until is not None:
        raise NothingToRetry(saga=found.saga, key=found.key, state=found.state)
    _told(found, "retry", reason, acting)
    back = found.heading == Heading.BACKWARD.value
    for row in locks.steps(found.pk):
        # What was refused on the way forward stays refused when the way back is tried again.
        if (row.direction == Direction.BACKWARD.value) == back:
            _reopen(row)
    if found.state == ExecutionState.STUCK.value:
        _ = found.turn_back() if back else found.resume()
    _release(found)
    return Execution.objects.get(pk=found.pk)


def _reopen(row: Step) -> None:
    if row.state == StepState.RECORDED.value:
        return
    row.attempts = 0
    if row.state == StepState.REFUSED.value:
        if row.output is None:
            # The provider would repeat its refusal under the old key; nothing happened under it.
            row.round += 1
            direction, execution = Direction(row.direction), row.execution
            row.key = policy.step_key(execution.saga, execution.key, row.name, direction, row.round)
        _ = row.record_again() if row.first_called_at is None else row.call_again()
    row.save(update_fields=["state", "attempts", "round", "key"])


@transaction.atomic
def compensate(*, execution: Execution, reason: str, acting: Actor) -> Execution:
    """Sends an execution back: what is recorded is undone, last first. A call whose outcome is unknown is resolved
    forward before.

    Raises NotAllowed, ReasonRequired, ExecutionEnded, AlreadyTurning, PastPivot, UnknownSaga.
    """
    require(acting, COMPENSATE)
    reason = require_reason(reason)
    found = _not_ended(locks.execution(execution.pk))
    if found.heading != Heading.FORWARD.value:
        raise AlreadyTurning(saga=found.saga, key=found.key)
    definition = policy.definition(found.saga, found.version)
    if not policy.may_turn_back(definition, _seen(_by_name(found))):
        pivot = next(step.name for step in definition.steps if step.pivot)
        raise PastPivot(saga=found.saga, key=found.key, step=pivot)
    _told(found, "compensate", reason, acting)
    found.heading = Heading.TURNING.value
    if found.state == ExecutionState.WAITING.value:
        _wake_up(found)
    if found.state == ExecutionState.STUCK.value:
        _take_up(found)
    found.save(update_fields=["heading", "state", "waiting_for"])
    if found.lease_until is None:
        _release(found)
    return Execution.objects.get(pk=found.pk)


def _take_up(execution: Execution) -> None:
    for row in locks.steps(execution.pk):
        if row.state != StepState.RECORDED.value:
            row.attempts = 0
            row.save(update_fields=["attempts"])
    execution.resume()


@transaction.atomic
def cancel(*, execution: Execution, reason: str, acting: Actor) -> Execution:
    """Calls an execution off before any of its steps began. Raises NotAllowed, ReasonRequired, ExecutionEnded,
    AlreadyCalled."""
    require(acting, CANCEL)
    reason = require_reason(reason)
    found = _not_ended(locks.execution(execution.pk))
    begun = next(iter(locks.steps(found.pk)), None)
    if begun is not None:
        raise AlreadyCalled(saga=found.saga, key=found.key, step=begun.name)
    _told(found, "cancel", reason, acting)
    found.cancel()
    found.waiting_for = ""
    _end(found)
    return Execution.objects.get(pk=found.pk)


def _not_ended(execution: Execution) -> Execution:
    if execution.state in _values(ENDED):
        raise ExecutionEnded(saga=execution.saga, key=execution.key, state=execution.state)
    return execution


def _told(execution: Execution, verb: str, reason: str, acting: Actor) -> None:
    """Who did what and why stays with the execution for ever."""
    logger.info("%s: %s of execution %s (%s): %s", acting.label, verb, execution.pk, execution, reason)
    told = {
        "at": timezone.now().isoformat(),
        "by": acting.label,
        "name": acting.name,
        "verb": verb,
        "reason": reason,
    }
    execution.decisions = [*execution.decisions, told]
    execution.save(update_fields=["decisions"])


# --- where an execution stands


def _settle(execution: Execution, definition: SagaDefinition, steps: dict[tuple[str, Direction], Step]) -> Decision:
    """Moves an execution to where its rows say it stands; what it decides to RUN is left to the next claim."""
    decision = _decide(execution, definition, steps)
    if decision.next is Next.TURN_BACK:
        _turn_back(execution)
        decision = _decide(execution, definition, steps)
    if execution.heading == Heading.TURNING.value and policy.past_pivot(definition, _seen(steps)):
        execution.heading = Heading.FORWARD.value
    if decision.next in (Next.COMPLETE, Next.COMPENSATED):
        _ = execution.complete() if decision.next is Next.COMPLETE else execution.finish_compensating()
        _end(execution)
        return decision
    if decision.next is Next.WAIT and decision.step is not None:
        execution.wait()
        execution.waiting_for = decision.step.waits_for
        execution.lease_until = None
    execution.save(update_fields=["state", "heading", "waiting_for", "error", "lease_until"])
    return decision


def _decide(execution: Execution, definition: SagaDefinition, steps: dict[tuple[str, Direction], Step]) -> Decision:
    return policy.next_step(
        definition,
        state=ExecutionState(execution.state),
        heading=Heading(execution.heading),
        seen=_seen(steps),
        signals=execution.signals,
    )


def _turn_back(execution: Execution) -> None:
    execution.turn_back()
    execution.heading = Heading.BACKWARD.value


def _release(execution: Execution, *, wait: timedelta = timedelta()) -> None:
    """Out of the hands that had it, due after `wait`."""
    execution.lease_until = None
    execution.due_at = Now() + wait
    execution.save(update_fields=["state", "heading", "error", "lease_until", "due_at"])
    if not wait:
        wake_after_commit(QUEUE)


def _end(execution: Execution) -> None:
    execution.lease_until = None
    execution.finished_at = Now()
    execution.save(update_fields=["state", "heading", "waiting_for", "error", "lease_until", "finished_at"])
    resolve_cause(code=ALERT, cause=f"execution:{execution.pk}")


def _stick(execution: Execution, error: str, acting: Actor) -> None:
    execution.get_stuck()
    execution.error = error[:500]
    execution.lease_until = None
    execution.save(update_fields=["state", "error", "lease_until"])
    raise_alert(
        code=ALERT,
        cause=f"execution:{execution.pk}",
        message=f"The saga {execution} is stuck: {error}"[:500],
        details={"execution": str(execution.pk), "saga": execution.saga, "key": execution.key, "error": error},
        acting=acting,
    )


def _by_name(execution: Execution) -> dict[tuple[str, Direction], Step]:
    return {(row.name, Direction(row.direction)): row for row in locks.steps(execution.pk)}


def _seen(steps: dict[tuple[str, Direction], Step]) -> dict[tuple[str, Direction], StepSeen]:
    return {
        where: StepSeen(StepState(row.state), row.state == StepState.REFUSED.value and row.output is not None)
        for where, row in steps.items()
    }


def _values(states: tuple[ExecutionState, ...]) -> tuple[str, ...]:
    return tuple(state.value for state in states)


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """As the database will give it back: decimals, times and identifiers as strings."""
    plain: dict[str, Any] = json.loads(json.dumps(given, cls=DjangoJSONEncoder))
    return plain


def _most_attempts() -> int:
    return int(value("workflows.step_attempts"))
