"""What exists on this floor."""

from cloud_credits.models.balances import CloudBalance, SyncStatus
from cloud_credits.models.chain import ChainBlock
from cloud_credits.models.governance import (
    RateCardBallot,
    RateCardComment,
    RateCardElector,
    RateCardOutcome,
    RateCardReminder,
)
from cloud_credits.models.identities import EnsRegistration
from cloud_credits.models.invoices import Invoice, InvoiceChange, InvoiceLine, InvoiceQuerySet
from cloud_credits.models.purchases import (
    BillingCustomer,
    Clawback,
    PaymentMint,
    Purchase,
    RecurringPurchase,
    RefundRequest,
)
from cloud_credits.models.rate_cards import RateCard, RateCardHistory, RateCardQuerySet
from cloud_credits.models.receivables import Receivable, ReceivablePayment, ReceivableWriteOff
from cloud_credits.models.self_metering import (
    SelfMeterCharge,
    SelfMeterCount,
    SelfMeterFlush,
    SelfMeterRemainder,
)
from cloud_credits.models.spending import LowBalanceWarning, SpendCap
from cloud_credits.models.staking import StakingPosition
from cloud_credits.models.terms import TermsAcceptance, TermsVersion
from cloud_credits.models.topups import TopUp
from cloud_credits.models.transactions import CloudTransaction, IdempotencyKey
from cloud_credits.models.usage import (
    MeteringRefusal,
    MeteringStage,
    MeteringSubmission,
    ResourceUsage,
    ResourceUsageQuerySet,
    UsageImport,
)

__all__ = [
    "BillingCustomer",
    "ChainBlock",
    "Clawback",
    "CloudBalance",
    "CloudTransaction",
    "EnsRegistration",
    "IdempotencyKey",
    "Invoice",
    "InvoiceChange",
    "InvoiceLine",
    "InvoiceQuerySet",
    "LowBalanceWarning",
    "MeteringRefusal",
    "MeteringStage",
    "MeteringSubmission",
    "PaymentMint",
    "Purchase",
    "RateCard",
    "RateCardBallot",
    "RateCardComment",
    "RateCardElector",
    "RateCardHistory",
    "RateCardOutcome",
    "RateCardQuerySet",
    "RateCardReminder",
    "Receivable",
    "ReceivablePayment",
    "ReceivableWriteOff",
    "RecurringPurchase",
    "RefundRequest",
    "ResourceUsage",
    "ResourceUsageQuerySet",
    "SelfMeterCharge",
    "SelfMeterCount",
    "SelfMeterFlush",
    "SelfMeterRemainder",
    "SpendCap",
    "StakingPosition",
    "SyncStatus",
    "TermsAcceptance",
    "TermsVersion",
    "TopUp",
    "UsageImport",
]
