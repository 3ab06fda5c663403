"""The reports' addresses; the house puts them under /admin/reports/."""

from django.contrib import admin
from django.urls import path, re_path

from treasury.views import reports

urlpatterns = [
    path("<slug:report>/", admin.site.admin_view(reports.report_page), name="treasury_report"),
    re_path(
        r"^(?P<report>[a-z-]+)/(?P<file_format>csv|xlsx|pdf)/$",
        admin.site.admin_view(reports.report_export),
        name="treasury_report_export",
    ),
]
