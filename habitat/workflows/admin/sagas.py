"""Sagas in the back office: every execution with its steps, and what people may do to one, each time with a reason."""

import json
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from habitat.faces.admin import HouseAdmin, ReasonForm, Verb, actor_for
from habitat.members.policies.actors import Actor
from habitat.workflows.actions import sagas
from habitat.workflows.models import Execution, Step
from habitat.workflows.policies.sagas import definitions
from habitat.workflows.policies.states import ENDED, OPEN, ExecutionState, Heading

_ENDED = {state.value for state in ENDED}


class SignalForm(ReasonForm):
    name = forms.CharField(max_length=60, help_text="The signal the execution waits for, or will wait for.")
    payload = forms.JSONField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What the signal carries, as a JSON object. Leave it empty when it carries nothing.",
    )

    def clean_payload(self) -> dict[str, Any]:
        given = self.cleaned_data["payload"] or {}
        if not isinstance(given, dict):
            raise forms.ValidationError("Write a JSON object, like {}.")
        return given


def retry(execution: Execution, *, acting: Actor, key: str, reason: str) -> None:
    sagas.retry(execution=execution, reason=reason, acting=acting)


def signal(execution: Execution, *, acting: Actor, key: str, name: str, payload: dict[str, Any], reason: str) -> None:
    sagas.signal_by_hand(execution=execution, name=name, payload=payload, reason=reason, acting=acting)


def compensate(execution: Execution, *, acting: Actor, key: str, reason: str) -> None:
    sagas.compensate(execution=execution, reason=reason, acting=acting)


def cancel(execution: Execution, *, acting: Actor, key: str, reason: str) -> None:
    sagas.cancel(execution=execution, reason=reason, acting=acting)


def can_retry(execution: Any) -> bool:
    paused = execution.state in {state.value for state in OPEN} and execution.lease_until is None
    return bool(paused or execution.state == ExecutionState.STUCK.value)


def is_open(execution: Any) -> bool:
    return execution.state not in _ENDED


def goes_forward(execution: Any) -> bool:
    return is_open(execution) and execution.heading == Heading.FORWARD.value


def not_begun(execution: Any) -> bool:
    return is_open(execution) and not execution.steps.exists()


def waited_for(execution: Any) -> dict[str, Any]:
    return {"name": execution.waiting_for}


def shown(value: Any) -> SafeString | str:
    """JSON as people read it."""
    if value is None:
        return "–"
    return format_html("<pre class='whitespace-pre-wrap'>{}</pre>", json.dumps(value, indent=1, ensure_ascii=False))


class SagaFilter(admin.SimpleListFilter):
    title = "saga"
    parameter_name = "saga"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(dict.fromkeys((known.name, known.title) for known in definitions()))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(saga=self.value()) if self.value() else queryset


class StepInline(TabularInline):
    model = Step
    extra = 0
    can_delete = False
    verbose_name_plural = "steps"
    fields = (
        "name",
        "direction",
        "state",
        "attempts",
        "key",
        "told",
        "outcome",
        "error",
        "first_called_at",
        "recorded_at",
    )
    readonly_fields = fields
    ordering = ("id",)

    @admin.display(description="input")
    def told(self, step: Step) -> SafeString | str:
        return shown(step.input)

    @admin.display(description="output")
    def outcome(self, step: Step) -> SafeString | str:
        return shown(step.output)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_for(request).may("workflows.view_step")


@admin.register(Execution)
class ExecutionAdmin(HouseAdmin):
    list_display = ("id", "saga", "key", "state", "waiting_for", "due_at", "error", "created_at", "finished_at")
    list_filter = ("state", SagaFilter, ("created_at", admin.DateFieldListFilter))
    search_fields = ("=id", "key")
    ordering = ("-id",)
    fields = (
        "id",
        "saga",
        "version",
        "key",
        "state",
        "heading",
        "waiting_for",
        "given",
        "signals_come",
        "error",
        "decided",
        "acting",
        "created_at",
        "due_at",
        "lease_until",
        "fence",
        "finished_at",
    )
    readonly_fields = fields
    inlines = (StepInline,)
    verbs: ClassVar = (
        Verb(
            "retry",
            "Try again",
            sagas.RETRY,
            retry,
            available=can_retry,
            done="The saga tries again.",
        ),
        Verb(
            "signal",
            "Signal",
            sagas.SIGNAL,
            signal,
            form=SignalForm,
            available=is_open,
            initial=waited_for,
            done="The saga has its signal.",
        ),
        Verb(
            "compensate",
            "Compensate",
            sagas.COMPENSATE,
            compensate,
            available=goes_forward,
            danger=True,
            warning="Every step done so far is undone, last first. A saga that goes back never goes forward again.",
            done="The saga goes back.",
        ),
        Verb(
            "cancel",
            "Cancel",
            sagas.CANCEL,
            cancel,
            available=not_begun,
            danger=True,
            warning="The saga ends here; nothing of it was done.",
            done="The saga is cancelled.",
        ),
    )

    @admin.display(description="input")
    def given(self, execution: Execution) -> SafeString | str:
        return shown(execution.input)

    @admin.display(description="signals")
    def signals_come(self, execution: Execution) -> SafeString | str:
        return shown(execution.signals)

    @admin.display(description="what people did")
    def decided(self, execution: Execution) -> SafeString | str:
        return format_html_join(
            "",
            "<p>{} {} ({}): {}: {}</p>",
            ((told["at"][:16], told["name"], told["by"], told["verb"], told["reason"]) for told in execution.decisions),
        )
