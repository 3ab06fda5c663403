"""What members owe (1310): it arises where credits to take back were spent, and is settled from what they hold."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import movements
from cloud_credits.actions.movements import Applied, liquid_after
from cloud_credits.events import CloudBurned
from cloud_credits.models import Receivable
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from habitat.events.actions.outbox import emit
from habitat.members.policies.actors import Actor
from habitat.money import plain
from treasury.locks import open_period


def lock_owed(member_id: int) -> list[Receivable]:
    """What the member owes, locked, oldest first; the period before it, for settling posts (house, lock order).

    The member's own row is held too: a reversal that makes them a debtor waits there, or was before us.
    """
    open_period(on=datetime.now(tz=UTC).date())
    locks.member(member_id)
    return locks.receivables_owed(member_id)


@transaction.atomic(savepoint=False)
def settle(*, owed: Sequence[Receivable], at_most: Decimal, acting: Actor) -> list[Applied]:
    """Burns up to `at_most` CLOUD of the debtor's liquid credits against what is owed, oldest first.

    `owed` is what `lock_owed` gave. Posts 2220 / 1310. Source: domain §6, "their next unstake first settles
    their 1310".
    """
    settled = []
    left = at_most
    for receivable in owed:
        part = min(left, receivable.amount - receivable.settled)
        if part <= 0:
            break
        settled.append((receivable, part))
        left -= part
    applied = movements.apply(
        [
            Movement(
                type=TransactionType.BURN,
                amount=part,
                purpose=Purpose.RECEIVABLE,
                from_member=receivable.member_id,
                description=f"Settles what was owed since {receivable.created_at:%Y-%m-%d}",
                reference=f"receivable:{receivable.pk}",
            )
            for receivable, part in settled
        ],
        acting=acting,
    )
    for (receivable, part), booked in zip(settled, applied, strict=True):
        receivable.settled += part
        receivable.save(update_fields=["settled"])
        emit(_burned(booked), acting=acting)
    return applied


def _burned(booked: Applied) -> CloudBurned:
    return CloudBurned(
        transaction_id=booked.transaction_id,
        member_id=booked.movement.from_member or 0,
        quantity=plain(booked.movement.amount),
        reason=booked.movement.description,
        balance_after=liquid_after(booked.from_after),
        journal_entry_id=booked.journal_entry_id,
        timestamp=booked.booked_at.isoformat(),
    )
