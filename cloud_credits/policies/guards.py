"""What the database itself refuses on this floor; `verify_books` names each that is missing or switched off."""

from typing import Final

from habitat.controls.policies.guards import Guard

METERING_GUARDS: Final = (
    Guard("cloud_credits_ratecard", "rate_card_states", "trigger", "a card born adopted, or off its machine's edges"),
    Guard("cloud_credits_ratecard", "rate_card_frozen", "trigger", "a rate or date changed once members were told"),
    Guard("cloud_credits_ratecard", "rate_card_kept", "trigger", "a rate card deleted"),
    Guard("cloud_credits_ratecard", "rate_card_one_a_day", "constraint", "two adopted cards for one day"),
    Guard("cloud_credits_ratecard", "rate_card_compute_floor", "constraint", "compute below its floor"),
    Guard("cloud_credits_ratecard", "rate_card_transfer_floor", "constraint", "transfer below its floor"),
    Guard("cloud_credits_ratecard", "rate_card_ltm_floor", "constraint", "long-term memory below its floor"),
    Guard("cloud_credits_ratecard", "rate_card_stm_floor", "constraint", "short-term memory below its floor"),
    Guard("cloud_credits_ratecard", "rate_card_notice_long_enough", "constraint", "a rate changed without notice"),
    Guard("cloud_credits_ratecard", "DELETE", "no_privilege", "the application deleting a rate card"),
    Guard("cloud_credits_ratecardhistory", "rate_card_history_kept", "trigger", "rewritten history of rate cards"),
    Guard("cloud_credits_ratecardhistory", "UPDATE", "no_privilege", "the application rewriting history"),
    Guard("cloud_credits_resourceusage", "usage_matches", "trigger", "usage without its redemption, or off its card"),
    Guard("cloud_credits_resourceusage", "usage_kept", "trigger", "usage rewritten or deleted"),
    Guard("cloud_credits_resourceusage", "usage_event_once", "constraint", "one event charged twice"),
    Guard("cloud_credits_resourceusage", "usage_quantity_positive", "constraint", "usage of nothing"),
    Guard("cloud_credits_resourceusage", "usage_cost_is_quantity_times_rate", "constraint", "a cost that is not q × r"),
    Guard("cloud_credits_resourceusage", "usage_unit_of_primitive", "constraint", "a primitive in another's unit"),
    Guard("cloud_credits_resourceusage", "usage_late_has_approval", "constraint", "late usage nobody agreed to"),
    Guard("cloud_credits_resourceusage", "UPDATE", "no_privilege", "the application rewriting usage"),
    Guard("cloud_credits_resourceusage", "DELETE", "no_privilege", "the application deleting usage"),
    Guard("cloud_credits_meteringrefusal", "refusal_kept", "trigger", "a refusal rewritten or deleted"),
    Guard("cloud_credits_meteringrefusal", "UPDATE", "no_privilege", "the application rewriting refusals"),
    Guard("cloud_credits_selfmetercharge", "self_charge_states", "trigger", "a self-metering charge taken twice"),
    Guard("cloud_credits_selfmetercharge", "self_charge_kept", "trigger", "a self-metering charge deleted"),
    Guard("cloud_credits_selfmetercharge", "self_charge_once", "constraint", "one window charged twice"),
    Guard("cloud_credits_selfmeterremainder", "self_remainder_below_step", "constraint", "a remainder that was due"),
)

GUARDS: Final = METERING_GUARDS
