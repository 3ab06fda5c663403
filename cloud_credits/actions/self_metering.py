"""The house counts its own requests: counts come in from every process, windows settle, charges are sent."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from cloud_credits import locks
from cloud_credits.models import SelfMeterCharge
from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.self_metering import retry_after, settle, window_of
from cloud_credits.policies.settings import WINDOW_SECONDS
from habitat.controls.reports import settings
from habitat.members.policies.actors import Actor

# Flushes share this lock, a settling run takes it alone: no flush is half-way into a window that is being settled,
# and the clock read after the lock puts every later flush into a later window.
_FLUSH_LOCK = "SELECT pg_advisory_xact_lock_shared(hashtext('cloud_credits.self_metering')), clock_timestamp()"
_SETTLE_LOCK = "SELECT pg_advisory_xact_lock(hashtext('cloud_credits.self_metering'))"

# Answers no row when this process's batch, or a later one, is already written.
_CLAIM_BATCH = """
INSERT INTO cloud_credits_selfmeterflush AS f (process, sequence, flushed_at)
VALUES (%s, %s, clock_timestamp())
    ON CONFLICT (process) DO UPDATE SET sequence = excluded.sequence, flushed_at = excluded.flushed_at
 WHERE f.sequence < excluded.sequence
RETURNING sequence
"""
_COUNT_BY_USER = """
INSERT INTO cloud_credits_selfmetercount AS c (member_id, primitive, window_start, window_end, amount)
SELECT m.id, n.primitive, %s, %s, n.amount
  FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS n (user_id, primitive, amount)
  JOIN members_member m ON m.user_id = n.user_id
 ORDER BY m.id, n.primitive
    ON CONFLICT (member_id, primitive, window_start) DO UPDATE SET amount = c.amount + excluded.amount
"""
_COUNT_BY_MEMBER = """
INSERT INTO cloud_credits_selfmetercount AS c (member_id, primitive, window_start, window_end, amount)
VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (member_id, primitive, window_start) DO UPDATE SET amount = c.amount + excluded.amount
"""
_TAKE_CLOSED = """
DELETE FROM cloud_credits_selfmetercount c
 WHERE c.window_end <= %s
RETURNING c.member_id, c.primitive, c.window_start, c.window_end, c.amount,
          EXISTS (SELECT FROM cloud_credits_selfmetercharge x
                   WHERE (x.member_id, x.primitive, x.window_start) = (c.member_id, c.primitive, c.window_start))
"""
_REMAINDER = """
INSERT INTO cloud_credits_selfmeterremainder AS r (member_id, primitive, amount, settled)
VALUES (%s, %s, 0, 0)
    ON CONFLICT (member_id, primitive) DO UPDATE SET amount = r.amount
RETURNING r.amount
"""
_CARRY = """
UPDATE cloud_credits_selfmeterremainder SET amount = %s, settled = settled + %s
 WHERE member_id = %s AND primitive = %s
"""
_FORGET_PROCESSES = "DELETE FROM cloud_credits_selfmeterflush WHERE flushed_at < %s"
# A process that has not flushed for a day is gone, and so is any batch of its that could come again.
_PROCESS_MEMORY = timedelta(days=1)


@transaction.atomic
def count(
    *,
    process: UUID,
    sequence: int,
    counts: Mapping[tuple[int, Primitive], int],
    acting: Actor,
    at: datetime | None = None,
) -> bool:
    """Adds one process's counts, by (user id, primitive) in nanoseconds or bytes, to the open window.

    `sequence` grows with every batch of a process: a batch sent again after a lost answer adds nothing and answers
    False. The window is that of the database's clock (`at` stands in for it), never of the request: a late batch
    falls into a later window and cannot change one that was charged. Users who are no member count nothing.
    """
    del acting  # a count belongs to the request's member; nobody acts on it
    rows = [(user_id, primitive.value, amount) for (user_id, primitive), amount in counts.items() if amount > 0]
    seconds = int(settings.value(WINDOW_SECONDS))
    with connection.cursor() as cursor:
        cursor.execute(_FLUSH_LOCK)
        _, clock = cursor.fetchone()
        cursor.execute(_CLAIM_BATCH, [process, sequence])
        if cursor.fetchone() is None:
            return False
        if rows:
            start, end = window_of(at or clock, seconds=seconds)
            users, primitives, amounts = zip(*rows, strict=True)
            cursor.execute(_COUNT_BY_USER, [start, end, list(users), list(primitives), list(amounts)])
    return True


@transaction.atomic
def settle_windows(*, acting: Actor, at: datetime | None = None) -> int:
    """Turns every closed window into charges of whole millionths; what is below carries over. Answers how many.

    Killed at any line it changes nothing: counts, remainders and charges move in one transaction.
    """
    del acting
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE_LOCK)
        cursor.execute("SELECT clock_timestamp()")
        now = at or cursor.fetchone()[0]
        cursor.execute(_TAKE_CLOSED, [now])
        closed = sorted(cursor.fetchall())
        cursor.execute(_FORGET_PROCESSES, [now - _PROCESS_MEMORY])
    charges = [charge for row in closed if (charge := _settle_one(*row, now=now)) is not None]
    SelfMeterCharge.objects.bulk_create(charges)
    return len(charges)


@transaction.atomic
def mark_charged(*, charge: SelfMeterCharge, meter_id: int, cost: Decimal, at: datetime, acting: Actor) -> None:
    """The metering door took the charge. Again for the same charge: nothing happens."""
    del acting
    row = locks.self_charge(charge.pk)
    if row.state == "charged":
        return
    row.charge()
    row.meter_id, row.cost, row.charged_at, row.attempted_at = meter_id, cost, at, at
    row.attempts += 1
    row.refusal_code = row.refusal = ""
    row.save()


@transaction.atomic
def mark_refused(*, charge: SelfMeterCharge, code: str, sentence: str, at: datetime, acting: Actor) -> None:
    """The metering door refused the charge: it stays pending, and is tried again later or after a top-up."""
    del acting
    row = locks.self_charge(charge.pk)
    if row.state == "charged":
        return
    row.attempts += 1
    row.attempted_at, row.due_at = at, at + retry_after(row.attempts)
    row.refusal_code, row.refusal = code[:60], sentence
    row.save()


def _settle_one(
    member_id: int,
    primitive: str,
    start: datetime,
    end: datetime,
    amount: int,
    already_charged: bool,
    *,
    now: datetime,
) -> SelfMeterCharge | None:
    """The charge of one member's closed window; None when nothing reaches a millionth yet."""
    if already_charged:
        # The clock went back, or the window's length changed: the window's id is spent, so the next one takes this.
        _move_to_window_after(member_id, primitive, amount, now)
        return None
    measured = Primitive(primitive)
    with connection.cursor() as cursor:
        cursor.execute(_REMAINDER, [member_id, primitive])
        carried = cursor.fetchone()[0]
        settled = settle(measured, counted=amount, carried=carried)
        cursor.execute(_CARRY, [settled.remainder, amount, member_id, primitive])
    if not settled.quantity:
        return None
    return SelfMeterCharge(
        member_id=member_id,
        primitive=primitive,
        window_start=start,
        window_end=end,
        quantity=settled.quantity,
        due_at=now,
    )


def _move_to_window_after(member_id: int, primitive: str, amount: int, now: datetime) -> None:
    start, end = window_of(now, seconds=int(settings.value(WINDOW_SECONDS)))
    while SelfMeterCharge.objects.filter(member_id=member_id, primitive=primitive, window_start=start).exists():
        start, end = end, end + (end - start)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_BY_MEMBER, [member_id, primitive, start, end, amount])
