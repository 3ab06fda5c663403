"""Keeps the queue of webhooks within bounds: what is too much is given up, what is too old is thrown away."""

from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from habitat.controls.actions.alerts import raise_alert
from habitat.members.policies.actors import Actor
from habitat.notifications.actions.webhooks import BACKLOG, cause_of
from habitat.notifications.models import WebhookDelivery, WebhookEndpoint
from habitat.notifications.policies.webhooks import FINISHED

# Of one endpoint in one statement, of the lost in one, and rows looked at for trimming in one transaction.
SHED_AT_ONCE: Final = 50_000
LOST_AT_ONCE: Final = 10_000
TRIMMED_AT_ONCE: Final = 2_000

_SHED = """
WITH oldest AS (
    SELECT id FROM notifications_webhookdelivery
     WHERE endpoint_id = %(endpoint)s AND state = 'pending'
     ORDER BY id LIMIT %(surplus)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notifications_webhookdelivery d SET state = 'dead', due_at = clock_timestamp(), error = %(why)s
  FROM oldest WHERE d.id = oldest.id
"""
# Neither a removed endpoint nor a revoked or expired key ever comes back.
_GIVE_UP_LOST = """
WITH lost AS (
    SELECT d.id
      FROM notifications_webhookdelivery d
      JOIN notifications_webhookendpoint e ON e.id = d.endpoint_id
      JOIN controls_servicekey k ON k.id = e.key_id
     WHERE (d.state = 'pending' OR (d.state = 'sending' AND d.lease_until < statement_timestamp()))
       AND (e.state = 'removed' OR k.revoked_at IS NOT NULL OR k.expires_at <= statement_timestamp())
     ORDER BY d.id LIMIT %(most)s FOR NO KEY UPDATE OF d SKIP LOCKED
)
UPDATE notifications_webhookdelivery d
   SET state = 'dead', due_at = clock_timestamp(), lease_until = NULL, error = %(why)s
  FROM lost WHERE d.id = lost.id
"""
_TRIM_DELIVERIES = """
DELETE FROM notifications_webhookdelivery
 WHERE id = ANY(%(old)s) AND state = ANY(%(finished)s) AND due_at < %(before)s
RETURNING id, message_id
"""
_TRIM_ATTEMPTS = "DELETE FROM notifications_webhookattempt WHERE delivery_id = ANY(%s)"
_TRIM_MESSAGES = """
DELETE FROM notifications_webhookmessage m
 WHERE m.id = ANY(%s) AND NOT EXISTS (SELECT FROM notifications_webhookdelivery d WHERE d.message_id = m.id)
"""


@transaction.atomic
def shed(*, endpoint: WebhookEndpoint, waiting: int, most: int, acting: Actor) -> int:
    """Gives up the oldest of what waits beyond `most`, with an alert; how many. They can be sent again by hand."""
    given: dict[str, Any] = {
        "endpoint": endpoint.pk,
        "surplus": min(waiting - most, SHED_AT_ONCE),
        "why": f"More than {most:,} messages waited for this endpoint: given up unsent.",
    }
    with connection.cursor() as cursor:
        cursor.execute(_SHED, given)
        given_up = int(cursor.rowcount)
    raise_alert(
        code=BACKLOG,
        cause=cause_of(endpoint),
        message=f"{waiting:,} messages waited for webhook endpoint {endpoint.pk} of the key {endpoint.key.name}, more "
        f"than {most:,}: the oldest {given_up:,} were given up.",
        details={"endpoint": str(endpoint.pk), "key": str(endpoint.key_id), "waiting": str(waiting)},
        acting=acting,
    )
    return given_up


@transaction.atomic
def give_up_lost() -> int:
    """Ends what waits for endpoints that were removed and for keys that are revoked or expired; how many, at most
    `LOST_AT_ONCE`."""
    why = "Its endpoint was removed, or the key is revoked or expired: it can reach nobody."
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_UP_LOST, {"most": LOST_AT_ONCE, "why": why})
        return int(cursor.rowcount)


@transaction.atomic
def trim(*, after: int, before: datetime) -> int | None:
    """Throws away what was finished before `before` among the next deliveries in order of their numbers, with their
    sendings, and each message once no delivery of it is left.

    Answers the number to go on after; None when everything so old was looked at. What still waits stays, however old.
    """
    next_ones = WebhookDelivery.objects.filter(pk__gt=after).order_by("pk").values_list("pk", "created_at")
    old = [pk for pk, created_at in next_ones[:TRIMMED_AT_ONCE] if created_at < before]
    if not old:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_TRIM_DELIVERIES, {"old": old, "finished": list(FINISHED), "before": before})
        gone = cursor.fetchall()
        cursor.execute(_TRIM_ATTEMPTS, [[delivery_id for delivery_id, _ in gone]])
        cursor.execute(_TRIM_MESSAGES, [[message_id for _, message_id in gone]])
    return old[-1]
