"""Django finds this floor here."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "habitat.notifications"
    label = "notifications"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from habitat.controls.policies import settings
        from habitat.events.workflows import queue
        from habitat.faces import navigation
        from habitat.notifications.actions.webhooks import QUEUE
        from habitat.notifications.policies.jobs import JOBS
        from habitat.notifications.policies.settings import SETTINGS
        from habitat.notifications.views.navigation import NAVIGATION
        from habitat.notifications.workflows import emails, webhooks
        from habitat.workflows.policies import jobs

        jobs.register(*JOBS)
        settings.register(SETTINGS)
        queue.register(queue.EMAILS, emails.drain)
        queue.register(QUEUE, webhooks.drain)
        navigation.register(NAVIGATION)
