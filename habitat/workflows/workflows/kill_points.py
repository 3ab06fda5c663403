"""Points at which a drill kills this process: setting SAGA_KILL_POINT, "saga/step/direction/point"."""

import os
import signal
from enum import StrEnum

from django.conf import settings

from habitat.workflows.policies.sagas import Direction


class KillPoint(StrEnum):
    """After the claim is committed; after the call came back; in the record's transaction, after the step's local
    actions and before its commit; after that commit."""

    AFTER_CLAIM = "after_claim"
    AFTER_CALL = "after_call"
    BEFORE_RECORD = "before_record"
    AFTER_RECORD = "after_record"


def reach(saga: str, step: str, direction: Direction, point: KillPoint) -> None:
    """Dies here, without a word to anybody, when the setting names this point. Production never sets it."""
    if settings.SAGA_KILL_POINT and f"{saga}/{step}/{direction.value}/{point.value}" == settings.SAGA_KILL_POINT:
        os.kill(os.getpid(), signal.SIGKILL)
