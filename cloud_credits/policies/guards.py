"""What the database itself refuses on this floor; `verify_books` names each that is missing or switched off."""

from typing import Final

from habitat.controls.policies.guards import Guard, withheld

LEDGER_GUARDS: Final = (
    Guard("cloud_credits_cloudtransaction", "transaction_born", "trigger", "a row born late, or without its balances"),
    Guard(
        "cloud_credits_cloudtransaction", "transaction_moves", "trigger", "a ledger row rewritten, or off its states"
    ),
    Guard("cloud_credits_cloudtransaction", "transaction_kept", "trigger", "a ledger row deleted"),
    Guard("cloud_credits_cloudtransaction", "transaction_kept_whole", "trigger", "the ledger emptied"),
    Guard("cloud_credits_cloudtransaction", "transaction_amount_positive", "constraint", "an amount of zero or less"),
    Guard("cloud_credits_cloudtransaction", "transaction_state_known", "constraint", "a state of one's own"),
    Guard("cloud_credits_cloudtransaction", "transaction_participants", "constraint", "a type with wrong sides"),
    Guard("cloud_credits_cloudtransaction", "transaction_booked_whole", "constraint", "a booked row without balances"),
    Guard(
        "cloud_credits_cloudtransaction", "transaction_booked_xid_whole", "constraint", "a row the chain cannot seal"
    ),
    Guard(
        "cloud_credits_cloudtransaction",
        "transaction_reversal_is_correction",
        "constraint",
        "a reversal that is no correction",
    ),
    Guard("cloud_credits_cloudtransaction", "transaction_one_sided_posts", "constraint", "credits the books miss"),
    Guard("cloud_credits_cloudtransaction", "transaction_lock_same_after", "constraint", "a lock read in two ways"),
    Guard("cloud_credits_cloudtransaction", "transaction_reversed_once", "constraint", "one row reversed twice"),
    Guard("cloud_credits_cloudtransaction", "transaction_from_booked", "constraint", "two rows at one moment"),
    Guard("cloud_credits_cloudtransaction", "transaction_to_booked", "constraint", "two rows at one moment"),
    Guard(
        "cloud_credits_cloudtransaction",
        "UPDATE (state, journal_entry_id, from_liquid_after, from_staked_after, from_sequence, to_liquid_after, "
        "to_staked_after, to_sequence, booked_at, booked_xid)",
        "columns",
        "the application rewriting what moved",
    ),
    *withheld("cloud_credits_cloudtransaction", "the application rewriting the ledger", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_cloudbalance", "balance_born", "trigger", "a balance born with credits"),
    Guard("cloud_credits_cloudbalance", "balance_moves", "trigger", "a balance that moves without its transaction"),
    Guard("cloud_credits_cloudbalance", "balance_kept", "trigger", "a balance deleted"),
    Guard("cloud_credits_cloudbalance", "balance_kept_whole", "trigger", "balances emptied"),
    Guard("cloud_credits_cloudbalance", "balance_liquid_not_negative", "constraint", "credits spent twice"),
    Guard("cloud_credits_cloudbalance", "balance_staked_not_negative", "constraint", "a stake released twice"),
    Guard(
        "cloud_credits_cloudbalance",
        "UPDATE (liquid, staked, version, last_transaction_id, booked_at, onchain_balance, onchain_synced_at, "
        "onchain_sync_status)",
        "columns",
        "the application giving a balance to somebody else",
    ),
    *withheld("cloud_credits_cloudbalance", "the application rewriting balances", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_idempotencykey", "idempotency_key_kept", "trigger", "a key freed for a second effect"),
    Guard("cloud_credits_idempotencykey", "idempotency_key_kept_whole", "trigger", "all keys freed"),
    Guard("cloud_credits_idempotencykey", "idempotency_key_once", "constraint", "one key with two effects"),
    *withheld("cloud_credits_idempotencykey", "the application freeing keys", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_chainblock", "block_kept", "trigger", "a sealed block rewritten or deleted"),
    Guard("cloud_credits_chainblock", "block_kept_whole", "trigger", "the chain emptied"),
    Guard("cloud_credits_chainblock", "block_follows_one", "constraint", "two blocks after one"),
    Guard("cloud_credits_chainblock", "block_range_forward", "constraint", "a block that reaches back"),
    *withheld("cloud_credits_chainblock", "the application rewriting the chain", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_stakingposition", "position_states", "trigger", "a stake born released, or with new terms"),
    Guard("cloud_credits_stakingposition", "position_kept", "trigger", "a stake deleted"),
    Guard("cloud_credits_stakingposition", "position_kept_whole", "trigger", "stakes emptied"),
    Guard("cloud_credits_stakingposition", "position_share_on_curve", "constraint", "a share off the curve"),
    Guard("cloud_credits_stakingposition", "position_days_in_range", "constraint", "a lock outside 30 to 365 days"),
    Guard("cloud_credits_stakingposition", "position_unlock_after_its_days", "constraint", "a lock of other days"),
    Guard("cloud_credits_stakingposition", "position_release_whole", "constraint", "a release without a transaction"),
    Guard("cloud_credits_stakingposition", "position_unstaked_at_maturity", "constraint", "a stake released early"),
    Guard(
        "cloud_credits_stakingposition",
        "UPDATE (state, unstake_transaction_id, released_at)",
        "columns",
        "the application changing a stake's terms",
    ),
    *withheld("cloud_credits_stakingposition", "the application rewriting stakes", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_receivable", "receivable_born", "trigger", "a debt born settled"),
    Guard("cloud_credits_receivable", "receivable_moves", "trigger", "a debt that shrinks, grows or changes hands"),
    Guard("cloud_credits_receivable", "receivable_kept", "trigger", "a debt deleted"),
    Guard("cloud_credits_receivable", "receivable_kept_whole", "trigger", "debts emptied"),
    Guard("cloud_credits_receivable", "receivable_settled_within", "constraint", "a debt settled beyond its amount"),
    Guard("cloud_credits_receivable", "UPDATE (settled)", "columns", "the application changing who owes what"),
    *withheld("cloud_credits_receivable", "the application rewriting debts", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_ensregistration", "registration_moves", "trigger", "a name that changes hands"),
    Guard("cloud_credits_ensregistration", "registration_kept", "trigger", "a revoked name issued again"),
    Guard("cloud_credits_ensregistration", "registration_kept_whole", "trigger", "names emptied"),
    Guard("cloud_credits_ensregistration", "registration_subname_form", "constraint", "a name that is no name"),
    Guard("cloud_credits_ensregistration", "registration_one_unrevoked_a_member", "constraint", "two names a member"),
    Guard(
        "cloud_credits_ensregistration",
        "UPDATE (text_records, registered_onchain, onchain_tx_hash, registered_at, revoked_at, revoked_by, "
        "revoke_reason)",
        "columns",
        "the application giving a name to somebody else",
    ),
    *withheld("cloud_credits_ensregistration", "the application rewriting names", "UPDATE", "DELETE", "TRUNCATE"),
)

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

INVOICE_GUARDS: Final = (
    Guard("cloud_credits_invoice", "invoice_states", "trigger", "an invoice born sent, or off its machine's edges"),
    Guard(
        "cloud_credits_invoice", "invoice_unchanged", "trigger", "an invoice changed, misnumbered or paid by nothing"
    ),
    Guard("cloud_credits_invoice", "invoice_kept", "trigger", "an invoice deleted"),
    Guard("cloud_credits_invoice", "invoice_adds_up", "trigger", "a total that is not the sum of its lines"),
    Guard("cloud_credits_invoice", "invoice_total_positive", "constraint", "an invoice over nothing"),
    Guard("cloud_credits_invoice", "invoice_state_known", "constraint", "a state of one's own"),
    Guard("cloud_credits_invoice", "invoice_sent_whole", "constraint", "an invoice sent without number or due day"),
    Guard("cloud_credits_invoice", "invoice_paid_whole", "constraint", "an invoice paid without its transfer"),
    Guard("cloud_credits_invoice", "invoice_refunded_whole", "constraint", "an invoice refunded without its transfer"),
    Guard(
        "cloud_credits_invoice",
        "UPDATE (state, title, total, number, sent_at, due_on, paid_at, paid_by, payment_transaction_id, "
        "refund_transaction_id, payment_received_at)",
        "columns",
        "the application giving an invoice to somebody else",
    ),
    *withheld("cloud_credits_invoice", "the application rewriting invoices", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("cloud_credits_invoiceline", "invoiceline_of_draft", "trigger", "a line changed once its invoice was sent"),
    Guard("cloud_credits_invoiceline", "invoiceline_kept_whole", "trigger", "lines emptied"),
    Guard("cloud_credits_invoiceline", "invoiceline_adds_up", "trigger", "lines that are not the total"),
    Guard("cloud_credits_invoiceline", "invoiceline_position_once", "constraint", "two lines in one place"),
    Guard("cloud_credits_invoiceline", "invoiceline_positive", "constraint", "a line over nothing"),
    Guard(
        "cloud_credits_invoiceline",
        "invoiceline_is_quantity_times_price",
        "constraint",
        "an amount that is not quantity × price",
    ),
    *withheld("cloud_credits_invoiceline", "the application rewriting lines", "UPDATE", "TRUNCATE"),
    Guard("cloud_credits_invoicechange", "invoicechange_kept", "trigger", "an invoice's history rewritten"),
    *withheld("cloud_credits_invoicechange", "the application rewriting history", "UPDATE", "DELETE", "TRUNCATE"),
)

GUARDS: Final = (*LEDGER_GUARDS, *METERING_GUARDS, *INVOICE_GUARDS)
