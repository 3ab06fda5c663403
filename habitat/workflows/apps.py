"""Django finds this floor here."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "habitat.workflows"
    label = "workflows"
    default_auto_field = "django.db.models.BigAutoField"
