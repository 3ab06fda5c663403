"""What exists on this floor."""

from cloud_credits.models.rate_cards import RateCard, RateCardQuerySet
from cloud_credits.models.self_metering import (
    SelfMeterCharge,
    SelfMeterCount,
    SelfMeterFlush,
    SelfMeterRemainder,
)
from cloud_credits.models.usage import MeteringRefusal, ResourceUsage, ResourceUsageQuerySet, UsageImport

__all__ = [
    "MeteringRefusal",
    "RateCard",
    "RateCardQuerySet",
    "ResourceUsage",
    "ResourceUsageQuerySet",
    "SelfMeterCharge",
    "SelfMeterCount",
    "SelfMeterFlush",
    "SelfMeterRemainder",
    "UsageImport",
]
