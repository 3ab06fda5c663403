"""The four resource primitives: what each measures, in which unit, and the bounds of its rate (domain §4)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Primitive(StrEnum):
    COMPUTE = "compute"
    TRANSFER = "transfer"
    LTM = "ltm"
    STM = "stm"


@dataclass(frozen=True, slots=True)
class Measure:
    """`floor` is the lowest rate a card may set, in CLOUD a unit; `cap` the largest increase, as a fraction."""

    primitive: Primitive
    title: str
    unit: str
    abbreviation: str
    description: str
    floor: Decimal
    cap: Decimal
    spellings: frozenset[str]

    def knows(self, unit: str) -> bool:
        """True for the unit's name, its abbreviation and the spellings services already send."""
        return unit == self.unit or unit == self.abbreviation or unit in self.spellings


MEASURES: Final[dict[Primitive, Measure]] = {
    Primitive.COMPUTE: Measure(
        primitive=Primitive.COMPUTE,
        title="Compute",
        unit="compute-hours",
        abbreviation="comp-hr",
        description="Processing work performed on data",
        floor=Decimal("0.5"),
        cap=Decimal("0.5"),
        spellings=frozenset(),
    ),
    Primitive.TRANSFER: Measure(
        primitive=Primitive.TRANSFER,
        title="Transfer",
        unit="gigabytes",
        abbreviation="GB",
        description="Data movement between network endpoints",
        floor=Decimal("0.1"),
        cap=Decimal("0.5"),
        spellings=frozenset(),
    ),
    Primitive.LTM: Measure(
        primitive=Primitive.LTM,
        title="Long-term memory",
        unit="gigabyte-months",
        abbreviation="GB-mo",
        description="Durable persistent data retention",
        floor=Decimal("0.05"),
        cap=Decimal("0.3"),
        spellings=frozenset({"GB-months"}),
    ),
    Primitive.STM: Measure(
        primitive=Primitive.STM,
        title="Short-term memory",
        unit="gigabyte-hours",
        abbreviation="GB-hr",
        description="Temporary fast-access state",
        floor=Decimal("0.01"),
        cap=Decimal("0.5"),
        spellings=frozenset({"GB-hours"}),
    ),
}


def measure_of(primitive: str) -> Measure:
    """The measure of a primitive by its name. KeyError for any other word: callers judge input first."""
    return MEASURES[Primitive(primitive)]
