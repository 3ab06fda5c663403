"""What people may change of this floor while the house runs."""

from decimal import Decimal
from typing import Final

from habitat.controls.policies.settings import SettingDefinition, SettingKind

WINDOW_SECONDS: Final = "metering.window_seconds"
CHARGE_API: Final = "metering.charge_api"
CHARGE_PAGES: Final = "metering.charge_pages"
WIRE_DETAILS: Final = "purchases.wire_details"
STAKING_CAP: Final = "staking.cap_percent"
TOP_UPS_A_DAY: Final = "topup.most_a_day"

SETTINGS: Final = (
    SettingDefinition(
        key=WINDOW_SECONDS,
        kind=SettingKind.INTEGER,
        default=3600,
        title="Length of a self-metering window",
        help=(
            "How long the house adds up a member's own requests before it charges them. "
            "A change holds from the next window."
        ),
        minimum=10,
        maximum=86_400,
        unit="seconds",
    ),
    SettingDefinition(
        key=CHARGE_API,
        kind=SettingKind.BOOLEAN,
        default=True,
        title="Charge API calls",
        help="Whether API calls made in a member's name are metered and charged to that member.",
    ),
    SettingDefinition(
        key=CHARGE_PAGES,
        kind=SettingKind.BOOLEAN,
        default=False,
        title="Charge portal pages",
        help="Whether pages opened by a signed-in member are metered and charged. Sign-in, help and health never are.",
    ),
    SettingDefinition(
        key=STAKING_CAP,
        kind=SettingKind.DECIMAL,
        default=Decimal(100),
        title="Most of a member's credits that may be staked",
        help="A member may stake at most this part of what they hold. 100 means no cap.",
        minimum=0,
        maximum=100,
        unit="%",
    ),
    SettingDefinition(
        key=TOP_UPS_A_DAY,
        kind=SettingKind.INTEGER,
        default=3,
        title="Most automatic top-ups a member a day",
        help="A member's saved card is charged at most so often a UTC day when their balance is low; they may choose "
        "fewer. The daily load cap holds beside it.",
        minimum=1,
        maximum=24,
    ),
    SettingDefinition(
        key=WIRE_DETAILS,
        kind=SettingKind.TEXT,
        default="",
        title="Where members send a wire",
        help="Account holder, bank, routing and account number, as members read them on the page to buy credits.",
    ),
)
