"""Wakes workers and drains what waits. A wake carries no data: truth is in our tables, a lost wake costs a minute."""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from django.conf import settings
from django.db import connections
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

logger = logging.getLogger(__name__)

DELIVERIES: Final = "deliveries"
JOBS: Final = "jobs"
EMAILS: Final = "emails"

# At most two wakes a second a process, however many events it writes.
QUIET: Final = 0.5

DRAIN: Final = "habitat.events.workflows.queue.drain"


@dataclass(frozen=True, slots=True)
class Queue:
    """What drains a queue, and for how many seconds one drain may run before the worker is killed."""

    drain: Callable[[], int]
    seconds: int


_queues: dict[str, Queue] = {}


def register(name: str, drain: Callable[[], int], *, seconds: int = 60) -> None:
    """`drain()` does what is due in queue `name` and returns how much it did. Floors register theirs when ready."""
    _queues[name] = Queue(drain, seconds)


def names() -> list[str]:
    """Every registered queue."""
    return list(_queues)


def drain(queue: str) -> int:
    """Does what is due in `queue`; how much it did. What the task queue runs, `tick` and tests call."""
    return _queues[queue].drain()


def wake(queue: str) -> None:
    """Asks for a drain of `queue` within half a second. Call after commit (`actions.wakes.wake_after_commit`).

    EVENT_WAKE `timer` (default) sends from a thread of its own; `none` sends nothing: tests call `drain`.
    """
    if settings.EVENT_WAKE == "timer":
        _TIMER.ring(queue)


def send(queue: str) -> None:
    """Puts one wake into the task queue now, unless a wake of this queue waits there for every worker.

    What waits there begins after the commit that rang, and so sees it. Each queue has places of its own: a flood of
    webhooks keeps no payment from being minted.
    """
    workers = cast("int", settings.Q_CLUSTER["workers"])
    if waiting(queue) < workers:
        async_task(DRAIN, queue, timeout=_queues[queue].seconds, save=False)


def waiting(queue: str) -> int:
    """How many wakes of `queue` no worker has taken yet."""
    untaken = OrmQ.objects.filter(lock__lte=timezone.now())
    return sum(row.task.get("func") == DRAIN and row.task.get("args") == (queue,) for row in untaken)


class Timer:
    """Collects rings and sends them in one thread that lives only while there is something to send.

    The first ring goes out at once, those of the next half second together after it. The thread has a database
    connection of its own and closes it, so that neither a request's transaction nor its connection is touched.
    """

    def __init__(self, send: Callable[[str], None], quiet: float = QUIET) -> None:
        self._send = send
        self._quiet = quiet
        self.reset()

    def reset(self) -> None:
        """Forgets everything: a forked child has none of its parent's threads."""
        self._lock = threading.Lock()
        self._rung: set[str] = set()
        self._running = False
        self._rest = threading.Event()

    def ring(self, queue: str) -> None:
        with self._lock:
            self._rung.add(queue)
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name="wake", daemon=True).start()

    def _run(self) -> None:
        while rung := self._take():
            try:
                for queue in sorted(rung):
                    self._send(queue)
            except Exception:
                # `tick` wakes every queue within a minute: nothing is lost but the minute.
                logger.exception("Could not wake %s", ", ".join(sorted(rung)))
            finally:
                connections.close_all()
            self._rest.wait(self._quiet)

    def _take(self) -> set[str]:
        """What was rung since the last time; when nothing was, the thread ends, decided under the lock."""
        with self._lock:
            rung, self._rung = self._rung, set()
            self._running = bool(rung)
            return rung


_TIMER: Final = Timer(send)
os.register_at_fork(after_in_child=_TIMER.reset)
