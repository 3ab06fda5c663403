"""What the database itself refuses about payments and Stripe; `policies.guards` gathers it."""

from typing import Final

from habitat.controls.policies.guards import Guard, withheld

_REWRITTEN: Final = ("UPDATE", "DELETE", "TRUNCATE")
PAYMENT_GUARDS: Final = (
    Guard("treasury_payment", "payment_state", "trigger", "a payment off its edges, or turned into another"),
    Guard("treasury_payment", "payment_totals", "trigger", "a payment minted twice, for nobody, totals that shrink"),
    Guard("treasury_payment", "payment_kept", "trigger", "a payment deleted"),
    Guard("treasury_payment", "payment_once", "constraint", "one PaymentIntent or bank line twice"),
    Guard("treasury_payment", "payment_amount_positive", "constraint", "a payment of nothing"),
    Guard(
        "treasury_payment", "payment_totals_within", "constraint", "more minted than paid, or taken back than minted"
    ),
    Guard("treasury_payment", "payment_late_within", "constraint", "money that waits twice, or without a mint before"),
    Guard("treasury_payment", "payment_minted_in_state", "constraint", "credits of a payment that is not minted"),
    Guard(
        "treasury_payment",
        "UPDATE (state, member_id, minted, refunded, disputed, clawed_back, late)",
        "columns",
        "the application changing what was paid",
    ),
    *withheld("treasury_payment", "the application role: payments rewritten", *_REWRITTEN),
    Guard("treasury_refund", "refund_state", "trigger", "a refund off its edges, or turned into another"),
    Guard("treasury_refund", "refund_booked", "trigger", "a refund booked in another way afterwards"),
    Guard("treasury_refund", "refund_kept", "trigger", "a refund deleted"),
    Guard("treasury_refund", "refund_amount_positive", "constraint", "a refund of nothing"),
    Guard("treasury_refund", "refund_reclaim_within", "constraint", "more to take back than went back"),
    Guard(
        "treasury_refund",
        "UPDATE (state, journal_entry_id, reclaim, settled_at, held)",
        "columns",
        "the application changing what went back",
    ),
    *withheld("treasury_refund", "the application role: refunds rewritten", *_REWRITTEN),
    Guard("treasury_dispute", "dispute_state", "trigger", "a dispute off its edges, or turned into another"),
    Guard("treasury_dispute", "dispute_booked", "trigger", "a dispute booked in another way afterwards"),
    Guard("treasury_dispute", "dispute_kept", "trigger", "a dispute deleted"),
    Guard("treasury_dispute", "dispute_reclaim_within", "constraint", "more to take back than was lost"),
    Guard(
        "treasury_dispute",
        "UPDATE (state, fee, reclaim, opened_entry_id, closed_entry_id, closed_at, held)",
        "columns",
        "the application changing what is contested",
    ),
    *withheld("treasury_dispute", "the application role: disputes rewritten", *_REWRITTEN),
    Guard("treasury_payout", "payout_state", "trigger", "a pay-out off its edges, or of another amount"),
    Guard("treasury_payout", "payout_kept", "trigger", "a pay-out deleted"),
    Guard(
        "treasury_payout",
        "UPDATE (state, arrival_on, matched_at)",
        "columns",
        "the application changing what was paid out",
    ),
    *withheld("treasury_payout", "the application role: pay-outs rewritten", *_REWRITTEN),
    Guard("treasury_stripeevent", "stripeevent_state", "trigger", "a webhook off its edges, or with another body"),
    Guard("treasury_stripeevent", "stripeevent_kept", "trigger", "a webhook deleted"),
    Guard(
        "treasury_stripeevent",
        "UPDATE (state, attempts, due_at, error, processed_at)",
        "columns",
        "the application changing what Stripe told",
    ),
    *withheld("treasury_stripeevent", "the application role: webhooks rewritten", *_REWRITTEN),
    Guard("treasury_stripemovement", "movement_fixed", "trigger", "a balance transaction rewritten"),
    Guard("treasury_stripemovement", "movement_kept", "trigger", "a balance transaction deleted"),
    Guard(
        "treasury_stripemovement", "movement_net_is_amount_less_fee", "constraint", "a movement that does not add up"
    ),
    Guard(
        "treasury_stripemovement",
        "UPDATE (payout_id, journal_entry_id)",
        "columns",
        "the application changing what moved at Stripe",
    ),
    *withheld("treasury_stripemovement", "the application role: movements rewritten", *_REWRITTEN),
    Guard("treasury_stripereading", "stripereading_append_only", "trigger", "a reading rewritten"),
    *withheld("treasury_stripereading", "the application role: readings rewritten", *_REWRITTEN),
)
