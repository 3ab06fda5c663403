"""What the database refuses of spend caps, low-balance warnings and automatic top-ups."""

from typing import Final

from habitat.controls.policies.guards import Guard, withheld

SPENDING_GUARDS: Final = (
    Guard("cloud_credits_spendcap", "spend_cap_kept", "trigger", "a cap deleted, and what was counted with it"),
    Guard("cloud_credits_spendcap", "spend_cap_counts_on", "trigger", "a count that goes back, or to another member"),
    Guard("cloud_credits_spendcap", "spend_cap_holds", "trigger", "usage counted beyond its member's cap"),
    Guard("cloud_credits_spendcap", "spend_cap_positive", "constraint", "a cap of nothing"),
    Guard("cloud_credits_spendcap", "spend_cap_month_first_day", "constraint", "a month that begins in its midst"),
    *withheld("cloud_credits_spendcap", "the application deleting caps", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_lowbalancewarning", "low_balance_kept", "trigger", "a warning deleted"),
    Guard("cloud_credits_lowbalancewarning", "low_balance_positive", "constraint", "a threshold of nothing"),
    *withheld("cloud_credits_lowbalancewarning", "the application deleting warnings", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_topup", "top_up_states", "trigger", "a top-up that goes on by itself after a decline"),
    Guard("cloud_credits_topup", "top_up_kept", "trigger", "a top-up deleted"),
    *withheld("cloud_credits_topup", "the application deleting top-ups", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_purchase", "purchase_one_top_up", "constraint", "a card charged twice at once"),
    Guard("cloud_credits_purchase", "purchase_top_up_wished", "trigger", "a top-up that its member did not ask for"),
)
