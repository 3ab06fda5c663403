"""What a usage event is: its fields, how each is judged, when it is too early or too late, and what it equals."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from cloud_credits.errors import (
    EventIdInvalid,
    EventInFuture,
    EventTooLate,
    MeteredMemberUnknown,
    MissingField,
    QuantityNotPositive,
    ServiceNameInvalid,
    StartAfterEnd,
    TimeInvalid,
    UnknownPrimitive,
    WrongUnit,
)
from cloud_credits.policies.primitives import MEASURES, Primitive, measure_of
from cloud_credits.policies.rate_cards import AHEAD
from habitat.errors import HabitatError
from habitat.money import LARGEST_QUANTITY, QUANTITY_PLACES, parse_decimal, plain

# Older usage needs an approval: else a service could choose its price by back-dating (domain §4).
LATE: Final = timedelta(days=35)

_EVENT_ID = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,198}[\x21-\x7e]|[\x21-\x7e]", re.ASCII)
_MEMBER_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_SERVICE_NAME_LENGTH: Final = 100
LONGEST_SENTENCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class MeteringEvent:
    """One usage of one primitive by one member, judged: `quantity` fits NUMERIC(18, 6) and is positive."""

    event_id: str
    member_id: int
    primitive: Primitive
    quantity: Decimal
    service_name: str
    ended_at: datetime
    started_at: datetime | None = None

    @property
    def unit(self) -> str:
        return MEASURES[self.primitive].unit

    @property
    def digest(self) -> bytes:
        """SHA-256 of the business fields: the same event sent twice is equal here, and nothing else is."""
        fields = (
            str(self.member_id),
            self.primitive.value,
            plain(self.quantity),
            self.unit,
            self.service_name,
            self.ended_at.astimezone(UTC).isoformat(),
            self.started_at.astimezone(UTC).isoformat() if self.started_at else "",
        )
        return hashlib.sha256("\x1f".join(fields).encode()).digest()

    def payload(self) -> dict[str, str]:
        """The event as an approval or a file keeps it; `parse` reads it back to an equal event."""
        fields = {
            "eventId": self.event_id,
            "memberId": str(self.member_id),
            "primitive": self.primitive.value,
            "quantity": plain(self.quantity),
            "unit": self.unit,
            "serviceName": self.service_name,
            "endTime": self.ended_at.astimezone(UTC).isoformat(),
        }
        if self.started_at:
            fields["startTime"] = self.started_at.astimezone(UTC).isoformat()
        return fields


@dataclass(frozen=True, slots=True)
class MeteringOutcome:
    """What `record` answers. `cloud_cost` and `member_balance_after` in CLOUD, `usd_value` in USD, all exact.

    A replay answers the first effect, its balance included.
    """

    meter_id: int
    cloud_cost: Decimal
    usd_value: Decimal
    rate_card_version: int
    member_balance_after: Decimal
    replayed: bool


@dataclass(frozen=True, slots=True)
class RefusalRecord:
    """What is kept of an event that was refused, each text one that PostgreSQL and JSON can hold."""

    event_id: str
    code: str
    field: str
    sentence: str
    details: dict[str, str]
    event: dict[str, str]

    @classmethod
    def of(cls, refusal: HabitatError, body: Mapping[str, Any]) -> "RefusalRecord":
        return cls(
            event_id=shown(body.get("eventId", ""), 200),
            code=refusal.code,
            field=refusal.field or "",
            sentence=shown(refusal.sentence, LONGEST_SENTENCE),
            details={name: shown(value, 200) for name, value in refusal.details.items()},
            event={shown(name, 60): shown(value, 200) for name, value in list(body.items())[:20]},
        )


def shown(value: object, length: int) -> str:
    """Text that PostgreSQL can hold: no zero character, no lone surrogate, not longer than `length`."""
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode()[:length]


def parse(raw: Mapping[str, Any]) -> MeteringEvent:
    """The event in a JSON body or a file's row (interfaces: `POST /api/metering/record`).

    The usage ends at `endTime`, or at `timestamp` where that is what is sent. Raises a named error with `field`.
    """
    primitive = _primitive(_text(raw, "primitive"))
    _require_unit(primitive, _text(raw, "unit"))
    end_field = "endTime" if raw.get("endTime") not in (None, "") else "timestamp"
    ended_at = _moment(raw, end_field)
    started_at = _moment(raw, "startTime") if raw.get("startTime") not in (None, "") else None
    if started_at is not None and started_at > ended_at:
        raise StartAfterEnd(start=started_at.isoformat(), end=ended_at.isoformat(), field="startTime")
    return MeteringEvent(
        event_id=_event_id(_text(raw, "eventId")),
        member_id=_member_id(raw),
        primitive=primitive,
        quantity=parse_quantity(_given(raw, "quantity")),
        service_name=_service_name(_text(raw, "serviceName")),
        ended_at=ended_at,
        started_at=started_at,
    )


def parse_quantity(given: object) -> Decimal:
    """A positive quantity of at most six decimals. Raises NotANumber, TooManyDecimals, AmountTooLarge,
    QuantityNotPositive, all on `quantity`."""
    number = parse_decimal(given, places=QUANTITY_PLACES, largest=LARGEST_QUANTITY, field="quantity")
    if number <= 0:
        raise QuantityNotPositive(given=plain(number), field="quantity")
    return number


def require_not_ahead(event: MeteringEvent, *, now: datetime) -> None:
    """Raises EventInFuture when the usage ends more than five minutes after `now`."""
    if event.ended_at > now + AHEAD:
        minutes = int(AHEAD.total_seconds() // 60)
        raise EventInFuture(given=event.ended_at.isoformat(), minutes=minutes, field="timestamp")


def is_late(event: MeteringEvent, *, now: datetime) -> bool:
    """True when the usage ended more than 35 days before `now`."""
    return now - event.ended_at > LATE


def require_not_late(event: MeteringEvent, *, now: datetime) -> None:
    """Raises EventTooLate when the usage needs an approval first."""
    if is_late(event, now=now):
        raise EventTooLate(given=event.ended_at.isoformat(), days=LATE.days, field="timestamp")


def _given(raw: Mapping[str, Any], field: str) -> Any:
    value = raw.get(field)
    if value is None or value == "":
        raise MissingField(name=field, field=field)
    return value


def _text(raw: Mapping[str, Any], field: str) -> str:
    return str(_given(raw, field)).strip()


def _primitive(word: str) -> Primitive:
    try:
        return Primitive(word)
    except ValueError:
        raise UnknownPrimitive(given=word[:60], field="primitive") from None


def _require_unit(primitive: Primitive, unit: str) -> None:
    measure = measure_of(primitive)
    if not measure.knows(unit):
        raise WrongUnit(primitive=measure.title, unit=measure.unit, given=unit[:60], field="unit")


def _event_id(text: str) -> str:
    if not _EVENT_ID.fullmatch(text):
        raise EventIdInvalid(field="eventId")
    return text


def _member_id(raw: Mapping[str, Any]) -> int:
    text = _text(raw, "memberId")
    if not _MEMBER_ID.fullmatch(text):
        raise MeteredMemberUnknown(given=text[:60], field="memberId")
    return int(text)


def _service_name(text: str) -> str:
    if len(text) > _SERVICE_NAME_LENGTH or not text.isprintable():
        raise ServiceNameInvalid(field="serviceName")
    return text


def _moment(raw: Mapping[str, Any], field: str) -> datetime:
    given = _given(raw, field)
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given).strip())
        if moment.tzinfo is None:
            raise TimeInvalid(given=str(given)[:60], field=field)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise TimeInvalid(given=str(given)[:60], field=field) from None
