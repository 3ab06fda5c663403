"""What people may change about this floor while the house runs."""

from decimal import Decimal
from typing import Final

from habitat.controls.policies.settings import SettingDefinition, SettingKind

PURCHASE_LIMIT: Final = "treasury.purchase_limit_when_low"
LOAD_CAP: Final = "treasury.load_cap"
LOAD_CAP_SIGNOFF: Final = "treasury.load_cap_signoff"
RESERVE_TARGET: Final = "treasury.reserve_target"
READING_WARNS: Final = "treasury.reading_warns_after"
READING_SUSPENDS: Final = "treasury.reading_suspends_after"

SETTINGS: Final = (
    SettingDefinition(
        key=PURCHASE_LIMIT,
        kind=SettingKind.DECIMAL,
        default=Decimal(200),
        title="Purchase limit while backing is low",
        help="What one member may buy in a day while less than 105 % of what is owed is held.",
        minimum=0,
        unit="USD",
    ),
    SettingDefinition(
        key=LOAD_CAP,
        kind=SettingKind.DECIMAL,
        default=Decimal(2000),
        title="Daily load cap a member",
        help="What one member may buy in a day at any time. More than 2,000 USD holds only with counsel's sign-off.",
        minimum=0,
        unit="USD",
    ),
    SettingDefinition(
        key=LOAD_CAP_SIGNOFF,
        kind=SettingKind.TEXT,
        default="",
        title="Counsel's sign-off for a higher load cap",
        help="Who signed, when, and where the letter is kept. While this is empty the cap stays at 2,000 USD.",
    ),
    SettingDefinition(
        key=RESERVE_TARGET,
        kind=SettingKind.DECIMAL,
        default=Decimal(10),
        title="Reserve target",
        help="How much more than what is owed the backing accounts should hold.",
        minimum=0,
        maximum=100,
        unit="%",
    ),
    SettingDefinition(
        key=READING_WARNS,
        kind=SettingKind.INTEGER,
        default=26,
        title="Age of a balance reading that warns",
        help="A bank or Stripe reading older than this raises an alert.",
        minimum=1,
        maximum=168,
        unit="hours",
    ),
    SettingDefinition(
        key=READING_SUSPENDS,
        kind=SettingKind.INTEGER,
        default=48,
        title="Age of a balance reading that suspends",
        help="With a bank or Stripe reading older than this no credits are minted.",
        minimum=1,
        maximum=336,
        unit="hours",
    ),
)
