"""Usage, what was refused of it, and rate cards, in the back office."""

from django.contrib import admin

from cloud_credits.models import MeteringRefusal, RateCard, ResourceUsage
from habitat.faces.admin import ExportMixin, HouseAdmin


@admin.register(ResourceUsage)
class ResourceUsageAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "member", "primitive", "quantity", "unit", "rate", "cost", "service_name", "metered_at")
    list_filter = ("primitive", "is_late", ("metered_at", admin.DateFieldListFilter))
    search_fields = ("=id", "=event_id", "member__display_name", "service_name")
    list_select_related = ("member", "rate_card")
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
        "is_late",
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
    )


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


@admin.register(RateCard)
class RateCardAdmin(ExportMixin, HouseAdmin):
    list_display = ("version", "state", "effective_date", "compute_rate", "transfer_rate", "ltm_rate", "stm_rate")
    list_filter = ("state", "is_emergency")
    ordering = ("-version",)
    export_fields = ("version", "state", "effective_date", "compute_rate", "transfer_rate", "ltm_rate", "stm_rate")
