"""What operations may set about delivery."""

from habitat.controls.policies.settings import SettingDefinition

SETTINGS = (
    SettingDefinition(
        key="events.max_attempts",
        kind="integer",
        default=8,
        minimum=1,
        maximum=20,
        title="Attempts at a delivery",
        help="How often a failing delivery, e-mail or job is tried before a person must look. Eight take about "
        "ten minutes.",
    ),
)
