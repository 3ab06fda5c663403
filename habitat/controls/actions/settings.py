"""Changing what the house runs by."""

from django.db import transaction
from django.utils import timezone

from habitat.controls import locks
from habitat.controls.errors import SettingUnchanged
from habitat.controls.models import Setting
from habitat.controls.policies.settings import SettingDefinition, SettingValue, definition_of
from habitat.members.actions.history import because, require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require


@transaction.atomic
def change(*, key: str, value: object, reason: str, acting: Actor) -> SettingValue:
    """Set `key` to `value`; who, when and why go into its history. Returns the typed value.

    Raises NotAllowed, SettingUnknown, ReasonRequired, SettingInvalid, SettingUnchanged.
    """
    require(acting, "controls.change_setting")
    definition = definition_of(key)
    reason = require_reason(reason)
    chosen = definition.parse(value)
    with because(acting=acting, reason=reason):
        _write(definition, chosen, acting)
    return chosen


def _write(definition: SettingDefinition, chosen: SettingValue, acting: Actor) -> None:
    now = timezone.now()
    # The row comes first, so that two first changes of one setting wait for each other.
    row, born = Setting.objects.get_or_create(
        key=definition.key,
        defaults={"value": definition.written(chosen), "changed_at": now, "changed_by": acting.label},
    )
    if born:
        if chosen == definition.default:
            raise SettingUnchanged(title=definition.title, value=definition.written(chosen), field="value")
        return
    row = locks.setting(definition.key) or row
    if row.value == definition.written(chosen):
        raise SettingUnchanged(title=definition.title, value=row.value, field="value")
    row.value, row.changed_at, row.changed_by = definition.written(chosen), now, acting.label
    row.save(update_fields=["value", "changed_at", "changed_by"])
