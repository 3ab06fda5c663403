"""Usage comes in: priced, redeemed and written down in one transaction, exactly once."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import DatabaseError, transaction
from psycopg import errors as postgres

from cloud_credits import locks
from cloud_credits.actions import movements, spending
from cloud_credits.actions.movements import liquid_after
from cloud_credits.actions.rate_cards import cards_changed, settle_before_pricing
from cloud_credits.actions.redemptions import redeemed, redemption
from cloud_credits.errors import BatchBusy, EventConflict, MemberNotActive, MeteredMemberUnknown, SpendCapReached
from cloud_credits.events import CloudRedeemed
from cloud_credits.models import MeteringRefusal
from cloud_credits.policies.metering import (
    MeteringEvent,
    MeteringOutcome,
    RefusalRecord,
    is_late,
    parse,
    require_not_ahead,
    require_not_late,
)
from cloud_credits.policies.pricing import cost
from cloud_credits.policies.rate_cards import Card
from cloud_credits.policies.spending import month_refused
from cloud_credits.reports.rate_cards import card_at, forget
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.errors import HabitatError
from habitat.events.actions.outbox import emit
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.members.policies.statuses import MAY_REDEEM
from habitat.money import cloud_to_usd, plain
from habitat.statements import rows_of

LATE_USAGE: Final = "late_usage"
LATE_USAGE_PERMISSION: Final = "cloud_credits.admit_late_usage"

# One round trip tells who the member is, whether the event is already here and when the house has it, by the clock
# that the guards go by; and draws its transaction's number.
_KNOWN = """
SELECT m.status, m.display_name, u.id, u.digest, u.cost, c.version, t.from_liquid_after,
       CASE WHEN u.id IS NULL THEN nextval('cloud_credits_cloudtransaction_id_seq') END,
       habitat_now(), current_setting('lock_timeout')
  FROM (SELECT %s::bigint AS member_id) AS asked
  LEFT JOIN members_member m ON m.id = asked.member_id
  LEFT JOIN cloud_credits_resourceusage u ON u.service_key_id = %s::bigint AND u.event_id = %s::text
  LEFT JOIN cloud_credits_cloudtransaction t ON t.id = u.transaction_id
  LEFT JOIN cloud_credits_ratecard c ON c.id = u.rate_card_id
"""
# Two requests with the same id: the second waits here for the first to end, and then writes nothing. It holds the
# balance, so it waits briefly (`locks.ID_PATIENCE`), in no statement of its own.
_WRITE = """
INSERT INTO cloud_credits_resourceusage
       (member_id, primitive, quantity, unit, rate, cost, rate_card_id, service_key_id, service_name, event_id,
        digest, started_at, metered_at, received_at, is_late, approval_id, transaction_id, journal_entry_id)
SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s
  FROM (SELECT set_config('lock_timeout', %s, true) AS patience) AS briefly
 WHERE patience IS NOT NULL
    ON CONFLICT (service_key_id, event_id) DO NOTHING
RETURNING id, set_config('lock_timeout', %s, true)
"""
# How often, and after which pauses, an event is tried whose id a batch has: some five seconds.
TRIES: Final = 40
PAUSE: Final = timedelta(milliseconds=100)
_RUN_AGAIN: Final = (postgres.LockNotAvailable, postgres.DeadlockDetected)


class _RecordedMeanwhile(Exception):
    """The same event id was committed by somebody else while this one was under way."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database knows of an event before it is judged."""

    status: str | None
    holder: str | None
    digest: bytes | None
    outcome: MeteringOutcome | None
    drawn: int
    at: datetime
    lock_timeout: str


def receive(*, body: Mapping[str, Any], key_id: int, acting: Actor) -> MeteringOutcome:
    """`record` for an event as it came. What cannot be read is refused and logged like any other refusal."""
    try:
        event = parse(body)
    except HabitatError as refusal:
        _log_refusal(refusal, body=body, key_id=key_id)
        raise
    return record(event=event, key_id=key_id, acting=acting)


