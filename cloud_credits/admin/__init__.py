"""The credit ledger's rooms in the back office."""

from cloud_credits.admin import (
    balances,
    chain,
    identities,
    invoices,
    metering,
    purchases,
    rate_card_votes,
    rate_cards,
    receivables,
    spending,
    staking,
    terms,
    topups,
    transactions,
)

__all__ = [
    "balances",
    "chain",
    "identities",
    "invoices",
    "metering",
    "purchases",
    "rate_card_votes",
    "rate_cards",
    "receivables",
    "spending",
    "staking",
    "terms",
    "topups",
    "transactions",
]
