"""This room's addresses inside the back office; the house puts them under /admin/reports/."""

from django.contrib import admin
from django.urls import URLPattern, path, re_path

from cloud_credits.views import usage_margin

urlpatterns: list[URLPattern] = [
    path("usage-margin/", admin.site.admin_view(usage_margin.margin_page), name="usage-margin"),
    re_path(
        r"^usage-margin/(?P<file_format>csv|xlsx|pdf)/$",
        admin.site.admin_view(usage_margin.margin_export),
        name="usage-margin-export",
    ),
]
