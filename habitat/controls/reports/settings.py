"""What a setting is now, and the list of all of them."""

from dataclasses import dataclass

from habitat.controls.models import Setting
from habitat.controls.policies.settings import (
    SettingDefinition,
    SettingValue,
    all_definitions,
    definition_of,
)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """`setting` is None while nobody has changed it."""

    definition: SettingDefinition
    value: str
    setting: Setting | None

    @property
    def default(self) -> str:
        return self.definition.written(self.definition.default)


def value(key: str) -> SettingValue:
    """The typed value, or the default while nobody has set one. One indexed read. Raises SettingUnknown."""
    definition = definition_of(key)
    stored = Setting.objects.filter(key=key).values_list("value", flat=True).first()
    return definition.default if stored is None else definition.parse(stored)


def all_settings() -> list[SettingRow]:
    """Every declared setting, changed or not, by key."""
    stored = {setting.key: setting for setting in Setting.objects.all()}
    return [
        SettingRow(
            definition=definition,
            value=stored[definition.key].value if definition.key in stored else definition.written(definition.default),
            setting=stored.get(definition.key),
        )
        for definition in all_definitions()
    ]
