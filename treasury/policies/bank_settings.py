"""What people may change about reading and matching the bank while the house runs."""

from typing import Final

from habitat.controls.policies.settings import SettingDefinition, SettingKind

UNMATCHED_DAYS: Final = "treasury.bank_unmatched_days"
OVERLAP_DAYS: Final = "treasury.bank_overlap_days"

BANK_SETTINGS: Final = (
    SettingDefinition(
        key=UNMATCHED_DAYS,
        kind=SettingKind.INTEGER,
        default=3,
        title="Days a bank line may wait for its match",
        help="A posted line that nobody has matched or explained after this raises an alert.",
        minimum=0,
        maximum=90,
        unit="days",
    ),
    SettingDefinition(
        key=OVERLAP_DAYS,
        kind=SettingKind.INTEGER,
        default=45,
        title="How far back the bank is read again",
        help="Each reading reaches this far behind the last one, so that a line changed or taken back late is noticed.",
        minimum=1,
        maximum=730,
        unit="days",
    ),
)
