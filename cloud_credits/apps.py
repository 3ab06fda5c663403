"""Django finds this floor here."""

from django.apps import AppConfig


class CloudCreditsConfig(AppConfig):
    name = "cloud_credits"
    label = "cloud_credits"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cloud_credits.actions.metering import LATE_USAGE, LATE_USAGE_PERMISSION, admit_late_usage
        from cloud_credits.policies.settings import SETTINGS
        from habitat.controls.actions import approvals as approval_actions
        from habitat.controls.policies import approvals, settings

        settings.register(SETTINGS)
        approvals.register(LATE_USAGE, permission=LATE_USAGE_PERMISSION, title="Let in usage older than 35 days")
        approval_actions.on_granted(LATE_USAGE, admit_late_usage)
