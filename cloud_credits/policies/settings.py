"""What operations may tune on this floor without a vote."""

from typing import Final

from habitat.controls.policies.settings import SettingDefinition

SETTINGS: Final = (
    SettingDefinition(
        key="staking.cap_percent",
        kind="decimal",
        default="100",
        title="Most of a member's credits that may be staked",
        help="A member may stake at most this part of what they hold. 100 means no cap.",
        minimum=0,
        maximum=100,
        unit="%",
    ),
)
