"""Making, using and revoking the keys of services."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from habitat.controls import locks
from habitat.controls.errors import (
    ExpiryPast,
    KeyAlreadyRevoked,
    KeyNameRequired,
    ScopesRequired,
    ScopeUnknown,
)
from habitat.controls.models import ServiceKey
from habitat.controls.policies.scopes import Scope
from habitat.controls.policies.secrets import PREFIX_BYTES, SECRET_BYTES, hashed, spelled
from habitat.controls.reports import settings
from habitat.members.actions.history import because, require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require

LONGEST_NAME: Final = 100
# A use is noted at most this often: a row written at each call would be the hottest of the house.
USE_NOTED_EVERY: Final = timedelta(minutes=1)


@transaction.atomic
def create(
    *, name: str, scopes: Iterable[str], expires_at: datetime | None = None, acting: Actor
) -> tuple[ServiceKey, str]:
    """A new key, and its secret in full: shown once, stored nowhere. Expires by the setting unless told otherwise.

    Raises NotAllowed, KeyNameRequired, ScopesRequired, ScopeUnknown, ExpiryPast.
    """
    require(acting, "controls.add_servicekey")
    now = timezone.now()
    label, chosen = _name(name), _scopes(scopes)
    end = expires_at or now + timedelta(days=int(settings.value("controls.key_default_days")))
    if end <= now:
        raise ExpiryPast(field="expires_at")
    prefix, secret = secrets.token_hex(PREFIX_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    with because(acting=acting, reason="created"):
        key = ServiceKey.objects.create(
            name=label,
            prefix=prefix,
            secret_hash=hashed(secret),
            scopes=chosen,
            created_at=now,
            created_by=acting.label,
            expires_at=end,
        )
    return key, spelled(prefix, secret)


@transaction.atomic
def revoke(*, key: ServiceKey, reason: str, acting: Actor) -> ServiceKey:
    """The key opens nothing from now on. Raises NotAllowed, ReasonRequired, KeyAlreadyRevoked."""
    require(acting, "controls.revoke_servicekey")
    reason = require_reason(reason)
    row = locks.service_key(key.pk)
    if row.revoked_at is not None:
        raise KeyAlreadyRevoked(name=row.name)
    row.revoked_at, row.revoked_by, row.revoke_reason = timezone.now(), acting.label, reason
    with because(acting=acting, reason=reason):
        row.save(update_fields=["revoked_at", "revoked_by", "revoke_reason"])
    return row


@transaction.atomic
def note_use(*, key: ServiceKey, at: datetime) -> None:
    """Remember when the key was last used, to the minute. Never waits for another call of the same key."""
    locked = locks.service_key_if_free(key.pk).values("pk")
    ServiceKey.objects.filter(pk__in=locked).update(last_used_at=at)


def use_is_due(key: ServiceKey, at: datetime) -> bool:
    """True when the last note is a minute old, or there is none: most calls write nothing."""
    return key.last_used_at is None or at - key.last_used_at >= USE_NOTED_EVERY


def _name(given: str) -> str:
    name = " ".join(given.replace("\x00", "").split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise KeyNameRequired(longest=LONGEST_NAME, field="name")
    return name


def _scopes(given: Iterable[str]) -> list[str]:
    chosen = sorted(set(given))
    if not chosen:
        raise ScopesRequired(field="scopes")
    for scope in chosen:
        if scope not in set(Scope):
            raise ScopeUnknown(scope=scope, scopes=", ".join(Scope), field="scopes")
    return [str(Scope(scope).value) for scope in chosen]
