"""Announces alerts: the controls stand below the outbox and cannot do it themselves."""

from habitat.controls.models import Alert
from habitat.events.actions.outbox import emit
from habitat.events.events import AlertRaised
from habitat.members.policies.actors import Actor


def announce(*, alert: Alert, acting: Actor) -> None:
    """Writes `alert.raised` in the transaction that raised the alert."""
    fact = AlertRaised(
        alert_id=str(alert.pk), code=alert.code, cause=alert.cause, severity=alert.severity, message=alert.message
    )
    emit(fact, acting=acting)
