"""Automatic top-ups by the clock, and in the request that switches one on."""

import logging
from datetime import datetime

from cloud_credits.actions import topups
from cloud_credits.models import Purchase
from cloud_credits.policies.purchases import PurchaseKind
from cloud_credits.reports.topups import low
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.models import Execution
from habitat.workflows.workflows import sagas

logger = logging.getLogger(__name__)


def begin_due(due_at: datetime | None = None) -> int:
    """Begins what waited for a new day or for the reserve, each member in a transaction of their own; how many."""
    del due_at  # whoever is low now, however late this runs
    return sum(_begun(member_id) for member_id in low())


def _begun(member_id: int) -> bool:
    """One that cannot begin holds up none of those after it; the next run tries it again."""
    try:
        return topups.begin_if_due(member_id=member_id, acting=SYSTEM) is not None
    except Exception:
        logger.exception("The automatic top-up of member %s could not begin", member_id)
        return False


def charge_now(member_id: int) -> None:
    """Runs the charge that was just begun in this request, after its commit; it goes on by itself where Stripe is
    slow."""
    newest = Purchase.objects.filter(member_id=member_id, kind=PurchaseKind.TOP_UP.value).order_by("-pk").first()
    if newest is None:
        return
    execution = Execution.objects.filter(saga=topups.SAGA, key=str(newest.pk)).first()
    if execution is not None and execution.finished_at is None:
        sagas.advance(execution.pk)
