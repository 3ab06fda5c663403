"""What runs by the clock: job definitions, their due times, and which of them were missed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from habitat.workflows.errors import UnknownJob


class Every(Enum):
    """How often a job is due. The value is the length of its slot; slots are aligned to UTC midnight."""

    MINUTE = timedelta(minutes=1)
    FIVE_MINUTES = timedelta(minutes=5)
    HOUR = timedelta(hours=1)
    DAY = timedelta(days=1)

    @property
    def catch_up(self) -> int:
        """How many missed slots are made up for, unless the definition says otherwise."""
        return {Every.DAY: 62, Every.HOUR: 24}.get(self, 1)


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """One job. `run` is the dotted path of `(due_at: datetime) -> None`.

    A daily job is due at 00:00:00Z and computes as of `due_at`, however late it runs. A run may be repeated after
    a crash: it must do nothing twice for one `due_at`. `catch_up` bounds how many missed slots are inserted.
    """

    name: str
    every: Every
    run: str
    help: str
    catch_up: int | None = None

    def slots(self) -> int:
        return self.catch_up if self.catch_up is not None else self.every.catch_up


_definitions: Final[dict[str, JobDefinition]] = {}


def register(*definitions: JobDefinition) -> None:
    """Makes jobs known; floors call it when ready. The same name twice must be the same job."""
    for definition in definitions:
        if _definitions.setdefault(definition.name, definition) != definition:
            raise ValueError(f"two jobs are called {definition.name}")


def unregister(name: str) -> None:
    """Forgets a job: no more slots of it are inserted."""
    _definitions.pop(name, None)


def definitions() -> Iterable[JobDefinition]:
    """Every job, by name."""
    return [_definitions[name] for name in sorted(_definitions)]


def definition(name: str) -> JobDefinition:
    """Raises UnknownJob."""
    try:
        return _definitions[name]
    except KeyError:
        raise UnknownJob(name=name) from None


def slot(every: Every, at: datetime) -> datetime:
    """The start of the slot that holds `at` (UTC): the minute, the hour, or midnight."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((at - midnight) // every.value) * every.value


def due_times(job: JobDefinition, *, last: datetime | None, now: datetime) -> list[datetime]:
    """The due times after `last` up to `now`, oldest first; the newest `slots()` of them when more were missed.

    A job that never ran starts with the current slot: nobody asked for the days before it existed.
    """
    newest = slot(job.every, now)
    if last is None:
        return [newest]
    missed = max((newest - last) // job.every.value, 0)
    return [newest - job.every.value * back for back in reversed(range(min(missed, job.slots())))]
