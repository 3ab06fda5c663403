"""Usage, what was refused of it, and the files and charges it came by, in the back office."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from cloud_credits.actions import metering
from cloud_credits.errors import EventTooLate
from cloud_credits.models import (
    MeteringRefusal,
    MeteringSubmission,
    ResourceUsage,
    SelfMeterCharge,
    UsageImport,
)
from cloud_credits.policies.metering import parse
from cloud_credits.reports.usage import UsageRow
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, Verb
from habitat.members.policies.actors import Actor


def _ask_late(refusal: MeteringRefusal, *, acting: Actor, key: str, reason: str) -> Done:
    metering.request_late_usage(event=parse(refusal.event), key_id=refusal.service_key_id, reason=reason, acting=acting)
    return Done(message="Asked. Another person must agree under Approvals.")


def _came_late(refusal: MeteringRefusal) -> bool:
    return bool(refusal.code == EventTooLate.code)


class _LetIn(admin.BooleanFieldListFilter):
    """What the field means on the desk: who else comes late needs nobody's leave."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "let in by two persons"


@admin.register(ResourceUsage)
class ResourceUsageAdmin(ExportMixin, HouseAdmin):
    list_display = (
        "id",
        "member",
        "primitive",
        "quantity",
        "unit",
        "rate",
        "cost",
        "service_name",
        "metered_at",
        "received_at",
        "reported",
    )
    list_filter = ("primitive", ("is_late", _LetIn), ("metered_at", admin.DateFieldListFilter))
    search_fields = ("=id", "=event_id", "member__display_name", "service_name")
    list_select_related = ("member", "rate_card", "journal_entry__period")
    ordering = ("-id",)
    fields = (
        "id",
        "member",
        "primitive",
        "quantity",
        "unit",
        "rate",
        "cost",
        "rate_card",
        "service_key",
        "service_name",
        "event_id",
        "started_at",
        "metered_at",
        "received_at",
        "reported",
        "let_in",
        "transaction",
        "journal_entry",
    )
    readonly_fields = fields
    export_fields = (
        "id",
        "member__id",
        "primitive",
        "quantity",
        "unit",
        "rate",
        "cost",
        "rate_card__version",
        "service_name",
        "event_id",
        "metered_at",
        "received_at",
        "is_late",
    )

    @admin.display(description="reported")
    def reported(self, usage: ResourceUsage) -> str:
        return UsageRow(usage).reported

    @admin.display(description="let in by two persons", boolean=True)
    def let_in(self, usage: ResourceUsage) -> bool:
        return usage.is_late


@admin.register(MeteringRefusal)
class MeteringRefusalAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "service_key", "event_id", "code", "sentence", "refused_at")
    list_filter = ("code", ("refused_at", admin.DateFieldListFilter))
    search_fields = ("=event_id", "service_key__name")
    list_select_related = ("service_key",)
    ordering = ("-id",)
    fields = ("id", "service_key", "event_id", "code", "field", "sentence", "details", "event", "refused_at")
    readonly_fields = fields
    export_fields = ("id", "service_key__name", "event_id", "code", "field", "sentence", "refused_at")
    verbs: ClassVar = (
        Verb(
            "ask-late",
            "Ask to let it in",
            metering.LATE_USAGE_PERMISSION,
            _ask_late,
            available=_came_late,
            warning="Once another person agrees it is priced by the card of its own day, and charged.",
        ),
    )


@admin.register(MeteringSubmission)
class MeteringSubmissionAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "service_key", "state", "events", "accepted", "rejected", "received_at", "done_at")
    list_filter = ("state", ("received_at", admin.DateFieldListFilter))
    search_fields = ("=id", "service_key__name")
    list_select_related = ("service_key",)
    ordering = ("-id",)
    fields = (
        "id",
        "service_key",
        "state",
        "events",
        "received_at",
        "due_at",
        "attempts",
        "error",
        "done_at",
        "accepted",
        "duplicates",
        "conflicts",
        "rejected",
        "answers",
    )
    readonly_fields = fields
    export_fields = ("id", "service_key__name", "state", "events", "accepted", "rejected", "received_at", "done_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without what may be megabytes a row; the page of one reads its answers when it shows them."""
        return super().get_queryset(request).defer("body", "answers")


@admin.register(SelfMeterCharge)
class SelfMeterChargeAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "member", "primitive", "window_start", "quantity", "state", "attempts", "refusal_code")
    list_filter = ("state", "primitive", "refusal_code")
    search_fields = ("=id", "member__display_name")
    list_select_related = ("member",)
    ordering = ("-id",)
    fields = (
        "id",
        "member",
        "primitive",
        "window_start",
        "window_end",
        "quantity",
        "state",
        "attempts",
        "due_at",
        "attempted_at",
        "refusal_code",
        "refusal",
        "meter_id",
        "cost",
        "charged_at",
    )
    readonly_fields = fields
    export_fields = ("id", "member__id", "primitive", "window_start", "window_end", "quantity", "state", "cost")


@admin.register(UsageImport)
class UsageImportAdmin(ExportMixin, HouseAdmin):
    list_display = ("name", "service_key", "rows", "accepted", "duplicates", "refused", "touched_at")
    search_fields = ("name", "service_key__name")
    list_select_related = ("service_key",)
    ordering = ("-id",)
    fields = (
        "name",
        "service_key",
        "offset",
        "rows",
        "accepted",
        "duplicates",
        "refused",
        "blanks",
        "started_at",
        "touched_at",
    )
    readonly_fields = fields
    export_fields = ("id", "name", "service_key__name", "rows", "accepted", "duplicates", "refused", "touched_at")
