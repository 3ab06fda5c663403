"""Django finds this floor here."""

from django.apps import AppConfig


class CloudCreditsConfig(AppConfig):
    name = "cloud_credits"
    label = "cloud_credits"
    verbose_name = "Credits"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cloud_credits import subscribers
        from cloud_credits.actions import metering, metering_queue, mints, receivables
        from cloud_credits.policies.jobs import JOBS
        from cloud_credits.policies.notices import NOTICES
        from cloud_credits.policies.settings import SETTINGS
        from cloud_credits.policies.webhooks import TYPES
        from cloud_credits.views.navigation import NAVIGATION
        from cloud_credits.workflows import metering as usage
        from cloud_credits.workflows.purchases import MINTS, drain
        from cloud_credits.workflows.sagas import SAGAS
        from habitat.controls.actions import approvals
        from habitat.controls.policies import approvals as kinds
        from habitat.controls.policies import settings
        from habitat.events.workflows import queue
        from habitat.faces import back_office, navigation
        from habitat.notifications.policies import types as notices
        from habitat.notifications.policies import webhooks
        from habitat.workflows.policies import jobs, sagas

        settings.register(SETTINGS)
        notices.register(*NOTICES)
        webhooks.register(*TYPES)
        subscribers.register()
        navigation.register(NAVIGATION)
        back_office.register(
            back_office.Page(
                "/admin/reports/usage-margin/", "Usage and margin", "monitoring", "cloud_credits.view_usage_margin"
            )
        )
        jobs.register(*JOBS)
        kinds.register(mints.MANUAL_MINT, permission="cloud_credits.approve_mint", title="Mint credits by hand")
        approvals.on_granted(mints.MANUAL_MINT, mints.carry_out_manual_mint)
        approvals.on_refused(mints.MANUAL_MINT, mints.abandon_manual_mint)
        sagas.register(*SAGAS)
        queue.register(MINTS, drain)
        queue.register(metering_queue.USAGE, usage.drain)
        kinds.register(
            receivables.WRITE_OFF_KIND, permission=receivables.WRITE_OFF, title="Write off what a member owes"
        )
        approvals.on_granted(receivables.WRITE_OFF_KIND, receivables.carry_out_write_off)
        kinds.register(
            metering.LATE_USAGE,
            permission=metering.LATE_USAGE_PERMISSION,
            title="Let in usage older than 35 days",
        )
        approvals.on_granted(metering.LATE_USAGE, metering.admit_late_usage)
