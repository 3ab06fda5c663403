"""Webhook endpoints: set up with a secret shown once, switched off and on, given a new secret, removed."""

import logging
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.controls.models import ServiceKey
from habitat.controls.policies.scopes import Scope
from habitat.errors import NotAllowed
from habitat.events.actions.wakes import wake_after_commit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor, ActorKind
from habitat.notifications import locks
from habitat.notifications.errors import (
    TooManyWebhooks,
    WebhookExists,
    WebhookJustRotated,
    WebhookKeyUnfit,
    WebhookNotInState,
    WebhooksNotSetUp,
)
from habitat.notifications.models import WebhookEndpoint
from habitat.notifications.policies.webhooks import (
    BOTH_SECRETS_FOR,
    EndpointState,
    derived_secret,
    require_types,
    require_url,
    spelled,
)

logger = logging.getLogger(__name__)

QUEUE: Final = "webhooks"
MANAGE: Final = "notifications.manage_webhooks"
ALERT: Final = "webhook_disabled"
BACKLOG: Final = "webhook_backlog"
MOST: Final = 10
LONGEST_REASON: Final = 500
LONGEST_DESCRIPTION: Final = 200


@transaction.atomic
def create(
    *, key: ServiceKey, url: str, types: Iterable[str], description: str = "", acting: Actor
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint of a service key, and its secret: shown once, stored nowhere.

    The service itself, or who holds `manage_webhooks`. Raises NotAllowed, WebhooksNotSetUp, WebhookKeyUnfit,
    WebhookUrlRefused, WebhookTypesUnknown, TooManyWebhooks, WebhookExists.
    """
    _require_own(acting, key.pk)
    master = _master()
    held = locks.service_key(key.pk)
    if not held.opens(Scope.WEBHOOKS) or not held.is_live(datetime.now(tz=UTC)):
        raise WebhookKeyUnfit(name=held.name, field="key")
    address = require_url(url.strip(), allow_loopback=settings.WEBHOOK_ALLOW_LOOPBACK)
    chosen = require_types(types)
    standing = WebhookEndpoint.objects.of_key(held.pk)
    if standing.filter(url=address).exists():
        raise WebhookExists(field="url")
    if standing.count() >= MOST:
        raise TooManyWebhooks(most=MOST)
    endpoint = WebhookEndpoint.objects.create(
        key=held,
        url=address,
        types=chosen,
        description=" ".join(description.replace("\x00", "").split())[:LONGEST_DESCRIPTION],
        salt=secrets.token_hex(16),
        created_by=acting.label,
    )
    return endpoint, spelled(_secret(master, endpoint, endpoint.secret_version))


@transaction.atomic
def rotate(*, endpoint: WebhookEndpoint, acting: Actor) -> tuple[WebhookEndpoint, str]:
    """A new secret, shown once. For 24 hours messages carry a signature by either, and for so long a service gets no
    other: asking again after a lost answer would end the secret it still has. Who holds `manage_webhooks` may.

    Raises NotAllowed, WebhooksNotSetUp, WebhookNotInState (removed), WebhookJustRotated.
    """
    _require_own(acting, endpoint.key_id)
    master = _master()
    held = locks.webhook_endpoint(endpoint.pk)
    if held.state == EndpointState.REMOVED.value:
        raise WebhookNotInState(state=held.state)
    now = datetime.now(tz=UTC)
    until = held.rotated_at + BOTH_SECRETS_FOR if held.rotated_at is not None else now
    if acting.kind is ActorKind.SERVICE and now < until:
        raise WebhookJustRotated(until=f"{until:%Y-%m-%d %H:%M} UTC")
    held.secret_version += 1
    held.rotated_at = now
    held.save(update_fields=["secret_version", "rotated_at"])
    return held, spelled(_secret(master, held, held.secret_version))


@transaction.atomic
def disable(*, endpoint: WebhookEndpoint, reason: str, acting: Actor) -> WebhookEndpoint:
    """Nothing is sent to it until it is switched on again. Raises NotAllowed, ReasonRequired, WebhookNotInState."""
    _require_own(acting, endpoint.key_id)
    why = require_reason(reason)[:LONGEST_REASON]
    held = locks.webhook_endpoint(endpoint.pk)
    if held.state != EndpointState.ACTIVE.value:
        raise WebhookNotInState(state=held.state)
    held.disable()
    held.because = why
    held.save(update_fields=["state", "because"])
    return held


@transaction.atomic
def enable(*, endpoint: WebhookEndpoint, reason: str, acting: Actor) -> WebhookEndpoint:
    """What still waits goes out again, and its alert closes. What happened meanwhile was not kept for it.

    Raises NotAllowed, ReasonRequired, WebhookNotInState.
    """
    _require_own(acting, endpoint.key_id)
    why = require_reason(reason)[:LONGEST_REASON]
    held = locks.webhook_endpoint(endpoint.pk)
    if held.state != EndpointState.DISABLED.value:
        raise WebhookNotInState(state=held.state)
    held.enable()
    held.because, held.failures, held.failing_since = "", 0, None
    held.quiet_until = Now()
    held.save(update_fields=["state", "because", "failures", "failing_since", "quiet_until"])
    resolve_cause(code=ALERT, cause=cause_of(held))
    logger.info("%s switched webhook endpoint %s on: %s", acting.label, held.pk, why)
    wake_after_commit(QUEUE)
    return held


@transaction.atomic
def remove(*, endpoint: WebhookEndpoint, reason: str, acting: Actor) -> WebhookEndpoint:
    """For good. Raises NotAllowed, ReasonRequired, WebhookNotInState."""
    _require_own(acting, endpoint.key_id)
    why = require_reason(reason)[:LONGEST_REASON]
    held = locks.webhook_endpoint(endpoint.pk)
    if held.state == EndpointState.REMOVED.value:
        raise WebhookNotInState(state=held.state)
    held.remove()
    held.because = why
    held.save(update_fields=["state", "because"])
    for code in (ALERT, BACKLOG):
        resolve_cause(code=code, cause=cause_of(held))
    return held


@transaction.atomic(savepoint=False)
def switch_off(*, held: WebhookEndpoint, why: str, detail: str = "", acting: Actor) -> None:
    """The house gives an endpoint up, with an alert. `why` its service reads too, `detail` only the desk. `held` is
    locked by the caller."""
    held.disable()
    held.because = why
    held.save(update_fields=["state", "because"])
    raise_alert(
        code=ALERT,
        cause=cause_of(held),
        message=f"Webhooks to endpoint {held.pk} of the key {held.key.name} are switched off: {detail or why}",
        details={"endpoint": str(held.pk), "key": str(held.key_id)},
        acting=acting,
    )


def signing_secrets(endpoint: WebhookEndpoint, *, at: datetime) -> list[bytes]:
    """The keys a message is signed with now: the newest first, the one before it for a day after a rotation.

    Raises WebhooksNotSetUp.
    """
    master = _master()
    keys = [_secret(master, endpoint, endpoint.secret_version)]
    if endpoint.rotated_at is not None and at < endpoint.rotated_at + BOTH_SECRETS_FOR:
        keys.append(_secret(master, endpoint, endpoint.secret_version - 1))
    return keys


def _secret(master: str, endpoint: WebhookEndpoint, version: int) -> bytes:
    return derived_secret(master, endpoint=f"{endpoint.pk}:{endpoint.salt}", version=version)


def _master() -> str:
    master = str(settings.WEBHOOK_SIGNING_KEY)
    if not master:
        raise WebhooksNotSetUp
    return master


def _require_own(acting: Actor, key_id: int) -> None:
    """A service its own endpoints; people those of all services, with the permission."""
    if acting.kind is ActorKind.SERVICE:
        if acting.id == key_id and acting.may(Scope.WEBHOOKS.value):
            return
        raise NotAllowed(permission=Scope.WEBHOOKS.value)
    if not acting.may(MANAGE):
        raise NotAllowed(permission=MANAGE)


def cause_of(endpoint: WebhookEndpoint) -> str:
    """By which its alerts are told apart."""
    return f"webhook:{endpoint.pk}"
