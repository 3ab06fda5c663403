"""Django finds this floor here."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "habitat.notifications"
    label = "notifications"
    default_auto_field = "django.db.models.BigAutoField"
