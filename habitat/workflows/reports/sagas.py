"""Which executions a worker may take."""

from django.db.models.functions import Now

from habitat.workflows.errors import StepRefused
from habitat.workflows.models import Execution, Step
from habitat.workflows.policies.sagas import Direction
from habitat.workflows.policies.states import OPEN


def due_ids(limit: int) -> list[int]:
    """Executions that are due, those among them whose lease ran out; longest waiting first."""
    due = Execution.objects.filter(state__in=[state.value for state in OPEN], due_at__lte=Now())
    return list(due.order_by("due_at", "id").values_list("id", flat=True)[:limit])


def refusal_of(execution_id: int, *, step: str, kind: type[StepRefused] = StepRefused) -> str:
    """What a step forward was refused with, in a person's words; empty when it was not, or not by this `kind`."""
    kept = Step.objects.filter(execution_id=execution_id, name=step, direction=Direction.FORWARD.value)
    error = kept.values_list("error", flat=True).first() or ""
    name = f"{kind.__name__}: "
    return error.removeprefix(name) if error.startswith(name) else ""
