"""Django finds this floor here."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "habitat.workflows"
    label = "workflows"
    verbose_name = "Workflows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from habitat.controls.policies.settings import register as register_settings
        from habitat.events.workflows import queue
        from habitat.workflows.actions.jobs import RUN_SECONDS
        from habitat.workflows.actions.sagas import QUEUE
        from habitat.workflows.policies.catalogue import JOBS
        from habitat.workflows.policies.jobs import register
        from habitat.workflows.policies.settings import SETTINGS
        from habitat.workflows.workflows import clock, sagas

        register_settings(SETTINGS)
        register(*JOBS)
        queue.register(queue.JOBS, clock.run_due, seconds=RUN_SECONDS)
        queue.register(QUEUE, sagas.drain, seconds=sagas.RUN_SECONDS)
