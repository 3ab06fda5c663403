"""The house as its own customer: closed windows go through the metering door over HTTP, with a key of their own."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx
from django.conf import settings
from django.utils import timezone

from cloud_credits.actions.self_metering import mark_charged, mark_refused, settle_windows
from cloud_credits.models import SelfMeterCharge
from cloud_credits.policies.primitives import Primitive, measure_of
from cloud_credits.policies.self_metering import SERVICE_NAME, event_id
from cloud_credits.reports.self_metering import due
from habitat.controls.actions import service_keys
from habitat.controls.policies.scopes import Scope
from habitat.controls.reports.service_keys import Verdict, judge
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.money import plain

logger = logging.getLogger(__name__)

KEY_NAME: Final = "Self-metering"
KEY_LIFE: Final = timedelta(days=1825)
AT_ONCE: Final = 500
_TIMEOUT_SECONDS: Final = 10


class DoorClosed(Exception):
    """The metering door cannot be reached, or does not take the key: nothing was judged, all waits."""


def run(due_at: datetime) -> None:
    """The job: settles what closed, and sends what is due. Again for the same moment it charges nothing twice."""
    del due_at  # windows close by the database's clock
    settle_windows(acting=SYSTEM)
    send_due()


def send_due() -> int:
    """Sends due charges, oldest first; a member's first refusal holds back the member's others. Answers how many
    were charged. A charge sent before its answer was written is sent again under the same id, and answered as a
    replay. Where the door is closed, all waits for the next run."""
    secret = key_secret()
    charges = due(timezone.now(), limit=AT_ONCE)
    if not charges or secret is None:
        return 0
    charged = 0
    with httpx.Client(
        base_url=settings.SELF_METERING_URL,
        headers={"Authorization": f"Bearer {secret}"},
        timeout=_TIMEOUT_SECONDS,
    ) as client:
        try:
            for charge, held_back in _in_turn(charges):
                if _send(client, charge):
                    charged += 1
                else:
                    held_back.add(charge.member_id)
        except DoorClosed as closed:
            logger.warning("self-metering waits: %s", closed)
    return charged


def ensure_key(*, acting: Actor) -> str:
    """The secret of the house's own key: the one in the environment, the one in its file, or a new one written there.

    Idempotent. The file is readable by its owner only.
    """
    kept = key_secret()
    if kept is not None and judge(kept, at=timezone.now())[0] is Verdict.LIVE:
        return kept
    _, secret = service_keys.create(
        name=KEY_NAME, scopes=[Scope.METERING_WRITE], expires_at=timezone.now() + KEY_LIFE, acting=acting
    )
    path = Path(settings.SELF_METERING_KEY_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(secret + "\n")
    return secret


def key_secret() -> str | None:
    """The secret from the environment, or else from its file; None where there is neither."""
    if settings.SELF_METERING_KEY:
        return str(settings.SELF_METERING_KEY)
    path = Path(settings.SELF_METERING_KEY_FILE)
    return path.read_text().strip() or None if path.is_file() else None


def _in_turn(charges: list[SelfMeterCharge]) -> Iterator[tuple[SelfMeterCharge, set[int]]]:
    held_back: set[int] = set()
    for charge in charges:
        if charge.member_id not in held_back:
            yield charge, held_back


def _send(client: httpx.Client, charge: SelfMeterCharge) -> bool:
    """True when the door took it. Raises DoorClosed when it gave no judgement."""
    try:
        answer = client.post("/api/metering/record", json=body_of(charge))
    except httpx.HTTPError as error:
        raise DoorClosed(str(error) or type(error).__name__) from error
    now = datetime.now(tz=UTC)
    if answer.status_code in {httpx.codes.OK, httpx.codes.CREATED}:
        told: dict[str, Any] = answer.json()
        mark_charged(
            charge=charge, meter_id=int(told["meterId"]), cost=Decimal(told["cloudCost"]), at=now, acting=SYSTEM
        )
        return True
    if answer.status_code in {
        httpx.codes.PAYMENT_REQUIRED,
        httpx.codes.CONFLICT,
        httpx.codes.UNPROCESSABLE_ENTITY,
    }:
        told = answer.json()
        mark_refused(charge=charge, code=told["code"], sentence=told["detail"], at=now, acting=SYSTEM)
        return False
    message = f"HTTP {answer.status_code}"
    raise DoorClosed(message)


def body_of(charge: SelfMeterCharge) -> dict[str, str]:
    """The charge as any service would report it: usage from the window's start to its end."""
    primitive = Primitive(charge.primitive)
    return {
        "eventId": event_id(member_id=charge.member_id, window_start=charge.window_start, primitive=primitive),
        "memberId": str(charge.member_id),
        "primitive": primitive.value,
        "quantity": plain(charge.quantity),
        "unit": measure_of(primitive).unit,
        "serviceName": SERVICE_NAME,
        "startTime": charge.window_start.astimezone(UTC).isoformat(),
        "endTime": charge.window_end.astimezone(UTC).isoformat(),
    }
