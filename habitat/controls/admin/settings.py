"""Runtime settings in the back office: every one of them, changed or not."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from habitat.controls.actions import settings
from habitat.controls.models import Setting, SettingHistory
from habitat.controls.policies.settings import all_definitions, definition_of
from habitat.controls.reports.settings import all_settings
from habitat.faces.admin import ExportMixin, HouseAdmin, ReasonForm, Verb
from habitat.members.policies.actors import Actor
from habitat.members.reports import history


class ChangeForm(ReasonForm):
    value = forms.CharField(label="New value", max_length=2000, required=False)

    def for_object(self, setting: Setting) -> None:
        """What fits, in words, beside the field."""
        definition = definition_of(setting.key)
        parts = [f"{definition.title}.", definition.help, definition.bounds, definition.unit]
        self.fields["value"].help_text = " ".join(part for part in parts if part)


class FirstChangeForm(ReasonForm):
    setting = forms.ChoiceField(label="Setting")
    value = forms.CharField(label="New value", max_length=2000, required=False)

    def for_object(self, _: None) -> None:
        """Settings are declared in code; all are offered."""
        self.fields["setting"].choices = [(d.key, f"{d.title} ({d.key})") for d in all_definitions()]


def _change(setting: Setting, *, acting: Actor, key: str, value: str, reason: str) -> None:
    settings.change(key=setting.key, value=value, reason=reason, acting=acting)


def _change_any(*, acting: Actor, key: str, setting: str, value: str, reason: str) -> None:
    settings.change(key=setting, value=value, reason=reason, acting=acting)


@admin.register(Setting)
class SettingAdmin(ExportMixin, HouseAdmin):
    list_display = ("key", "title", "value", "default", "changed_at", "changed_by")
    search_fields = ("key",)
    fields = ("key", "title", "value", "default", "help_text", "changed_at", "changed_by")
    readonly_fields = fields
    export_fields = ("key", "value", "changed_at", "changed_by")
    list_before_template = "controls/admin/settings.html"
    list_verbs: ClassVar = (
        Verb("change", "Change a setting", "controls.change_setting", _change_any, form=FirstChangeForm),
    )
    verbs: ClassVar = (
        Verb(
            "change",
            "Change",
            "controls.change_setting",
            _change,
            form=ChangeForm,
            initial=lambda setting: {"value": setting.value},
        ),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "all_settings": all_settings()})

    @admin.display(description="title")
    def title(self, setting: Setting) -> str:
        return definition_of(setting.key).title

    @admin.display(description="default")
    def default(self, setting: Setting) -> str:
        definition = definition_of(setting.key)
        return definition.written(definition.default)

    @admin.display(description="help")
    def help_text(self, setting: Setting) -> str:
        return definition_of(setting.key).help

    def history_rows(self, request: HttpRequest, obj: Setting) -> list[history.HistoryRow]:
        return history.versions(SettingHistory.objects.filter(pgh_obj=obj))
