"""Which door leads to which room."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/reports/", include("cloud_credits.views.admin_urls")),
    path("admin/reports/", include("treasury.views.urls")),
    path("admin/", include("habitat.site.views.admin_urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("habitat.members.views.urls")),
    path("", include("habitat.notifications.views.urls")),
    path("", include("treasury.views.public_urls")),
    path("", include("cloud_credits.views.urls")),
    path("", include("habitat.site.views.urls")),
    path("api/", include("habitat.notifications.api.urls")),
    path("api/", include("treasury.api.urls")),
    path("api/", include("cloud_credits.api.urls")),
    path("api/", include("habitat.site.api.urls")),
]

handler403 = "habitat.faces.error_pages.forbidden"
handler404 = "habitat.faces.error_pages.not_found"
handler500 = "habitat.faces.error_pages.broken"
