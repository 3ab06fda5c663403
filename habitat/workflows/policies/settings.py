"""What operations may set about sagas."""

from habitat.controls.policies.settings import SettingDefinition

SETTINGS = (
    SettingDefinition(
        key="workflows.step_attempts",
        kind="integer",
        default=12,
        minimum=1,
        maximum=40,
        title="Attempts at a saga's step",
        help="How often a step whose outcome is unknown is tried, under the same key, before a person must look. "
        "Twelve take about three hours.",
    ),
)
