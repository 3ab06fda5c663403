"""How the house meters its own requests: whole nanoseconds and bytes in, millionths of a unit out, nothing lost."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from cloud_credits.policies.primitives import Primitive
from habitat.money import QUANTITY_PLACES, rounded

# One millionth of a compute-hour is 3.6 ms of CPU; one millionth of a gigabyte (10^9 bytes) is 1,000 bytes.
STEP: Final[dict[Primitive, int]] = {Primitive.COMPUTE: 3_600_000, Primitive.TRANSFER: 1_000}

SERVICE_NAME: Final = "habitat"


@dataclass(frozen=True, slots=True)
class Settled:
    """A window's count turned into whole millionths; `remainder` is what the next window carries in."""

    quantity: Decimal
    remainder: int


def settle(primitive: Primitive, *, counted: int, carried: int) -> Settled:
    """The quantity of a closed window: `counted` + `carried` raw units, cut to 10^-6, the rest carried over.

    Exact: quantity × 10^6 × STEP + remainder = counted + carried, always. Quantity may be 0: then nothing is sent.
    """
    if counted < 0 or carried < 0:
        raise ValueError("a count is never negative")
    millionths, remainder = divmod(counted + carried, STEP[primitive])
    return Settled(quantity=rounded(Decimal(millionths).scaleb(-QUANTITY_PLACES), QUANTITY_PLACES), remainder=remainder)


def window_of(at: datetime, *, seconds: int) -> tuple[datetime, datetime]:
    """The half-open window `[start, end)` of `seconds` that holds `at`, counted from the Unix epoch in UTC."""
    if seconds <= 0:
        raise ValueError("a window has a length")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    start = epoch + timedelta(seconds=(at - epoch) // timedelta(seconds=1) // seconds * seconds)
    return start, start + timedelta(seconds=seconds)


def event_id(*, member_id: int, window_start: datetime, primitive: Primitive) -> str:
    """`self:{member}:{window}:{primitive}`: the same for every attempt, so a retry charges nothing twice."""
    return f"self:{member_id}:{window_start.astimezone(UTC):%Y%m%dT%H%M%SZ}:{primitive.value}"


def retry_after(attempts: int) -> timedelta:
    """How long a refused charge waits: one minute, doubling, at most an hour."""
    return min(timedelta(minutes=1 << min(max(attempts, 1) - 1, 10)), timedelta(hours=1))
