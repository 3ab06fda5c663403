"""Django finds this floor here."""

from django.apps import AppConfig


class TreasuryConfig(AppConfig):
    name = "treasury"
    label = "treasury"
    verbose_name = "Books"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from habitat.controls.actions.approvals import on_granted
        from habitat.controls.policies import approvals, settings
        from habitat.events.workflows import queue
        from habitat.workflows.policies import jobs
        from treasury import events, subscribers  # noqa: F401 - events registers the event types
        from treasury.actions import adjustments, stripe_events
        from treasury.policies.bank_settings import BANK_SETTINGS
        from treasury.policies.jobs import JOBS
        from treasury.policies.reconciliation_settings import RECONCILIATION_SETTINGS
        from treasury.policies.settings import SETTINGS
        from treasury.workflows import backing, payments

        settings.register(SETTINGS)
        jobs.register(*JOBS)
        settings.register(RECONCILIATION_SETTINGS)
        settings.register(BANK_SETTINGS)
        subscribers.register()
        queue.register(stripe_events.QUEUE, payments.drain)
        queue.register(backing.QUEUE, backing.drain, seconds=backing.LONGEST_DRAIN)
        approvals.register(adjustments.KIND, permission="treasury.approve_adjustment", title="Adjusting entry")
        on_granted(adjustments.KIND, adjustments.carry_out)
