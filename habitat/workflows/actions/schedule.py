"""Keeps the task queue's only schedule, and its table of finished tasks small."""

from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django_q.models import OrmQ, Schedule, Task

from habitat.members.policies.actors import Actor

TICK: Final = "habitat.workflows.workflows.clock.tick"
NAME: Final = "tick"
# Any number: it names the lock under which two clusters that start together create one schedule.
_LOCK: Final = 4_711_001


@transaction.atomic
def ensure_tick(*, acting: Actor) -> None:
    """One schedule that runs `tick` each minute for ever: created, mended, and freed of doubles."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    wanted = {"func": TICK, "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1}
    ours = Schedule.objects.filter(name=NAME).order_by("pk")
    first = ours.first()
    if first is None:
        Schedule.objects.create(name=NAME, **wanted)
        return
    ours.exclude(pk=first.pk).delete()
    ours.filter(pk=first.pk).update(**wanted)


@transaction.atomic
def trim_task_rows(*, before: datetime, acting: Actor) -> int:
    """Deletes finished tasks and forgotten wakes older than `before`; how many."""
    finished, _ = Task.objects.filter(stopped__lt=before).delete()
    forgotten, _ = OrmQ.objects.filter(lock__lt=before).delete()
    return int(finished + forgotten)
