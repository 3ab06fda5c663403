"""The addresses of this room."""

from django.urls import URLPattern, URLResolver, path

from habitat.notifications.views.notices import NoticesPage, ReadAllPage, ReadPage
from habitat.notifications.views.preferences import PreferencesPage

urlpatterns: list[URLPattern | URLResolver] = [
    path("notifications/", NoticesPage.as_view(), name="notifications"),
    path("notifications/read/", ReadAllPage.as_view(), name="notifications-read-all"),
    path("notifications/<int:notification_id>/read/", ReadPage.as_view(), name="notification-read"),
    path("settings/notifications/", PreferencesPage.as_view(), name="notification-preferences"),
]
