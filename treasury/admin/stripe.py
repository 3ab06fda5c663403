"""What Stripe told, in the back office: webhooks to read and to process again, movements, pay-outs, readings."""

import json
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from habitat.faces.admin import Done, ExportMixin, HouseAdmin, Verb
from habitat.members.policies.actors import Actor
from treasury.actions import stripe_events
from treasury.admin.payments import entry_link
from treasury.models import Payout, StripeEvent, StripeMovement, StripeReading
from treasury.policies.payments import StripeEventState
from treasury.policies.stripe_movements import KNOWN_TYPES
from treasury.workflows.sweep import sweep

OTHERS: Final = "other"


def _process_again(event: StripeEvent, *, acting: Actor, key: str, reason: str) -> None:
    stripe_events.process_again(event=event, reason=reason, acting=acting)


@admin.register(StripeEvent)
class StripeEventAdmin(HouseAdmin):
    list_display = ("event_id", "type", "state", "attempts", "received_at", "processed_at", "error")
    list_filter = ("state",)
    search_fields = ("=event_id", "type")
    ordering = ("-id",)
    fields = ("event_id", "type", "state", "attempts", "due_at", "error", "received_at", "processed_at", "body")
    readonly_fields = ("body", "received_at")
    verbs: ClassVar = (
        Verb(
            "process-again",
            "Process again",
            stripe_events.PROCESS,
            _process_again,
            available=lambda event: event.state == StripeEventState.FAILED.value,
            done="It is processed again, with all its attempts before it.",
        ),
    )

    @admin.display(description="what Stripe sent")
    def body(self, event: StripeEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.payload, indent=2, ensure_ascii=False))


def _sweep(*, acting: Actor, key: str, reason: str) -> Done:
    swept = sweep(now=timezone.now(), reason=reason, acting=acting)
    said = f"{swept.movements} movements seen, {len(swept.mended)} mended"
    return Done(message=f"{said}, {len(swept.failed)} failed." if swept.failed else f"{said}.")


class TypeFilter(admin.SimpleListFilter):
    """By the types the books know, and the rest: asking every movement for its type would take seconds."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((name, name.replace("_", " ")) for name in sorted(KNOWN_TYPES)), (OTHERS, "any other")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StripeMovement]) -> QuerySet[StripeMovement]:
        if self.value() == OTHERS:
            return queryset.exclude(type__in=KNOWN_TYPES)
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(StripeMovement)
class StripeMovementAdmin(ExportMixin, HouseAdmin):
    list_display = ("bt_id", "occurred_at", "type", "amount", "fee", "net", "source_id", "payout")
    list_filter = (TypeFilter,)
    list_select_related = ("payout",)
    search_fields = ("=bt_id", "=source_id", "=payout__payout_id")
    ordering = ("-occurred_at", "-id")
    fields = (
        "bt_id",
        "type",
        "amount",
        "fee",
        "net",
        "source_id",
        "description",
        "payout",
        "entry",
        "available_on",
        "occurred_at",
        "seen_at",
    )
    readonly_fields = ("entry", "seen_at")
    export_fields = ("bt_id", "occurred_at", "type", "amount", "fee", "net", "source_id", "payout", "available_on")
    list_verbs: ClassVar = (
        Verb("sweep", "Sweep now", stripe_events.PROCESS, _sweep, warning="Asks Stripe for every movement since."),
    )

    @admin.display(description="entry")
    def entry(self, movement: StripeMovement) -> SafeString:
        return entry_link(movement.journal_entry_id)


@admin.register(Payout)
class PayoutAdmin(HouseAdmin):
    list_display = ("payout_id", "amount", "state", "arrival_on", "created_at", "matched_at")
    list_filter = ("state",)
    search_fields = ("=payout_id",)
    ordering = ("-id",)
    fields = ("payout_id", "amount", "state", "arrival_on", "created_at", "matched_at")


@admin.register(StripeReading)
class StripeReadingAdmin(HouseAdmin):
    list_display = ("read_at", "available", "pending")
    ordering = ("-id",)
    fields = ("read_at", "available", "pending")
    readonly_fields = ("read_at",)
