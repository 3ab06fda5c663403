"""Django finds this floor here."""

from django.apps import AppConfig


class FacesConfig(AppConfig):
    name = "habitat.faces"
    label = "faces"
    default_auto_field = "django.db.models.BigAutoField"
