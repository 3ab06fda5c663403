"""The credit ledger's rooms in the back office."""

from cloud_credits.admin import (
    balances,
    chain,
    identities,
    invoices,
    metering,
    purchases,
    rate_cards,
    receivables,
    staking,
    terms,
    transactions,
)

__all__ = [
    "balances",
    "chain",
    "identities",
    "invoices",
    "metering",
    "purchases",
    "rate_cards",
    "receivables",
    "staking",
    "terms",
    "transactions",
]
