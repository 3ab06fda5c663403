"""Alerts: something is wrong, once for each cause, until it is settled."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, FSMModelMixin, transition

from habitat.controls.policies.alerts import FIRST, UNRESOLVED, AlertState, Severity


class Alert(FSMModelMixin, models.Model):
    """`cause` tells apart what has the same code (an account, a stream); repeats count up in `times`."""

    code = models.CharField(max_length=60)
    cause = models.CharField(max_length=200)
    severity = models.CharField(max_length=16, choices=[(severity.value, severity.value) for severity in Severity])
    message = models.TextField()
    details = models.JSONField(default=dict)
    state = FSMField(default=FIRST.value, choices=[(state.value, state.value) for state in AlertState], protected=True)
    times = models.PositiveIntegerField(default=1)
    raised_at = models.DateTimeField()
    last_raised_at = models.DateTimeField()
    raised_by = models.CharField(max_length=60)
    acknowledged_by = models.CharField(max_length=120, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True)
    resolved_by = models.CharField(max_length=120, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["code", "cause"],
                condition=Q(state__in=[state.value for state in UNRESOLVED]),
                name="alert_one_open_a_cause",
                violation_error_message="This cause already has an open alert.",
            ),
            models.CheckConstraint(
                name="alert_state_known", condition=Q(state__in=[state.value for state in AlertState])
            ),
            models.CheckConstraint(
                name="alert_resolved_whole",
                condition=~Q(state=AlertState.RESOLVED.value) | (Q(resolved_at__isnull=False) & ~Q(resolved_by="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.cause}"

    @transition(field=state, source=AlertState.OPEN.value, target=AlertState.ACKNOWLEDGED.value)
    def acknowledge(self) -> None:
        """Somebody looks after it."""

    @transition(field=state, source=[state.value for state in UNRESOLVED], target=AlertState.RESOLVED.value)
    def resolve(self) -> None:
        """The cause is gone."""
