"""Raising and settling alerts: one open for each cause, however many notice at once."""

import json
from typing import Any, Final, Protocol

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils import timezone

from habitat.controls import locks
from habitat.controls.errors import AlertSettled
from habitat.controls.models import Alert
from habitat.controls.policies.alerts import AlertState, definition_of
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.permissions import require

LONGEST_CAUSE: Final = 200

# One statement: whoever comes second counts up instead of failing on the partial unique index.
_RAISE: Final = """
    INSERT INTO controls_alert
        (code, cause, severity, message, details, state, times, raised_at, last_raised_at, raised_by,
         acknowledged_by, note, resolved_by, resolution)
    VALUES (%s, %s, %s, %s, %s::jsonb, 'open', 1, %s, %s, %s, '', '', '', '')
    ON CONFLICT (code, cause) WHERE state IN ('open', 'acknowledged')
    DO UPDATE SET times = controls_alert.times + 1, message = EXCLUDED.message, details = EXCLUDED.details,
                  last_raised_at = EXCLUDED.last_raised_at
    RETURNING id, times
"""


class OnRaised(Protocol):
    def __call__(self, *, alert: Alert, acting: Actor) -> Any: ...


_ON_RAISED: list[OnRaised] = []


def on_raised(listener: OnRaised) -> None:
    """An upper floor hears of each new alert, not of repeats, in the same transaction (events, notices)."""
    if listener not in _ON_RAISED:
        _ON_RAISED.append(listener)


@transaction.atomic
def raise_alert(
    *, code: str, cause: str, message: str, details: dict[str, Any] | None = None, acting: Actor = SYSTEM
) -> Alert:
    """Open an alert, or count up the one this cause already has. Raises AlertUnknown."""
    definition = definition_of(code)
    now = timezone.now()
    written = json.dumps(details or {}, cls=DjangoJSONEncoder)
    row = [code, cause[:LONGEST_CAUSE], definition.severity.value, message, written, now, now, acting.label]
    with connection.cursor() as cursor:
        cursor.execute(_RAISE, row)
        alert_id, times = cursor.fetchone()
    alert = Alert.objects.get(pk=alert_id)
    if times == 1:
        for listener in _ON_RAISED:
            listener(alert=alert, acting=acting)
    return alert


@transaction.atomic
def acknowledge(*, alert: Alert, reason: str, acting: Actor) -> Alert:
    """Somebody looks after it. Raises NotAllowed, ReasonRequired, AlertSettled."""
    require(acting, "controls.change_alert")
    reason = require_reason(reason)
    row = locks.alert(alert.pk)
    if row.state != AlertState.OPEN:
        raise AlertSettled(state=row.state)
    row.acknowledge()
    row.acknowledged_by, row.acknowledged_at, row.note = acting.name, timezone.now(), reason
    row.save(update_fields=["state", "acknowledged_by", "acknowledged_at", "note"])
    return row


@transaction.atomic
def resolve(*, alert: Alert, reason: str, acting: Actor) -> Alert:
    """A person settles it. Raises NotAllowed, ReasonRequired, AlertSettled."""
    require(acting, "controls.change_alert")
    reason = require_reason(reason)
    row = locks.alert(alert.pk)
    if row.state == AlertState.RESOLVED:
        raise AlertSettled(state=row.state)
    return _resolve(row, reason, acting)


@transaction.atomic
def resolve_cause(code: str, cause: str, *, resolution: str = "", acting: Actor = SYSTEM) -> Alert | None:
    """The closing rule holds: settle the alert of this cause by itself. None when there was none."""
    definition = definition_of(code)
    row = locks.alerts_of(code, cause).exclude(state=AlertState.RESOLVED.value).first()
    return _resolve(row, resolution or definition.closing_rule, acting) if row is not None else None


def _resolve(row: Alert, resolution: str, acting: Actor) -> Alert:
    row.resolve()
    row.resolved_by, row.resolved_at, row.resolution = acting.name, timezone.now(), resolution
    row.save(update_fields=["state", "resolved_by", "resolved_at", "resolution"])
    return row
