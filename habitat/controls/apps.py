"""Django finds this floor here."""

from django.apps import AppConfig


class ControlsConfig(AppConfig):
    name = "habitat.controls"
    label = "controls"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from habitat.controls.api import schema  # noqa: F401 - importing it registers the scheme
        from habitat.controls.policies import settings

        settings.register(settings.SETTINGS)
