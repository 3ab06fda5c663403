"""Runtime settings: what can be set, within which bounds, and how a value is written and read exactly."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from habitat.controls.errors import SettingInvalid, SettingUnknown
from habitat.errors import HabitatError
from habitat.money import LARGEST_USD, parse_decimal, plain

SettingValue = Decimal | int | bool | str

LONGEST_TEXT: Final = 2000
DECIMAL_PLACES: Final = 8


class SettingKind(StrEnum):
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class SettingDefinition:
    """One thing people may change while the house runs. Bounds are inclusive; `unit` is shown beside the value."""

    key: str
    kind: SettingKind | str
    default: SettingValue
    title: str
    help: str
    minimum: Decimal | int | None = None
    maximum: Decimal | int | None = None
    unit: str = ""

    def parse(self, given: object) -> SettingValue:
        """The typed value of what somebody wrote. Raises SettingInvalid; nothing is rounded or guessed."""
        kind = SettingKind(self.kind)
        if kind is SettingKind.BOOLEAN:
            return self._boolean(given)
        if kind is SettingKind.TEXT:
            return self._text(given)
        return self._number(given, kind)

    def written(self, value: SettingValue) -> str:
        """The one spelling a value is stored and shown in."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return plain(value) if isinstance(value, Decimal) else str(value)

    @property
    def bounds(self) -> str:
        """The bounds in words, empty where there are none."""
        low = f"at least {self.minimum}" if self.minimum is not None else ""
        high = f"at most {self.maximum}" if self.maximum is not None else ""
        return " and ".join(part for part in (low, high) if part)

    def _boolean(self, given: object) -> bool:
        if isinstance(given, bool):
            return given
        word = str(given).strip().lower()
        if word not in {"yes", "no", "true", "false"}:
            raise self._invalid(given, "write yes or no")
        return word in {"yes", "true"}

    def _text(self, given: object) -> str:
        text = str(given).strip()
        if len(text) > LONGEST_TEXT or "\x00" in text:
            raise self._invalid(text[:60], f"at most {LONGEST_TEXT} characters")
        return text

    def _number(self, given: object, kind: SettingKind) -> Decimal | int:
        places = 0 if kind is SettingKind.INTEGER else DECIMAL_PLACES
        expected = "a whole number" if kind is SettingKind.INTEGER else f"a number with at most {places} decimals"
        if isinstance(given, bool) or not isinstance(given, Decimal | int | str):
            raise self._invalid(given, expected)
        try:
            number = parse_decimal(given, places=places, largest=LARGEST_USD)
        except HabitatError as error:
            raise self._invalid(given, expected) from error
        too_low = self.minimum is not None and number < self.minimum
        too_high = self.maximum is not None and number > self.maximum
        if too_low or too_high:
            raise self._invalid(given, self.bounds)
        return int(number) if kind is SettingKind.INTEGER else number

    def _invalid(self, given: object, expected: str) -> SettingInvalid:
        return SettingInvalid(given=str(given)[:60], title=self.title, expected=expected, field="value")


_DEFINITIONS: dict[str, SettingDefinition] = {}


def register(definitions: Iterable[SettingDefinition]) -> None:
    """Add a floor's settings. The same definition twice is fine; another one under a taken key is a bug."""
    for definition in definitions:
        if _DEFINITIONS.setdefault(definition.key, definition) != definition:
            message = f"the setting {definition.key} is declared twice"
            raise ValueError(message)
        definition.parse(definition.default)


def definition_of(key: str) -> SettingDefinition:
    """Raises SettingUnknown."""
    try:
        return _DEFINITIONS[key]
    except KeyError:
        raise SettingUnknown(key=key) from None


def all_definitions() -> tuple[SettingDefinition, ...]:
    """Every setting of the house, by key."""
    return tuple(_DEFINITIONS[key] for key in sorted(_DEFINITIONS))


SETTINGS: Final = (
    SettingDefinition(
        key="controls.key_default_days",
        kind=SettingKind.INTEGER,
        default=365,
        title="Life of a new service key",
        help="How long a service key opens doors when nobody says otherwise.",
        minimum=1,
        maximum=1825,
        unit="days",
    ),
)
