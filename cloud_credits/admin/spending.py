"""Members' own limits in the back office: to be seen when a charge was refused; only the member changes them."""

from django.contrib import admin

from cloud_credits.models import SpendCap
from habitat.faces.admin import ExportMixin, HouseAdmin


@admin.register(SpendCap)
class SpendCapAdmin(ExportMixin, HouseAdmin):
    list_display = ("member", "monthly_cap", "month", "spent", "told_for", "set_at")
    list_filter = ("month",)
    search_fields = ("member__display_name", "=member__id")
    list_select_related = ("member",)
    ordering = ("-set_at",)
    fields = ("member", "monthly_cap", "month", "spent", "told_for", "set_at")
    readonly_fields = fields
    export_fields = ("member__id", "monthly_cap", "month", "spent", "told_for", "set_at")
