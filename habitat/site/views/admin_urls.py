"""The roof's addresses inside the back office; the house puts them under /admin/."""

from django.contrib import admin
from django.urls import URLPattern, path

from habitat.site.views.people import person_page
from habitat.site.views.trace import trace_page

urlpatterns: list[URLPattern] = [
    path("people/<int:member_id>/", admin.site.admin_view(person_page), name="person"),
    path("trace/", admin.site.admin_view(trace_page), name="trace"),
]
