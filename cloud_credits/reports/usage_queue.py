"""How the queue of usage that services left for later is doing."""

from dataclasses import dataclass
from datetime import datetime

from cloud_credits.models import MeteringSubmission
from cloud_credits.policies.metering_batch import SubmissionState


@dataclass(frozen=True, slots=True)
class UsageQueue:
    """Submissions that are not charged yet. `oldest` is the one that came first, `error` what it failed by last."""

    waiting: int
    oldest: int
    received_at: datetime
    attempts: int
    error: str


def usage_queue() -> UsageQueue | None:
    """None where nothing waits; reads only the partial index of what waits."""
    queued = MeteringSubmission.objects.filter(state=SubmissionState.QUEUED.value)
    oldest = queued.order_by("received_at", "pk").values_list("pk", "received_at", "attempts", "error").first()
    return UsageQueue(queued.count(), *oldest) if oldest else None
