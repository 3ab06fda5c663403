"""A usage receipt: one usage line in a form anybody can recompute from published data alone, and its hash."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from cloud_credits.policies.primitives import Primitive, measure_of
from habitat.money import cloud_to_usd, plain

# Named in every receipt: another set of fields or another rule of writing them is another format.
FORMAT: Final = "habitat-usage-receipt-1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was used, the card's rate and what it cost. `quantity` in units, `rate` CLOUD a unit, `cost` in CLOUD.

    `rate_card_hash` is the keccak-256 of the published card, where the card has one (domain §4).
    """

    meter_id: int
    member_id: int
    event_id: str
    service_name: str
    primitive: Primitive
    quantity: Decimal
    started_at: datetime | None
    metered_at: datetime
    received_at: datetime
    rate_card_version: int
    rate_card_hash: str | None
    rate: Decimal
    cost: Decimal
    transaction_id: int

    def fields(self) -> dict[str, str | int | None]:
        """The receipt as JSON carries it: exact numbers as plain strings, moments in UTC to the microsecond."""
        return {
            "format": FORMAT,
            "meterId": str(self.meter_id),
            "memberId": str(self.member_id),
            "eventId": self.event_id,
            "serviceName": self.service_name,
            "primitive": self.primitive.value,
            "quantity": plain(self.quantity),
            "unit": measure_of(self.primitive).unit,
            "startedAt": _utc(self.started_at) if self.started_at else None,
            "meteredAt": _utc(self.metered_at),
            "receivedAt": _utc(self.received_at),
            "rateCardVersion": self.rate_card_version,
            "rateCardHash": self.rate_card_hash,
            "rate": plain(self.rate),
            "cloudCost": plain(self.cost),
            "usdValue": plain(cloud_to_usd(self.cost)),
            "transactionId": str(self.transaction_id),
        }

    def canonical(self) -> bytes:
        """The bytes that are hashed: `fields` with sorted keys, no spaces, UTF-8."""
        return json.dumps(self.fields(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def hash(self) -> str:
        """`sha256:` and 64 hex digits of `canonical`."""
        return f"sha256:{hashlib.sha256(self.canonical()).hexdigest()}"


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
