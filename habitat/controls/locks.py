"""Every row lock of this floor. An approval is locked before anything that granting it sets in motion."""

from django.db.models import QuerySet

from habitat.controls.models import Alert, Approval, ServiceKey, Setting


def approval(approval_id: int) -> Approval:
    return Approval.objects.select_for_update(of=("self",), no_key=True).get(pk=approval_id)


def alert(alert_id: int) -> Alert:
    return Alert.objects.select_for_update(of=("self",), no_key=True).get(pk=alert_id)


def alerts_of(code: str, cause: str) -> QuerySet[Alert]:
    """The unresolved alerts of one cause (at most one)."""
    return Alert.objects.select_for_update(of=("self",), no_key=True).filter(code=code, cause=cause).order_by("id")


def setting(key: str) -> Setting | None:
    return Setting.objects.select_for_update(of=("self",), no_key=True).filter(key=key).first()


def service_key(key_id: int) -> ServiceKey:
    return ServiceKey.objects.select_for_update(of=("self",), no_key=True).get(pk=key_id)


def service_key_if_free(key_id: int) -> QuerySet[ServiceKey]:
    """The key unless somebody else has it right now: whoever comes second has nothing to add."""
    return ServiceKey.objects.select_for_update(of=("self",), no_key=True, skip_locked=True).filter(pk=key_id)
