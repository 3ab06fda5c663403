"""What a service key may open."""

from enum import StrEnum


class Scope(StrEnum):
    METERING_WRITE = "metering:write"
    READ = "read"
    WEBHOOKS = "webhooks"
