"""Django finds this floor here."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "habitat.workflows"
    label = "workflows"
    verbose_name = "Workflows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from habitat.events.workflows import queue
        from habitat.workflows.actions.jobs import RUN_SECONDS
        from habitat.workflows.policies.catalogue import JOBS
        from habitat.workflows.policies.jobs import register
        from habitat.workflows.workflows import clock

        register(*JOBS)
        queue.register(queue.JOBS, clock.run_due, seconds=RUN_SECONDS)
