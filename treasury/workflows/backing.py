"""Checks of the backing: who is asked, how many checks become one, and which run by the clock (domain §6)."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Final

from django.utils import timezone

from habitat.errors import HabitatError
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.permissions import require
from treasury.actions import backing, stripe_readings
from treasury.actions.backing import QUEUE
from treasury.gateways import mercury
from treasury.gateways.stripe import stripe_gateway
from treasury.models import BackingCheck, MintSwitch
from treasury.policies.backing import BANK_READING_REUSED
from treasury.reports import backing as reports
from treasury.workflows import bank

logger = logging.getLogger(__name__)

DAILY: Final = "daily"
# While checks follow each other, what asks meanwhile is answered by the next; after this another worker goes on.
TURN_SECONDS: Final = 10
# A slow bank and a slow Stripe hold one check for two minutes at most (gateways: timeouts, attempts, pauses).
LONGEST_DRAIN: Final = 150

__all__ = ["QUEUE", "check_by_the_hour", "check_now", "check_of_the_day", "drain", "recheck"]


def drain() -> int:
    """One check for everything that asked; how many requests were answered. Another one in flight answers them too."""
    answered, end = 0, time.monotonic() + TURN_SECONDS
    with backing.in_flight(waits=False, acting=SYSTEM) as is_mine:
        while is_mine and time.monotonic() < end:
            asked = reports.last_request()
            if asked is None:
                return answered
            _check(trigger=asked.trigger, acting=SYSTEM)
            answered += backing.answer_requests(up_to=asked.pk, acting=SYSTEM)
    if is_mine:
        queue.wake(QUEUE)
    return answered


def check_now(
    *, trigger: str, acting: Actor, as_of: datetime | None = None, books_until: date | None = None
) -> BackingCheck:
    """Asks bank and Stripe and keeps what comes of it. Waits for a check in flight. Raises NotAllowed."""
    require(acting, "treasury.check_backing")
    with backing.in_flight(waits=True, acting=acting):
        return _check(trigger=trigger, acting=acting, as_of=as_of, books_until=books_until)


def check_by_the_hour(due_at: datetime) -> None:
    """The hourly job: the ratio also moves by what happens outside."""
    check_now(trigger="hourly", acting=SYSTEM)


def check_of_the_day(due_at: datetime) -> None:
    """The daily job: as of 00:00 UTC, against bank and Stripe; once a day, however late it runs."""
    if BackingCheck.objects.filter(trigger=DAILY, as_of=due_at).exists():
        return
    check_now(trigger=DAILY, acting=SYSTEM, as_of=due_at, books_until=due_at.astimezone(UTC).date())


def recheck(due_at: datetime) -> None:
    """While checks keep minting off, look again: it resumes by itself once a check passes."""
    if MintSwitch.objects.filter(automatic=False).exists():
        check_now(trigger="recheck", acting=SYSTEM)


def _check(
    *, trigger: str, acting: Actor, as_of: datetime | None = None, books_until: date | None = None
) -> BackingCheck:
    """Readings first, outside any transaction. Who does not answer is taken by the last reading ± what was booked."""
    for name, read in (("bank", _read_bank), ("Stripe", _read_stripe)):
        _ask(name, read)
    return backing.record_check(trigger=trigger, acting=acting, as_of=as_of, books_until=books_until)


def _ask(name: str, read: Callable[[], None]) -> None:
    try:
        read()
    except HabitatError as refusal:
        logger.warning("The backing is checked without a new reading of the %s: %s", name, refusal.sentence)


def _read_bank() -> None:
    """Balances and lines together, so that a pay-out that arrived is known to have; reused for five minutes."""
    if mercury.is_configured() and not reports.bank_was_read(within=BANK_READING_REUSED):
        bank.sync(timezone.now(), acting=SYSTEM)


def _read_stripe() -> None:
    if not reports.is_stripe_connected():
        return
    balance = stripe_gateway().balance()
    stripe_readings.record(available=balance.available, pending=balance.pending, acting=SYSTEM)
