"""Django finds this floor here."""

from django.apps import AppConfig


class CloudCreditsConfig(AppConfig):
    name = "cloud_credits"
    label = "cloud_credits"
    verbose_name = "Credits"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cloud_credits import subscribers
        from cloud_credits.actions import metering, mints
        from cloud_credits.policies.jobs import JOBS
        from cloud_credits.policies.notices import NOTICES
        from cloud_credits.policies.settings import SETTINGS
        from cloud_credits.views.navigation import NAVIGATION
        from habitat.controls.actions import approvals
        from habitat.controls.policies import approvals as kinds
        from habitat.controls.policies import settings
        from habitat.faces import navigation
        from habitat.notifications.policies import types as notices
        from habitat.workflows.policies import jobs

        settings.register(SETTINGS)
        notices.register(*NOTICES)
        subscribers.register()
        navigation.register(NAVIGATION)
        jobs.register(*JOBS)
        kinds.register(mints.MANUAL_MINT, permission="cloud_credits.approve_mint", title="Mint credits by hand")
        approvals.on_granted(mints.MANUAL_MINT, mints.carry_out_manual_mint)
        approvals.on_refused(mints.MANUAL_MINT, mints.abandon_manual_mint)
        kinds.register(
            metering.LATE_USAGE,
            permission=metering.LATE_USAGE_PERMISSION,
            title="Let in usage older than 35 days",
        )
        approvals.on_granted(metering.LATE_USAGE, metering.admit_late_usage)
