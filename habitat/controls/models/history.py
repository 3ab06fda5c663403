"""What became of settings and keys: who, when and why, written by database triggers."""

import pghistory

from habitat.controls.models.service_keys import ServiceKey
from habitat.controls.models.settings import Setting


class SettingHistory(
    pghistory.create_event_model(  # type: ignore[misc]
        Setting,
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(),
        context_field=pghistory.ContextJSONField(),
        obj_field=pghistory.ObjForeignKey(related_name="history", related_query_name="history"),
    )
):
    """Each value a setting has had."""

    class Meta:
        ordering = ("-pgh_id",)
        verbose_name = "setting's history"
        verbose_name_plural = "settings' history"
        default_permissions = ("view",)


class KeyHistory(
    pghistory.create_event_model(  # type: ignore[misc]
        ServiceKey,
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(),
        # The hash is nobody's business, and a row at each use would be noise.
        exclude=["secret_hash", "last_used_at"],
        context_field=pghistory.ContextJSONField(),
        obj_field=pghistory.ObjForeignKey(related_name="history", related_query_name="history"),
    )
):
    """Each version of a service key, without its secret."""

    class Meta:
        ordering = ("-pgh_id",)
        verbose_name = "service key's history"
        verbose_name_plural = "service keys' history"
        default_permissions = ("view",)
