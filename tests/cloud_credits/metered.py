"""What the tests of metering ask again and again."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from cloud_credits.actions import metering_batch
from cloud_credits.actions.metering import record
from cloud_credits.actions.metering_batch import BatchOutcome
from cloud_credits.models import MeteringRefusal, ResourceUsage
from cloud_credits.policies.metering import MeteringEvent, MeteringOutcome, parse
from cloud_credits.policies.metering_batch import BatchForm
from habitat.controls.actions import service_keys
from habitat.controls.models import ServiceKey
from habitat.controls.reports.service_keys import actor_of
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from tests.cloud_credits.ledger import row_counts

_numbers = count(1)


def make_key(name: str = "storage") -> ServiceKey:
    """A living key that may write metering."""
    return service_keys.create(name=name, scopes=["metering:write"], acting=SYSTEM)[0]


def body(member: Member, **fields: Any) -> dict[str, Any]:
    """A right event of 2.5 compute-hours that ended a minute ago, with `fields` put in its place."""
    return {
        "eventId": f"event-{next(_numbers)}",
        "memberId": str(member.pk),
        "primitive": "compute",
        "quantity": "2.5",
        "unit": "compute-hours",
        "serviceName": "habitat-api",
        "timestamp": (datetime.now(tz=UTC) - timedelta(minutes=1)).isoformat(),
    } | fields


def event(member: Member, **fields: Any) -> MeteringEvent:
    return parse(body(member, **fields))


def meter(member: Member, key: ServiceKey, **fields: Any) -> MeteringOutcome:
    """Records one right event."""
    return record(event=event(member, **fields), key_id=key.pk, acting=actor_of(key))


def rows() -> dict[str, int]:
    """Every table a metered event writes to."""
    return row_counts() | {"ResourceUsage": ResourceUsage.objects.count()}


def refusals() -> list[tuple[str, str]]:
    return list(MeteringRefusal.objects.order_by("id").values_list("code", "field"))


def dec(text: str) -> Decimal:
    return Decimal(text)


def send(key: ServiceKey, *bodies: dict[str, Any], form: BatchForm = BatchForm.JSON) -> BatchOutcome:
    """One batch, as a service sends it."""
    lines = [json.dumps(each) for each in bodies]
    text = f"[{','.join(lines)}]" if form is BatchForm.JSON else "\n".join(lines)
    return metering_batch.receive(body=text.encode(), form=form, key_id=key.pk, acting=actor_of(key))


def answers(outcome: BatchOutcome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outcome.answers]


def statuses(outcome: BatchOutcome) -> list[str]:
    return [answer["status"] for answer in answers(outcome)]
