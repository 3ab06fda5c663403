"""Django finds this floor here."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "habitat.events"
    label = "events"
    default_auto_field = "django.db.models.BigAutoField"