def record(*, event: MeteringEvent, key_id: int, acting: Actor) -> MeteringOutcome:
    """Prices the event at its end time, redeems its cost and writes its usage: all or nothing, once.

    The same event again answers the first outcome with `replayed`. Raises EventConflict (the id was used for other
    content), EventInFuture, EventTooLate, NoCardInForce, MeteredMemberUnknown, MemberNotActive (suspended),
    InsufficientBalance, SpendCapReached, NoCloudIdentity, BatchBusy (a batch with the same event is under way). This is
    not one transaction as other actions are: a refusal rolls its transaction back, and is then logged in one of its
    own; it blocks nothing, the event may be sent again (domain §3).
    """
    try:
        return _charge_by_cards_of_now(event, key_id=key_id, acting=acting)
    except HabitatError as refusal:
        _log_refusal(refusal, body=event.payload(), key_id=key_id)
        if isinstance(refusal, SpendCapReached):
            spending.tell_caps_met({event.member_id: month_refused(refusal)})
        raise


@transaction.atomic
def request_late_usage(*, event: MeteringEvent, key_id: int, reason: str, acting: Actor) -> Approval:
    """Asks a second person to let in usage older than 35 days (domain §4). Raises NotAllowed, ReasonRequired."""
    require(acting, LATE_USAGE_PERMISSION)
    return approvals.request(
        kind=LATE_USAGE,
        subject=f"{event.service_name} {event.event_id}",
        payload=event.payload() | {"keyId": str(key_id)},
        reason=reason,
        acting=acting,
    )


def admit_late_usage(*, approval: Approval, acting: Actor) -> None:
    """What a granted `late_usage` approval does, in the same transaction: the event is priced at its own date."""
    event = parse(approval.payload)
    settle_before_pricing()
    _charge_or_replay(event, key_id=int(approval.payload["keyId"]), approval_id=approval.pk, acting=acting)


def _charge_by_cards_of_now(event: MeteringEvent, *, key_id: int, acting: Actor) -> MeteringOutcome:
    """Where the cards changed between reading the price and charging it, once more: a vote changes them once."""
    settle_before_pricing()
    try:
        return _charge_or_replay(event, key_id=key_id, approval_id=None, acting=acting)
    except DatabaseError as error:
        if not cards_changed(error):
            raise
    forget()
    settle_before_pricing()
    return _charge_or_replay(event, key_id=key_id, approval_id=None, acting=acting)


def _charge_or_replay(event: MeteringEvent, *, key_id: int, approval_id: int | None, acting: Actor) -> MeteringOutcome:
    """Where a batch with the same event has its id, this lets go of the balance, so that nobody is held up, and asks
    again until the batch is through. Raises BatchBusy."""
    for _ in range(TRIES):
        try:
            return _charge_once(event, key_id=key_id, approval_id=approval_id, acting=acting)
        except DatabaseError as error:
            if not isinstance(error.__cause__, _RUN_AGAIN):
                raise
        time.sleep(PAUSE.total_seconds())
    raise BatchBusy


def _charge_once(event: MeteringEvent, *, key_id: int, approval_id: int | None, acting: Actor) -> MeteringOutcome:
    try:
        return _charge(event, key_id=key_id, approval_id=approval_id, acting=acting)
    except (_RecordedMeanwhile, HabitatError):
        # A twin may have been faster, and have spent the very credits this one found missing.
        known = _known(event, key_id)
        if known.outcome is None:
            raise
        return _replay(event, known)


