"""What exists on this floor."""

from cloud_credits.models.balances import CloudBalance, SyncStatus
from cloud_credits.models.chain import ChainBlock
from cloud_credits.models.identities import EnsRegistration
from cloud_credits.models.receivables import Receivable
from cloud_credits.models.staking import StakingPosition
from cloud_credits.models.transactions import CloudTransaction, IdempotencyKey

__all__ = [
    "ChainBlock",
    "CloudBalance",
    "CloudTransaction",
    "EnsRegistration",
    "IdempotencyKey",
    "Receivable",
    "StakingPosition",
    "SyncStatus",
]
