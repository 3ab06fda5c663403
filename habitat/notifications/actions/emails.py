"""The queue of e-mails: taken under a lease and a fence, marked sent or kept for another try."""

import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models.functions import Now

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.controls.reports.settings import value
from habitat.events.actions.wakes import wake_after_commit
from habitat.events.policies.states import backoff, error_text
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.notifications import locks
from habitat.notifications.errors import EmailNotDead
from habitat.notifications.models import Email
from habitat.notifications.policies.channels import EmailState

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=120)
ALERT: Final = "outbox_stuck"
CAUSE: Final = "emails"
RESEND: Final = "notifications.resend_email"


@dataclass(frozen=True, slots=True)
class EmailClaim:
    """An e-mail in somebody's hands: only the newest `fence` of it may finish it."""

    email_id: int
    fence: int


@transaction.atomic
def claim(*, acting: Actor) -> EmailClaim | None:
    """Takes the e-mail that waits longest and counts an attempt; None when nothing is due."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_email AS email SET state = 'sending', fence = email.fence + 1,"
            " attempts = email.attempts + 1, lease_until = clock_timestamp() + make_interval(secs => %(lease)s),"
            " due_at = clock_timestamp() + make_interval(secs => %(lease)s)"
            " FROM (SELECT id FROM notifications_email WHERE state IN ('queued', 'sending')"
            "   AND due_at <= statement_timestamp() ORDER BY due_at, id LIMIT 1"
            "   FOR NO KEY UPDATE SKIP LOCKED) AS chosen"
            " WHERE email.id = chosen.id RETURNING email.id, email.fence",
            {"lease": LEASE.seconds},
        )
        row = cursor.fetchone()
    return EmailClaim(*row) if row else None


@transaction.atomic
def mark_sent(*, claim: EmailClaim, address: str, acting: Actor) -> bool:
    """The mail server took it; False (and nothing) when somebody else took over."""
    email = locks.held_email(claim.email_id, claim.fence)
    if email is None:
        return False
    failed_before = bool(email.error)
    email.sent()
    email.sent_to = address
    email.sent_at = Now()
    _keep(email, error="")
    if failed_before and not Email.objects.filter(state=EmailState.DEAD.value).exists():
        resolve_cause(code=ALERT, cause=CAUSE)
    return True


@transaction.atomic
def fail(*, claim: EmailClaim, error: Exception, acting: Actor) -> None:
    """Keeps the failure: due again after a while, or dead and alerted after the last attempt."""
    email = locks.held_email(claim.email_id, claim.fence)
    if email is None:
        return
    if email.attempts < int(value("events.max_attempts")):
        email.put_back()
        _keep(email, error=error_text(error), wait=backoff(email.attempts, jitter=random.random()))  # noqa: S311 - spreads retries, hides nothing
        return
    email.die()
    _keep(email, error=error_text(error))
    raise_alert(
        code=ALERT,
        cause=CAUSE,
        message=f"An e-mail to member {email.member_id} could not be sent in {email.attempts} attempts.",
        details={"email": str(email.pk), "error": email.error},
        acting=acting,
    )


@transaction.atomic
def send_again(*, email: Email, reason: str, acting: Actor) -> Email:
    """Queues a dead e-mail once more, under its Message-ID. Raises ReasonRequired, NotAllowed, EmailNotDead."""
    require(acting, RESEND)
    reason = require_reason(reason)
    found = locks.email(email.pk)
    if found.state != EmailState.DEAD.value:
        raise EmailNotDead(email=found.pk, state=found.state)
    logger.info("%s sends e-mail %s again: %s", acting.label, found.pk, reason)
    note = f"Sent again by {acting.label}: {reason}. Before: {found.error}"
    found.send_again()
    found.attempts = 0
    _keep(found, error=note[:500])
    wake_after_commit("emails")
    return found


def _keep(email: Email, *, error: str, wait: timedelta = timedelta()) -> None:
    email.lease_until = None
    email.error = error
    email.due_at = Now() + wait
    email.save(update_fields=["state", "lease_until", "error", "due_at", "attempts", "sent_at", "sent_to"])
