"""The facts this floor announces: those of the floors below it, which cannot."""

from dataclasses import dataclass
from typing import ClassVar

from habitat.events.policies.registry import event_type


@event_type
@dataclass(frozen=True)
class AlertRaised:
    """An alert opened for a new cause; repeats of an open one are not announced."""

    name: ClassVar[str] = "alert.raised"

    alert_id: str
    code: str
    cause: str
    severity: str
    message: str
