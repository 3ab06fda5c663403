"""Reconciliation in the back office: runs with inputs and result, exceptions with age, owner, notes and resolution."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from habitat.faces.admin import Done, ExportMixin, HouseAdmin, ReasonForm, Verb, VerbForm
from habitat.faces.templatetags.faces import status, usd
from habitat.members.policies.actors import Actor
from treasury.actions import reconciliation
from treasury.models import ReconciliationException, ReconciliationRun
from treasury.policies.reconciliation import ExceptionState
from treasury.workflows.reconciliation import RECONCILERS

BY_NAME = {reconciler.name: reconciler for reconciler in RECONCILERS}


class RunForm(VerbForm):
    kind = forms.ChoiceField(label="Compare", choices=[(name, f"{name}: {r.help}") for name, r in BY_NAME.items()])


class NoteForm(VerbForm):
    text = forms.CharField(label="Note", max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


def _run(*, acting: Actor, key: str, kind: str) -> Done:
    done = BY_NAME[kind].run(as_of=timezone.now(), acting=acting)
    said = f"{done.found} exceptions" if done.found else "everything agrees"
    return Done(
        message=f"Run {done.run_id}: {said}.",
        go_to=reverse("admin:treasury_reconciliationrun_change", args=[done.run_id]),
    )


def _own(exception: ReconciliationException, *, acting: Actor, key: str) -> None:
    reconciliation.own(exception=exception, acting=acting)


def _note(exception: ReconciliationException, *, acting: Actor, key: str, text: str) -> None:
    reconciliation.note(exception=exception, text=text, acting=acting)


def _resolve(exception: ReconciliationException, *, acting: Actor, key: str, reason: str) -> None:
    reconciliation.resolve(exception=exception, reason=reason, acting=acting)


def age_of(span: timedelta) -> str:
    """`3 days`, `5 hours`: as people say an age."""
    hours = span.days * 24 + span.seconds // 3600
    count, unit = (span.days, "day") if span.days else (hours, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}"


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "kind", "as_of", "outcome", "ran_at", "started_by")
    list_filter = ("kind",)
    ordering = ("-id",)
    fields = ("id", "kind", "as_of", "ran_at", "started_by", "outcome", "what_differs", "what_was_compared")
    readonly_fields = fields
    export_fields = ("id", "kind", "as_of", "found", "ran_at", "started_by")
    list_verbs: ClassVar = (Verb("run", "Compare now", reconciliation.RUN, _run, form=RunForm),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReconciliationRun]:
        rows: QuerySet[ReconciliationRun] = super().get_queryset(request)
        # The list shows no inputs: a run may have many.
        return rows.defer("inputs", "result") if _is_list(request) else rows

    @admin.display(description="outcome", ordering="found")
    def outcome(self, run: ReconciliationRun) -> str:
        return f"{run.found} differ" if run.found else "agrees"

    @admin.display(description="what differs")
    def what_differs(self, run: ReconciliationRun) -> SafeString | str:
        if not run.result:
            return "Nothing."
        rows = ((finding["kind"].replace("_", " "), finding["message"]) for finding in run.result)
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", rows))

    @admin.display(description="what was compared")
    def what_was_compared(self, run: ReconciliationRun) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(run.inputs, indent=2, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Told:
    """A note or a step as the history panel shows it."""

    at: datetime
    what: str
    who: str
    why: str
    address: str = ""
    changes: tuple[tuple[str, str, str], ...] = ()


@admin.register(ReconciliationException)
class ReconciliationExceptionAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "kind_words", "message", "shown_amount", "age_words", "owner", "state_word", "opened_at")
    list_display_links = ("id", "message")
    list_filter = ("state", "run_kind", "kind")
    search_fields = ("=id", "cause", "message")
    list_select_related = ("owner",)
    ordering = ("-state", "-id")
    fields = (
        "id",
        "kind_words",
        "message",
        "shown_amount",
        "remedy",
        "cause",
        "since",
        "opened_at",
        "age_words",
        "times",
        "opened_run",
        "last_run",
        "owner",
        "state_word",
        "resolved_at",
        "resolved_by",
        "resolution",
    )
    readonly_fields = fields
    export_fields = (
        "id",
        "run_kind",
        "kind",
        "cause",
        "message",
        "amount",
        "since",
        "opened_at",
        "owner__display_name",
        "state",
        "resolved_at",
        "resolved_by",
        "resolution",
    )
    verbs: ClassVar = (
        Verb("own", "Look after it", reconciliation.SETTLE, _own, form=VerbForm, available=lambda e: e.is_open),
        Verb("note", "Add a note", reconciliation.SETTLE, _note, form=NoteForm),
        Verb(
            "resolve",
            "Resolve",
            reconciliation.SETTLE,
            _resolve,
            form=ReasonForm,
            available=lambda e: e.is_open,
            warning="If the cause is still there, the next run opens a new exception.",
        ),
    )

    def history_rows(self, request: HttpRequest, obj: ReconciliationException) -> list[Told]:
        notes = [Told(note.written_at, "note", note.author_name, note.text) for note in obj.notes.order_by("-id")]
        if obj.resolved_at is None:
            return notes
        return [Told(obj.resolved_at, ExceptionState.RESOLVED.value, obj.resolved_by, obj.resolution), *notes]

    @admin.display(description="what", ordering="kind")
    def kind_words(self, exception: ReconciliationException) -> str:
        return str(exception.kind).replace("_", " ")

    @admin.display(description="amount", ordering="amount")
    def shown_amount(self, exception: ReconciliationException) -> str:
        return usd(exception.amount) or "—"

    @admin.display(description="age", ordering="opened_at")
    def age_words(self, exception: ReconciliationException) -> str:
        return age_of(exception.age)

    @admin.display(description="state", ordering="state")
    def state_word(self, exception: ReconciliationException) -> str:
        return status(exception.state)

    @admin.display(description="what to do")
    def remedy(self, exception: ReconciliationException) -> str:
        return exception.remedy


def _is_list(request: HttpRequest) -> Any:
    match = request.resolver_match
    return match is not None and (match.url_name or "").endswith("_changelist")
