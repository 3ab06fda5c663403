"""Service keys: made with their secret shown once, revoked for good."""

from datetime import UTC, date, datetime, time
from typing import ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from habitat.controls.actions import service_keys
from habitat.controls.models import KeyHistory, ServiceKey
from habitat.controls.policies.scopes import Scope
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, Verb, VerbForm
from habitat.members.policies.actors import Actor
from habitat.members.reports import history


class CreateForm(VerbForm):
    name = forms.CharField(label="Which service it is for", max_length=100)
    scopes = forms.MultipleChoiceField(
        label="What it may open",
        choices=[(scope.value, scope.value) for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
    )
    expires_on = forms.DateField(
        label="Works until (UTC day, not included)",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty: as the setting for new keys says.",
    )


def _create(*, acting: Actor, key: str, name: str, scopes: list[str], expires_on: date | None) -> Done:
    end = datetime.combine(expires_on, time.min, tzinfo=UTC) if expires_on else None
    made, secret = service_keys.create(name=name, scopes=scopes, expires_at=end, acting=acting)
    return Done(message=f"The key {made.name} works until {made.expires_at:%Y-%m-%d}.", secret=secret)


def _revoke(service_key: ServiceKey, *, acting: Actor, key: str, reason: str) -> None:
    service_keys.revoke(key=service_key, reason=reason, acting=acting)


@admin.register(ServiceKey)
class ServiceKeyAdmin(ExportMixin, HouseAdmin):
    list_display = ("name", "shown_prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    search_fields = ("name", "prefix")
    # The hash is shown to nobody.
    fields = (
        "name",
        "shown_prefix",
        "scopes",
        "created_at",
        "created_by",
        "expires_at",
        "last_used_at",
        "revoked_at",
        "revoked_by",
        "revoke_reason",
    )
    readonly_fields = fields
    export_fields = ("id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_verbs: ClassVar = (Verb("create", "Make a key", "controls.add_servicekey", _create, form=CreateForm),)
    verbs: ClassVar = (
        Verb(
            "revoke",
            "Revoke",
            "controls.revoke_servicekey",
            _revoke,
            available=lambda key: key.revoked_at is None,
            danger=True,
            warning="The service is locked out at once, for good. Make it a new key first.",
        ),
    )

    @admin.display(description="key")
    def shown_prefix(self, key: ServiceKey) -> str:
        return f"hbt_{key.prefix}_…"

    def history_rows(self, request: HttpRequest, obj: ServiceKey) -> list[history.HistoryRow]:
        return history.versions(KeyHistory.objects.filter(pgh_obj=obj))
