"""What this floor refuses, by name."""

from datetime import timedelta
from typing import Any

from habitat.errors import HabitatError


class UnknownJob(HabitatError):
    code = "unknown_job"
    template = "No job is called {name}."


class JobNotFinished(HabitatError):
    code = "job_not_finished"
    status = 409
    template = "{name} of {due_at} is {state}: only a failed or finished job can be run again."


class UnknownSaga(HabitatError):
    code = "unknown_saga"
    template = "No saga is called {saga} in version {version}."


class UnknownExecution(HabitatError):
    code = "unknown_execution"
    status = 404
    template = "No execution of {saga} has the key “{key}”."


class InsideTransaction(HabitatError):
    code = "inside_transaction"
    status = 500
    template = "A saga leaves the database: it advances outside of any transaction."


class ExecutionEnded(HabitatError):
    code = "execution_ended"
    status = 409
    template = "{saga} {key} is {state}: nothing of it can change any more."


class NothingToRetry(HabitatError):
    code = "nothing_to_retry"
    status = 409
    template = "{saga} {key} is {state}: only what is stuck or pauses after a failure is tried again."


class PastPivot(HabitatError):
    code = "past_pivot"
    status = 409
    template = "{saga} {key} went through {step}, or may have: from there it only goes forward."


class AlreadyTurning(HabitatError):
    code = "already_turning"
    status = 409
    template = "{saga} {key} is on its way back already."


class AlreadyCalled(HabitatError):
    code = "already_called"
    status = 409
    template = "{saga} {key} has begun: {step} may have had its effect. Compensate it instead."


class StepRefused(HabitatError):
    """Raised by a step: final, and nothing happened by it. The execution goes back, or is stuck after its pivot."""

    code = "step_refused"
    template = "{sentence}"

    def __init__(self, sentence: str, **details: Any) -> None:
        super().__init__(sentence=sentence, **details)


class StepNotYet(HabitatError):
    """Raised by a step: no error, ask again after `wait`; no attempt is counted."""

    code = "step_not_yet"
    template = "Not yet: asked again after {wait}."

    def __init__(self, wait: timedelta) -> None:
        self.wait = wait
        super().__init__(wait=wait)
