"""What people may change about reconciliation while the house runs."""

from decimal import Decimal
from typing import Final

from habitat.controls.policies.settings import SettingDefinition, SettingKind

PAYOUT_DAYS: Final = "reconciliation.payout_days"
STRIPE_DRIFT: Final = "reconciliation.stripe_drift_usd"

RECONCILIATION_SETTINGS: Final = (
    SettingDefinition(
        key=PAYOUT_DAYS,
        kind=SettingKind.INTEGER,
        default=3,
        title="How long a pay-out may be on its way",
        help="A pay-out that Stripe calls paid and that no bank line stands for after this opens an exception.",
        minimum=0,
        maximum=60,
        unit="days",
    ),
    SettingDefinition(
        key=STRIPE_DRIFT,
        kind=SettingKind.DECIMAL,
        default=Decimal(0),
        title="How far 1115 may stand from Stripe's balance",
        help="A larger difference opens an exception and raises the alert stripe_clearing_drift.",
        minimum=0,
        maximum=1000,
        unit="USD",
    ),
)
