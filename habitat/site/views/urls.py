"""The addresses of this room."""

from django.urls import URLPattern, URLResolver, path

from habitat.site.views.landing import landing

urlpatterns: list[URLPattern | URLResolver] = [path("", landing, name="landing")]
