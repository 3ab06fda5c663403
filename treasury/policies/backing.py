"""How well credits are backed: the terms, the ratio, its bands, and what each band means (domain §6)."""

from enum import StrEnum


class Band(StrEnum):
    SHORTFALL = "shortfall"
    LOW = "low"
    HEALTHY = "healthy"
    EXCESS = "excess"
    UNKNOWN = "unknown"
