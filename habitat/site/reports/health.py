"""How the house is: each part's state in a handful of cheap reads, without a secret in them."""

import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Max
from django.utils import timezone
from django_q.models import Schedule

from cloud_credits.models import ChainBlock
from habitat.events.reports.queue import queues
from habitat.workflows.models import Job

# `tick` runs each minute: three missed are no delay any more.
TICK_PATIENCE: Final = timedelta(minutes=3)
# The shortest job is due each minute; a worker that is busy with a long one may take a while to come to it.
JOB_PATIENCE: Final = timedelta(minutes=7)
DELIVERY_PATIENCE: Final = timedelta(minutes=5)
TICK: Final = "tick"
_BUS_SECONDS: Final = 0.5
_AMQP_PORTS: Final = {"amqp": 5672, "amqps": 5671}


class State(StrEnum):
    OK = "ok"
    # It works, but something waits, is old or is dead.
    DEGRADED = "degraded"
    FAILING = "failing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the house. `facts` are plain values for machines; `says` is a sentence."""

    name: str
    state: State
    says: str
    facts: dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Health:
    at: datetime
    parts: tuple[Part, ...]

    @property
    def live(self) -> bool:
        """This process answers; whoever reads this has the proof."""
        return True

    @property
    def ready(self) -> bool:
        """Requests can be served: the database answers, with the tables this version expects.

        A worker that stands still makes nothing wrong, only late: that is degraded, not unready.
        """
        return all(part.state is not State.FAILING for part in self.parts)

    @property
    def state(self) -> State:
        if not self.ready:
            return State.FAILING
        return State.OK if all(part.state is State.OK for part in self.parts) else State.DEGRADED


def health() -> Health:
    """Every part, in five queries. Without a database the parts that live in it are unknown."""
    now = timezone.now()
    try:
        parts = (_database(), _migrations(), *_queue(now), _clock(now), _worker(now), _event_bus(), _ledger_head())
    except DatabaseError:
        down = Part("database", State.FAILING, "The database does not answer.", {})
        blind = ("migrations", "queue", "dead_letters", "job_clock", "worker", "ledger_head")
        parts = (down, *(Part(name, State.UNKNOWN, "Not known without the database.", {}) for name in blind))
    return Health(at=now, parts=parts)


@cache
def expected_migrations() -> frozenset[tuple[str, str]]:
    """The last migration of each app on this disk: read once a process."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def _database() -> Part:
    connection.ensure_connection()
    return Part("database", State.OK, "The database answers.", {})


def _migrations() -> Part:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    missing = sorted(f"{app}.{name}" for app, name in expected_migrations() - applied)
    if missing:
        said = f"{len(missing)} apps wait for `manage.py migrate`."
        return Part("migrations", State.FAILING, said, {"missing": ", ".join(missing)})
    return Part("migrations", State.OK, "All migrations are applied.", {"applied": len(applied)})


def _queue(now: datetime) -> tuple[Part, Part]:
    rows = queues()
    waiting, dead = sum(row.waiting for row in rows), sum(row.dead for row in rows)
    oldest = min((row.oldest for row in rows if row.oldest is not None), default=None)
    age = _seconds(now, oldest)
    late = oldest is not None and now - oldest > DELIVERY_PATIENCE
    said = f"{waiting} deliveries wait" + (f", the oldest for {age} seconds." if oldest else ".")
    return (
        Part("queue", State.DEGRADED if late else State.OK, said, {"waiting": waiting, "oldestSeconds": age}),
        Part("dead_letters", State.DEGRADED if dead else State.OK, f"{dead} dead deliveries.", {"dead": dead}),
    )


def _clock(now: datetime) -> Part:
    """The task queue moves the schedule on each time it starts `tick`: a minute before the next run was the last."""
    due = Schedule.objects.filter(name=TICK).values_list("next_run", flat=True).first()
    if due is None:
        return Part("job_clock", State.DEGRADED, "The job clock was never started.", {"lastTick": None})
    last = due - timedelta(minutes=1)
    stale = now - last > TICK_PATIENCE
    said = "The job clock stands still." if stale else "The job clock ticks."
    return Part("job_clock", State.DEGRADED if stale else State.OK, said, {"lastTick": last.isoformat()})


def _worker(now: datetime) -> Part:
    """A worker's life sign is what `tick` writes: the newest slot of any job."""
    newest = Job.objects.aggregate(newest=Max("due_at"))["newest"]
    if newest is None:
        return Part("worker", State.DEGRADED, "No worker has run yet.", {"lastSeen": None})
    stale = now - newest > JOB_PATIENCE
    said = "No worker has run for a while." if stale else "Workers run."
    return Part("worker", State.DEGRADED if stale else State.OK, said, {"lastSeen": newest.isoformat()})


def _event_bus() -> Part:
    if not settings.EVENT_BUS_URL:
        return Part("event_bus", State.OK, "Events go through the task queue.", {"transport": "task queue"})
    address = urlsplit(settings.EVENT_BUS_URL)
    try:
        with socket.create_connection(
            (address.hostname or "localhost", address.port or _AMQP_PORTS.get(address.scheme, 5672)), _BUS_SECONDS
        ):
            return Part("event_bus", State.OK, "The event bus answers.", {"transport": "rabbitmq"})
    except OSError:
        said = "The event bus does not answer; events wait in the outbox."
        return Part("event_bus", State.DEGRADED, said, {"transport": "rabbitmq"})


def _ledger_head() -> Part:
    """The published head of the hash chain: whoever keeps it can tell later whether a row below it was changed."""
    head = ChainBlock.objects.order_by("-height").values("height", "hash", "sealed_at").first()
    if head is None:
        return Part("ledger_head", State.OK, "Nothing is sealed yet.", {"height": 0, "hash": None, "sealedAt": None})
    facts = {"height": head["height"], "hash": head["hash"], "sealedAt": head["sealed_at"].isoformat()}
    return Part("ledger_head", State.OK, f"Sealed up to block {head['height']}.", facts)


def _seconds(now: datetime, then: datetime | None) -> int | None:
    return int((now - then).total_seconds()) if then is not None else None
