"""Django finds this floor here."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "habitat.site"
    label = "site_roof"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from habitat.site.policies.jobs import JOBS
        from habitat.workflows.policies.jobs import register

        register(*JOBS)
