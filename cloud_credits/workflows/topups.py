"""Automatic top-ups by the clock, and in the request that switches one on."""

from datetime import datetime

from cloud_credits.actions import topups
from cloud_credits.models import Purchase
from cloud_credits.policies.purchases import PurchaseKind
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.models import Execution
from habitat.workflows.workflows import sagas


def begin_due(due_at: datetime | None = None) -> int:
    """Begins what waited for a new day or for the reserve, each member in a transaction of their own; how many."""
    del due_at  # whoever is low now, however late this runs
    return topups.consider(acting=SYSTEM)


def charge_now(member_id: int) -> None:
    """Runs the charge that was just begun in this request, after its commit; it goes on by itself where Stripe is
    slow."""
    newest = Purchase.objects.filter(member_id=member_id, kind=PurchaseKind.TOP_UP.value).order_by("-pk").first()
    if newest is None:
        return
    execution = Execution.objects.filter(saga=topups.SAGA, key=str(newest.pk)).first()
    if execution is not None and execution.finished_at is None:
        sagas.advance(execution.pk)
