"""Members' automatic top-ups in the back office: to be seen; only the member switches one on or off."""

from django.contrib import admin

from cloud_credits.models import TopUp
from habitat.faces.admin import ExportMixin, HouseAdmin


@admin.register(TopUp)
class TopUpAdmin(ExportMixin, HouseAdmin):
    list_display = ("member", "state", "threshold", "amount", "most_a_day", "card", "because", "changed_at")
    list_filter = ("state",)
    search_fields = ("member__display_name", "=member__id")
    list_select_related = ("member",)
    ordering = ("-changed_at",)
    fields = ("member", "state", "because", "threshold", "amount", "most_a_day", "card", "changed_at")
    readonly_fields = fields
    export_fields = ("member__id", "state", "threshold", "amount", "most_a_day", "changed_at")
