"""Finding a key by what a service sent, and the actor it is."""

from datetime import datetime
from enum import StrEnum

from habitat.controls.models import ServiceKey
from habitat.controls.policies.secrets import NO_KEY, fits, split
from habitat.members.policies.actors import Actor, ActorKind
from habitat.statements import rows_of

_COLUMNS = [field.attname for field in ServiceKey._meta.concrete_fields]
_BY_PREFIX = f"SELECT {', '.join(_COLUMNS)} FROM {ServiceKey._meta.db_table} WHERE prefix = %s::text"  # noqa: S608


class Verdict(StrEnum):
    LIVE = "live"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"


def judge(token: str, *, at: datetime) -> tuple[Verdict, ServiceKey | None]:
    """Whether `token` is a key of ours and still opens doors. Whoever has the wrong secret learns nothing else."""
    parts = split(token)
    if parts is None:
        return Verdict.UNKNOWN, None
    prefix, secret = parts
    key = _by_prefix(prefix)
    if not fits(secret, key.secret_hash if key else NO_KEY) or key is None:
        return Verdict.UNKNOWN, None
    if key.revoked_at is not None:
        return Verdict.REVOKED, key
    return (Verdict.LIVE if key.is_live(at) else Verdict.EXPIRED), key


def _by_prefix(prefix: str) -> ServiceKey | None:
    """Read at every call, so that a revoked key is refused at once; prepared, for every call of a service asks."""
    found = rows_of(_BY_PREFIX, [prefix])
    return ServiceKey.from_db("default", _COLUMNS, found[0]) if found else None


def actor_of(key: ServiceKey) -> Actor:
    """The service as an actor: its scopes are all it may."""
    return Actor(kind=ActorKind.SERVICE, id=key.pk, name=key.name, permissions=frozenset(key.scopes))
