"""This floor's addresses for everybody; the house puts them at its root."""

from django.urls import URLPattern, path

from treasury.views.reserve import reserve_page

urlpatterns: list[URLPattern] = [path("reserve/", reserve_page, name="reserve")]
