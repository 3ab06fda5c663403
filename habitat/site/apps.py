"""Django finds this floor here."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "habitat.site"
    label = "site_roof"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.apps import apps
        from django.db.models.signals import post_migrate

        from habitat.faces import back_office
        from habitat.site.policies.jobs import JOBS
        from habitat.site.workflows.roles import sync_after_migrate
        from habitat.workflows.policies.jobs import register

        register(*JOBS)
        back_office.register(
            back_office.Page("/admin/trace/", "Trace a dollar", "conversion_path", "treasury.view_payment")
        )
        # An app without models, like this one, is not told of migrations: the floor that keeps the groups is.
        post_migrate.connect(sync_after_migrate, sender=apps.get_app_config("members"), dispatch_uid="roles")
