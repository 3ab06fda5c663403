"""What the database refuses of spend caps and low-balance warnings."""

from typing import Final

from habitat.controls.policies.guards import Guard, withheld

SPENDING_GUARDS: Final = (
    Guard("cloud_credits_spendcap", "spend_cap_kept", "trigger", "a cap deleted, and what was counted with it"),
    Guard("cloud_credits_spendcap", "spend_cap_counts_on", "trigger", "a count that goes back, or to another member"),
    Guard("cloud_credits_spendcap", "spend_cap_positive", "constraint", "a cap of nothing"),
    Guard("cloud_credits_spendcap", "spend_cap_month_first_day", "constraint", "a month that begins in its midst"),
    *withheld("cloud_credits_spendcap", "the application deleting caps", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_lowbalancewarning", "low_balance_kept", "trigger", "a warning deleted"),
    Guard("cloud_credits_lowbalancewarning", "low_balance_positive", "constraint", "a threshold of nothing"),
    *withheld("cloud_credits_lowbalancewarning", "the application deleting warnings", "DELETE", "TRUNCATE"),
)
