"""The addresses of this room."""

from django.urls import URLPattern, URLResolver, path

from habitat.members.views.settings import change_name, settings_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("settings/", settings_page, name="member_settings"),
    path("settings/name/", change_name, name="member_change_name"),
]
