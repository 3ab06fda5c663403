"""Which executions a worker may take."""

from django.db.models.functions import Now

from habitat.workflows.models import Execution
from habitat.workflows.policies.states import OPEN


def due_ids(limit: int) -> list[int]:
    """Executions that are due, those among them whose lease ran out; longest waiting first."""
    due = Execution.objects.filter(state__in=[state.value for state in OPEN], due_at__lte=Now())
    return list(due.order_by("due_at", "id").values_list("id", flat=True)[:limit])
