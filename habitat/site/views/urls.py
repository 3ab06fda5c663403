"""The addresses of this room."""

from django.urls import URLPattern, URLResolver, path

from habitat.site.views.help import help_errors, help_home
from habitat.site.views.landing import landing

urlpatterns: list[URLPattern | URLResolver] = [
    path("", landing, name="landing"),
    path("help/", help_home, name="help"),
    path("help/errors/", help_errors, name="help_errors"),
]
