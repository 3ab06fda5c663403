"""What each announced fact carries: upper floors, mirrors and webhooks read these keys by name."""

import pytest

from habitat.events.policies.registry import event_types, payload_keys

# Taking a key away, or giving it another name, breaks whoever listens. Adding one is a line here.
PAYLOADS = {
    "alert.raised": "alert_id code cause severity message",
    "bank.account_assigned": "account_id ledger_code is_backing reason",
    "bank.line_changed": "line_id version status amount match_id",
    "bank.matched": "match_id kind line_ids targets amount journal_entry_id",
    "bank.unmatched": "match_id kind line_ids targets reason",
    "bill.paid": "bill_id match_id",
    "bill.recorded": "bill_id kind supplier number amount due_on",
    "bill.voided": "bill_id reason",
    "cloud.minted": (
        "transaction_id member_id quantity amount_paid payment_method reference balance_after "
        "journal_entry_id timestamp"
    ),
    "cloud.transferred": (
        "transaction_id from_member_id to_member_id quantity from_balance_after to_balance_after memo purpose "
        "journal_entry_id timestamp"
    ),
    "cloud.redeemed": (
        "transaction_id member_id quantity credit_value balance_after journal_entry_id timestamp ranges primitive "
        "resource_units unit service_name meter_id metered_at rate_card_version"
    ),
    "cloud.burned": "transaction_id member_id quantity reason balance_after journal_entry_id timestamp",
    "cloud.staked": (
        "transaction_id position_id member_id quantity lock_duration_days revenue_share_percent unlock_at "
        "balance_after staked_after timestamp"
    ),
    "cloud.unstaked": "transaction_id position_id member_id quantity balance_after staked_after timestamp",
    "cloud.corrected": (
        "transaction_ids from_member_id to_member_id quantity reason reverses receivable journal_entry_ids timestamp"
    ),
    "invoice.created": ("invoice_id from to amount_cloud amount_usd description due_date created_at number"),
    "invoice.paid": (
        "invoice_id payer payee amount_cloud payment_method paid_at number transaction_id journal_entry_id"
    ),
    "invoice.overdue": "invoice_id to amount_cloud due_date as_of number",
    "invoice.voided": "invoice_id to amount_cloud reason number",
    "invoice.refunded": "invoice_id to amount_cloud reason refunded_at number transaction_id journal_entry_id",
    "cloud.clawed_back": "payment_id member_id burned owed given_back total transaction_ids receivable_ids",
    "purchase.waiting": "purchase_id member_id payment_id quantity usd why",
    "purchase.sent_back": "payment_id member_id usd why",
    "refund.requested": "request_id payment_id member_id quantity usd reason",
    "refund.settled": "request_id payment_id member_id quantity usd",
    "refund.failed": "request_id payment_id member_id quantity usd why transaction_id",
    "receivable.paid": "receivable_id member_id payment_id quantity journal_entry_id",
    "receivable.written_off": "receivable_id member_id quantity reason journal_entry_id",
    "recurring.changed": "recurring_id member_id state because",
    "topup.changed": "member_id state because threshold quantity most_a_day",
    "spending.limits_set": "member_id monthly_cap low_balance",
    "spending.cap_reached": "member_id monthly_cap spent ends_on",
    "spending.low_balance": "member_id threshold liquid",
    "terms.published": "version title",
    "cloud.rate_card_created": (
        "card_id version effective_date notice_date is_emergency rates content_hash created_by"
    ),
    "cloud.rate_card_approved": (
        "card_id version effective_date approved_at is_emergency rates yes no abstain electors"
    ),
    "rate_card.proposed": (
        "card_id version effective_date is_emergency proposed_at proposed_by rates rates_in_force justification"
    ),
    "rate_card.voting_opened": "card_id version opens_at closes_at electors",
    "rate_card.vote_reminder": "card_id version hours closes_at",
    "rate_card.rejected": "card_id version closed_at yes no abstain electors reason",
    "rate_card.withdrawn": "card_id version withdrawn_at is_defeat reason",
    "rate_card.lapsed": "card_id version proposed_at",
    "rate_card.returned": "card_id version emergency_version reason",
    "rate_card.commented": "card_id version comment_id member_id",
    "rate_card.in_force": "card_id version effective_date rates previous_version",
    "cloud.identity_initialized": "member_id ens_subname ethereum_address balance_id ens_id",
    "period.opened": "period_id period start end",
    "period.closing": "period_id period start end reason",
    "period.close_called_off": "period_id period start end reason",
    "period.closed": "period_id period start end reason",
    "period.locked": "period_id period start end reason",
    "period.reopened": "period_id period start end reason",
    "backing.checked": "check_id as_of band required held ratio",
    "minting.suspended": "flag reason",
    "minting.resumed": "flag reason",
    "payment.received": (
        "payment_id provider reference member_id amount left method charge_id customer_id purchase_ref invoice_ref "
        "mintable problem occurred_at"
    ),
    "payment.return_asked": "payment_id refund_id amount reason",
    "payment.return_failed": "payment_id refund_id amount reason",
    "payment.identified": "payment_id member_id reason",
    "payment.failed": "reference member_id amount purchase_ref invoice_ref code message",
    "payment.refunded": "payment_id member_id charge_id refunded disputed_lost",
    "payment.refund_settled": "payment_id refund_id amount",
    "payment.refund_failed": "payment_id refund_id amount",
    "payment.dispute_opened": "payment_id member_id dispute_id amount reason",
    "payment.dispute_closed": "payment_id member_id dispute_id amount outcome",
    "checkout.completed": "session_id payment_status reference subscription_id member_id purchase_ref invoice_ref",
    "checkout.expired": "session_id failed member_id purchase_ref invoice_ref",
    "stripe.swept": "since movements mended failed reason",
    "subscription.changed": (
        "subscription_id customer_id member_id purchase_ref status paused cancel_at_period_end amount interval"
    ),
}


def test_every_fact__has_its_payload_written_down():
    announced = {name for name in event_types() if not name.startswith("bell.")}
    assert announced == PAYLOADS.keys()


@pytest.mark.parametrize("name", sorted(PAYLOADS))
def test_payload__keeps_its_keys(name):
    assert payload_keys(event_types()[name]) == PAYLOADS[name].split()
