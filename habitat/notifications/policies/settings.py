"""What operations may set about webhooks."""

from habitat.controls.policies.settings import SettingDefinition

SETTINGS = (
    SettingDefinition(
        key="webhooks.disable_after_days",
        kind="integer",
        default=5,
        minimum=1,
        maximum=30,
        title="Days before a failing webhook is switched off",
        help="An endpoint that has taken nothing for so long is switched off, with an alert. It can be switched on "
        "again; what happened meanwhile was not kept for it.",
        unit="days",
    ),
)
