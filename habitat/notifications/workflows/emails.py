"""Sends what waits in the e-mail queue, one transaction a mail: at least once, always under the same Message-ID."""

import logging
import time
from typing import Final
from urllib.parse import urljoin

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM
from habitat.notifications.actions import emails
from habitat.notifications.errors import NoAddress
from habitat.notifications.models import Email

logger = logging.getLogger(__name__)

BUDGET_SECONDS: Final = 35
PREFERENCES_PATH: Final = "/settings/notifications/"


def drain() -> int:
    """Sends what is due; how many were sent. A mail that fails holds up no other."""
    end = time.monotonic() + BUDGET_SECONDS
    sent = 0
    while claim := emails.claim(acting=SYSTEM):
        sent += _send(claim)
        if time.monotonic() > end:
            queue.wake(queue.EMAILS)
            break
    return sent


def _send(claim: emails.EmailClaim) -> bool:
    """The mail server is called outside any transaction; a crash after it took the mail sends it once more."""
    try:
        email = Email.objects.select_related("member__user").get(pk=claim.email_id)
        address = _address(email)
        message(email, address).send()
    except Exception as error:
        # The text of the mail stays out of the log.
        logger.warning("E-mail %s failed: %s", claim.email_id, type(error).__name__)
        emails.fail(claim=claim, error=error, acting=SYSTEM)
        return False
    return emails.mark_sent(claim=claim, address=address, acting=SYSTEM)


def message(email: Email, address: str) -> EmailMultiAlternatives:
    """The mail as sent: plain text with a minimal HTML alternative, and where to choose fewer of them."""
    preferences = urljoin(settings.SITE_URL, PREFERENCES_PATH)
    link = urljoin(settings.SITE_URL, email.link) if email.link else ""
    context = {"email": email, "name": email.member.display_name, "link": link, "preferences": preferences}
    built = EmailMultiAlternatives(
        subject=email.subject,
        body=render_to_string("notifications/email.txt", context),
        to=[address],
        headers={
            "Message-ID": email.message_id,
            "List-Unsubscribe": f"<{preferences}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    built.attach_alternative(render_to_string("notifications/email.html", context), "text/html")
    return built


def _address(email: Email) -> str:
    user = email.member.user
    if user is None or not user.is_active:
        raise NoAddress
    return user.email
