"""Alerts: what is wrong, who looks after it, and what closed it."""

from typing import ClassVar

from django.contrib import admin

from habitat.controls.actions import alerts
from habitat.controls.models import Alert
from habitat.controls.policies.alerts import AlertState, definition_of
from habitat.faces.admin import ExportMixin, HouseAdmin, Verb
from habitat.members.policies.actors import Actor


def _acknowledge(alert: Alert, *, acting: Actor, key: str, reason: str) -> None:
    alerts.acknowledge(alert=alert, reason=reason, acting=acting)


def _resolve(alert: Alert, *, acting: Actor, key: str, reason: str) -> None:
    alerts.resolve(alert=alert, reason=reason, acting=acting)


@admin.register(Alert)
class AlertAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "title", "cause", "severity", "state", "times", "raised_at", "last_raised_at")
    list_filter = ("state", "severity", "code")
    search_fields = ("cause", "message")
    fields = (
        "title",
        "code",
        "cause",
        "severity",
        "message",
        "details",
        "help_text",
        "closing_rule",
        "state",
        "times",
        "raised_at",
        "last_raised_at",
        "raised_by",
        "acknowledged_by",
        "acknowledged_at",
        "note",
        "resolved_by",
        "resolved_at",
        "resolution",
    )
    readonly_fields = fields
    export_fields = ("id", "code", "cause", "severity", "state", "times", "message", "raised_at", "resolved_at")
    verbs: ClassVar = (
        Verb(
            "acknowledge",
            "Acknowledge",
            "controls.change_alert",
            _acknowledge,
            available=lambda alert: alert.state == AlertState.OPEN,
        ),
        Verb(
            "resolve",
            "Resolve",
            "controls.change_alert",
            _resolve,
            available=lambda alert: alert.state != AlertState.RESOLVED,
            warning="If the cause is still there, the next check raises a new alert.",
        ),
    )

    @admin.display(description="alert")
    def title(self, alert: Alert) -> str:
        return definition_of(alert.code).title

    @admin.display(description="what it means")
    def help_text(self, alert: Alert) -> str:
        return definition_of(alert.code).help

    @admin.display(description="closes by itself when")
    def closing_rule(self, alert: Alert) -> str:
        return definition_of(alert.code).closing_rule
