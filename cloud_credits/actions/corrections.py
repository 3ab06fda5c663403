"""Putting balances right: plain corrections, and reversals of booked transactions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Q

from cloud_credits import locks
from cloud_credits.actions import idempotency, movements
from cloud_credits.actions.idempotency import Outcome
from cloud_credits.actions.movements import Applied
from cloud_credits.errors import NotReversible, SelfTransfer, UnknownMember
from cloud_credits.events import CloudCorrected
from cloud_credits.models import CloudTransaction, Invoice, Receivable
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from cloud_credits.policies.reversals import Undoing, undo
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import Money, plain, require_cloud
from treasury.actions import journal
from treasury.locks import open_period
from treasury.models import Period
from treasury.policies.journal import LONGEST_DESCRIPTION, Source

NOTHING: Final = Decimal(0)


@transaction.atomic
def correct(
    *,
    amount: Money,
    reason: str,
    idempotency_key: str,
    acting: Actor,
    from_member: Member | None = None,
    to_member: Member | None = None,
) -> Outcome[CloudTransaction]:
    """A correction: to only adds, from only takes, both moves (domain §3). Posts 5930 against 2220 as it must.

    Raises NotAllowed, ReasonRequired, SelfTransfer, UnknownMember (neither side), InsufficientBalance.
    """
    quantity = require_cloud(amount)
    require(acting, "cloud_credits.correct_credits")
    why = require_reason(reason)
    source = from_member.pk if from_member else None
    target = to_member.pk if to_member else None
    if source is None and target is None:
        raise UnknownMember(given="")
    if source == target:
        raise SelfTransfer
    claim = idempotency.claim(
        namespace=acting.label,
        operation="correct",
        key=idempotency_key,
        content={"from": source, "to": target, "amount": plain(quantity), "reason": why},
    )
    if not claim.is_new:
        return idempotency.first_result(claim)
    [applied] = movements.apply(
        [
            Movement(
                type=TransactionType.CORRECTION,
                amount=quantity,
                purpose=Purpose.MANUAL,
                from_member=source,
                to_member=target,
                description=why,
            )
        ],
        ids=[claim.transaction_id],
        acting=acting,
    )
    emit(_corrected([applied], source, target, quantity, why), acting=acting)
    return Outcome(applied.row(acting), replayed=False)


@transaction.atomic
def reverse(
    *, original: CloudTransaction, reason: str, idempotency_key: str, acting: Actor
) -> Outcome[CloudTransaction]:
    """Undoes a completed transaction by corrections that point at it; the original becomes `reversed`.

    What the holder has already spent becomes a receivable (1310), never a negative balance. The outcome is the
    original. Raises NotAllowed, ReasonRequired, NotReversible, IdempotencyConflict.
    """
    require(acting, "cloud_credits.correct_credits")
    why = require_reason(reason)
    claim = idempotency.claim(
        namespace=acting.label,
        operation="reverse",
        key=idempotency_key,
        content={"original": original.pk, "reason": why},
        effect=original.pk,
    )
    if not claim.is_new:
        return idempotency.first_result(claim)
    period = open_period(on=datetime.now(tz=UTC).date())
    held = locks.cloud_transaction(original.pk)
    _check_no_invoice(held)
    sides = [side for side in (held.from_member_id, held.to_member_id) if side is not None]
    # Whoever becomes a debtor here is held, so that their next unstake finds the debt.
    locks.members(sides)
    holdings = {member: row.holding for member, row in locks.balances(sides).items()}
    undoing = undo(
        held.as_movement(),
        transaction_id=held.pk,
        state=held.state,
        holdings=holdings,
        techne=movements.techne_id(),
        why=why,
    )
    applied = movements.apply(undoing.movements, acting=acting)
    entry_ids = _owe(undoing, held, why, applied, acting, period) if undoing.owed else []
    held.mark_reversed()
    held.save(update_fields=["state"])
    emit(
        _corrected(
            applied,
            held.to_member_id,
            held.from_member_id,
            held.amount,
            why,
            original=held.pk,
            receivable=undoing.owed,
            entry_ids=entry_ids,
        ),
        acting=acting,
    )
    return Outcome(held, replayed=False)


def _check_no_invoice(held: CloudTransaction) -> None:
    """What paid or refunded an invoice stays, for the invoice says so. Raises NotReversible."""
    if Invoice.objects.filter(Q(payment_transaction=held) | Q(refund_transaction=held)).exists():
        raise NotReversible(transaction=held.pk, why="it settled an invoice; refund the invoice instead")


def _owe(
    undoing: Undoing, original: CloudTransaction, why: str, applied: Sequence[Applied], acting: Actor, period: Period
) -> list[int]:
    """Records what the debtor owes; returns the entry that carries it unless a correction already does."""
    debt = Receivable(origin=original, amount=undoing.owed)
    # The columns are NOT NULL: a debt without debtor or entry cannot be written.
    debt.member_id = undoing.debtor  # type: ignore[assignment]
    if not undoing.owed_lines:
        debt.journal_entry_id = applied[-1].journal_entry_id  # type: ignore[assignment]
        debt.save(force_insert=True)
        return []
    entry = journal.post(
        lines=undoing.owed_lines,
        occurred_at=datetime.now(tz=UTC),
        source=Source("receivable", str(original.pk)),
        description=why[:LONGEST_DESCRIPTION],
        idempotency_key=f"receivable:{original.pk}",
        acting=acting,
        period=period,
    )
    debt.journal_entry = entry
    debt.save(force_insert=True)
    return [entry.pk]


def _corrected(
    applied: Sequence[Applied],
    source: int | None,
    target: int | None,
    quantity: Decimal,
    reason: str,
    *,
    original: int | None = None,
    receivable: Decimal = NOTHING,
    entry_ids: Sequence[int] = (),
) -> CloudCorrected:
    posted = [step.journal_entry_id for step in applied if step.journal_entry_id is not None]
    moments = [step.booked_at for step in applied] or [datetime.now(tz=UTC)]
    return CloudCorrected(
        transaction_ids=[step.transaction_id for step in applied],
        from_member_id=source,
        to_member_id=target,
        quantity=plain(quantity),
        reason=reason,
        reverses=original,
        receivable=plain(receivable),
        journal_entry_ids=[*posted, *entry_ids],
        timestamp=moments[-1].isoformat(),
    )
