"""Django finds this floor here."""

from django.apps import AppConfig


class CloudCreditsConfig(AppConfig):
    name = "cloud_credits"
    label = "cloud_credits"
    default_auto_field = "django.db.models.BigAutoField"
