"""Django finds this floor here."""

from django.apps import AppConfig


class TreasuryConfig(AppConfig):
    name = "treasury"
    label = "treasury"
    default_auto_field = "django.db.models.BigAutoField"
