"""The journal in the back office: entries with their lines, the reverse verb, and adjusting entries for two people."""

import re
from datetime import date
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from habitat.errors import HabitatError
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, ReasonForm, Verb
from habitat.faces.templatetags.faces import usd
from habitat.members.policies.actors import Actor
from habitat.money import LARGEST_USD, USD_BOOK_PLACES, parse_decimal
from treasury.actions import adjustments, journal
from treasury.models import JournalEntry, JournalLine
from treasury.policies.chart import Side
from treasury.policies.journal import LONGEST_DESCRIPTION, Line

_LINE: Final = re.compile(
    r"^\s*(?P<account>\S+)\s+(?P<side>[DC])\s+(?P<amount>\S+)(?:\s+(?P<memo>.*\S))?\s*$", re.IGNORECASE
)


class AdjustmentForm(ReasonForm):
    effective_on = forms.DateField(label="Counts on", widget=forms.DateInput(attrs={"type": "date"}))
    description = forms.CharField(label="Description", max_length=LONGEST_DESCRIPTION)
    lines = forms.CharField(
        label="Lines",
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": "5510 D 12.50\n2110 C 12.50 March compute bill"}),
        help_text="One a row: account, D or C, amount in USD, and a memo if you like.",
    )

    def clean_lines(self) -> list[Line]:
        rows = [row for row in self.cleaned_data["lines"].splitlines() if row.strip()]
        return [_line(row) for row in rows]


def _line(row: str) -> Line:
    found = _LINE.match(row)
    if found is None:
        raise ValidationError(f"“{row}” is not account, D or C, amount.")
    try:
        amount = parse_decimal(found["amount"], places=USD_BOOK_PLACES, largest=LARGEST_USD)
    except HabitatError as error:
        raise ValidationError(error.sentence) from error
    return Line(found["account"], Side(found["side"].upper()), amount, found["memo"] or "")


def _reverse(entry: JournalEntry, *, acting: Actor, key: str, reason: str) -> Done:
    reversal = journal.reverse(entry=entry, reason=reason, idempotency_key=f"reverse:{key}", acting=acting)
    return Done(message=f"Entry {entry.pk} is reversed by entry {reversal.pk}.")


def _adjust(*, acting: Actor, key: str, effective_on: date, description: str, lines: list[Line], reason: str) -> Done:
    approval = adjustments.propose(
        lines=lines, effective_on=effective_on, description=description, reason=reason, acting=acting
    )
    return Done(message=f"Request {approval.pk} waits for a second person; nothing is posted yet.")


class LineInline(TabularInline):
    """Lines as they were posted."""

    model = JournalLine
    fields = ("account", "side", "amount", "memo")
    readonly_fields = ("account", "side", "amount", "memo")
    extra = 0
    can_delete = False
    ordering = ("id",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("account")


@admin.register(JournalEntry)
class JournalEntryAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "effective_on", "description", "posting", "source", "posted_at", "posted_by")
    list_display_links = ("id", "description")
    list_filter = ("period", "source_kind", "ledger")
    search_fields = ("=id", "source_ref", "idempotency_key", "description")
    date_hierarchy = None
    ordering = ("-id",)
    fields = (
        "id",
        "ledger",
        "effective_on",
        "period",
        "occurred_at",
        "posted_at",
        "source",
        "description",
        "idempotency_key",
        "posted_by",
        "reversal_of",
        "reversed_by",
    )
    readonly_fields = ("id", "posted_at", "source", "reversal_of", "reversed_by")
    inlines = (LineInline,)
    export_fields = (
        "id",
        "ledger",
        "effective_on",
        "occurred_at",
        "posted_at",
        "source_kind",
        "source_ref",
        "description",
        "posted_by",
    )
    list_before_template = "treasury/admin/reports_and_verbs.html"
    list_verbs: ClassVar = (
        Verb(
            "adjust",
            "Propose an adjusting entry",
            "treasury.adjust_books",
            _adjust,
            form=AdjustmentForm,
            warning="A second person must approve it before it is posted.",
        ),
    )
    verbs: ClassVar = (
        Verb(
            "reverse",
            "Reverse",
            "treasury.reverse_entry",
            _reverse,
            available=lambda entry: not entry.reversals.exists(),
            danger=True,
            warning="An entry with swapped sides is posted in an open period. Both stay in the books for ever.",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("period").prefetch_related("lines__account")

    @admin.display(description="posting")
    def posting(self, entry: JournalEntry) -> SafeString:
        lines = sorted(entry.lines.all(), key=lambda line: line.pk)
        return format_html_join(
            " · ", "{} {} {}", ((line.get_side_display(), line.account.code, usd(line.amount)) for line in lines)
        )

    @admin.display(description="source")
    def source(self, entry: JournalEntry) -> str:
        return f"{entry.source_kind} {entry.source_ref}"

    @admin.display(description="reverses")
    def reversal_of(self, entry: JournalEntry) -> SafeString | str:
        return _link(entry.reverses_id)

    @admin.display(description="reversed by")
    def reversed_by(self, entry: JournalEntry) -> SafeString | str:
        reversal = entry.reversals.first()
        return _link(reversal.pk if reversal else None)


def _link(entry_id: int | None) -> SafeString | str:
    if entry_id is None:
        return "—"
    return format_html(
        '<a href="{}">Entry {}</a>', reverse("admin:treasury_journalentry_change", args=[entry_id]), entry_id
    )