@transaction.atomic
def _charge(event: MeteringEvent, *, key_id: int, approval_id: int | None, acting: Actor) -> MeteringOutcome:
    """The whole effect of one event, or the first outcome where it is already here."""
    known = _known(event, key_id)
    if known.outcome is not None:
        return _replay(event, known)
    now = known.at
    require_not_ahead(event, now=now)
    if approval_id is None:
        require_not_late(event, now=now)
    _require_may_redeem(event, known)
    card = card_at(event.ended_at)
    price = cost(event.quantity, card.rate(event.primitive))
    movement = redemption(
        member_id=event.member_id,
        quantity=price,
        description=f"{event.primitive.value} usage: {plain(event.quantity)} {event.unit}",
        reference=event.event_id,
    )
    [applied] = movements.apply([movement], ids=[known.drawn], occurred_at=now, acting=acting)
    late_approval = approval_id if is_late(event, now=now) else None
    if late_approval is None:
        # Under the balance lock that `apply` took; late usage was let in by two persons and counts in no month.
        spending.count({event.member_id: price}, at=applied.booked_at)
    meter_id = _write(event, card, price, applied, known, key_id=key_id, approval_id=late_approval)
    outcome = MeteringOutcome(
        meter_id=meter_id,
        cloud_cost=price,
        usd_value=cloud_to_usd(price),
        rate_card_version=card.version,
        member_balance_after=Decimal(liquid_after(applied.from_after)),
        replayed=False,
    )
    emit(_fact(event, outcome, applied), acting=acting)
    return outcome


def _known(event: MeteringEvent, key_id: int) -> _Known:
    [(status, holder, meter_id, digest, price, version, balance_after, drawn, at, lock_timeout)] = rows_of(
        _KNOWN, [event.member_id, key_id, event.event_id]
    )
    at = at.astimezone(UTC)
    if meter_id is None:
        return _Known(status, holder, digest=None, outcome=None, drawn=drawn, at=at, lock_timeout=lock_timeout)
    outcome = MeteringOutcome(
        meter_id=meter_id,
        cloud_cost=price,
        usd_value=cloud_to_usd(price),
        rate_card_version=version,
        member_balance_after=balance_after,
        replayed=True,
    )
    return _Known(status, holder, digest=bytes(digest), outcome=outcome, drawn=0, at=at, lock_timeout=lock_timeout)


def _replay(event: MeteringEvent, known: _Known) -> MeteringOutcome:
    if known.outcome is None or known.digest != event.digest:
        raise EventConflict(event_id=event.event_id, field="eventId")
    return known.outcome


def _require_may_redeem(event: MeteringEvent, known: _Known) -> None:
    """The writer judges again under the balance's lock; here the field at fault is named."""
    if known.status is None:
        raise MeteredMemberUnknown(given=event.member_id, field="memberId")
    if known.status not in MAY_REDEEM:
        raise MemberNotActive(holder=known.holder, status=known.status, field="memberId")


def _write(
    event: MeteringEvent,
    card: Card,
    price: Decimal,
    applied: movements.Applied,
    known: _Known,
    *,
    key_id: int,
    approval_id: int | None,
) -> int:
    row = [
        event.member_id,
        event.primitive.value,
        event.quantity,
        event.unit,
        card.rate(event.primitive),
        price,
        card.id,
        key_id,
        event.service_name,
        event.event_id,
        event.digest,
        event.started_at,
        event.ended_at,
        known.at,
        approval_id is not None,
        approval_id,
        applied.transaction_id,
        applied.journal_entry_id,
        locks.ID_PATIENCE,
        known.lock_timeout,
    ]
    written = rows_of(_WRITE, row)
    if not written:
        raise _RecordedMeanwhile
    return int(written[0][0])


def _fact(event: MeteringEvent, outcome: MeteringOutcome, applied: movements.Applied) -> CloudRedeemed:
    """The redemption's fact with the usage behind it."""
    return replace(
        redeemed(applied),
        primitive=event.primitive.value,
        resource_units=plain(event.quantity),
        unit=event.unit,
        service_name=event.service_name,
        meter_id=outcome.meter_id,
        metered_at=event.ended_at.isoformat(),
        rate_card_version=outcome.rate_card_version,
    )


@transaction.atomic
def _log_refusal(refusal: HabitatError, *, body: Mapping[str, Any], key_id: int) -> None:
    MeteringRefusal.objects.create(service_key_id=key_id, **asdict(RefusalRecord.of(refusal, body)))
