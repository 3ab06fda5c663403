"""Django finds this floor here."""

from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "habitat.members"
    label = "members"
    default_auto_field = "django.db.models.BigAutoField"
