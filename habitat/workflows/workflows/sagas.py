"""Runs sagas: take a step, ask outside with no transaction open, write down what came of it, and on."""

import logging
import time
from functools import partial
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.actions import sagas
from habitat.workflows.actions.sagas import QUEUE, Turn
from habitat.workflows.errors import InsideTransaction
from habitat.workflows.models import Execution
from habitat.workflows.policies.sagas import must_look
from habitat.workflows.reports.sagas import due_ids
from habitat.workflows.workflows.kill_points import KillPoint, reach

logger = logging.getLogger(__name__)

# No step is begun after this; the one that runs has its timeout. The worker is stopped well before the lease ends.
BUDGET_SECONDS: Final = 40
RUN_SECONDS: Final = 100
BATCH: Final = 20


def advance(execution_id: int) -> Execution:
    """Runs an execution until it waits, ends, is stuck, must pause, or is in other hands; how it stands then.

    Raises InsideTransaction: what is asked outside must not depend on a commit that may never come.
    """
    _outside_of_transactions()
    while turn := sagas.claim(execution_id=execution_id, acting=SYSTEM):
        _take(turn)
    return Execution.objects.get(pk=execution_id)


def drain() -> int:
    """Takes steps of whatever is due, oldest first; how many were taken. What is left is woken for again."""
    _outside_of_transactions()
    end = time.monotonic() + BUDGET_SECONDS
    taken = 0
    while due := due_ids(BATCH):
        before = taken
        for execution_id in due:
            if time.monotonic() > end:
                queue.wake(QUEUE)
                return taken
            turn = sagas.claim(execution_id=execution_id, acting=SYSTEM)
            if turn is not None:
                _take(turn)
                taken += 1
        if taken == before:
            break
    return taken


def _take(turn: Turn) -> None:
    """One step, once: whatever it raises is kept with it."""
    context = turn.context
    place = partial(reach, context.saga, turn.step.name, turn.direction)
    place(KillPoint.AFTER_CLAIM)
    result: dict[str, Any] | None = None
    try:
        result = _ask(turn)
        if turn.work.call is not None:
            place(KillPoint.AFTER_CALL)
        brought = result

        def write() -> dict[str, Any] | None:
            more = turn.work.record(context, brought) if turn.work.record is not None else None
            place(KillPoint.BEFORE_RECORD)
            return more

        sagas.record(turn=turn, result=brought, write=write, acting=SYSTEM)
    except Exception as error:
        logger.info("%s of execution %s: %s", turn.step.name, context.execution_id, error, exc_info=True)
        sagas.fail(turn=turn, error=error, result=result, acting=SYSTEM)
        return
    place(KillPoint.AFTER_RECORD)


def _ask(turn: Turn) -> dict[str, Any]:
    """What the outside world answers; looked up first where the provider may have forgotten the key."""
    work, context = turn.work, turn.context
    if work.call is None:
        return dict(context.signal or {})
    _outside_of_transactions()
    if work.find is not None and must_look(context.first_called_at, timezone.now()):
        found = work.find(context)
        if found is not None:
            return found
    return work.call(context)


def _outside_of_transactions() -> None:
    # A test that wraps itself into a transaction is none of ours; Django knows it by the same mark.
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise InsideTransaction
