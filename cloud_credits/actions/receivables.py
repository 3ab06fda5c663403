"""What members owe (1310): it arises where credits to take back were spent, and is settled from what they hold."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import movements
from cloud_credits.actions.movements import Applied, liquid_after
from cloud_credits.errors import NothingOwed, SettlesTooMuch
from cloud_credits.events import CloudBurned, ReceivablePaid, ReceivableWrittenOff
from cloud_credits.models import Purchase, Receivable, ReceivablePayment, ReceivableWriteOff
from cloud_credits.policies.movements import BALANCING_ACCOUNT, Movement, Purpose, TransactionType
from cloud_credits.policies.purchases import PurchaseState
from habitat.controls.actions import approvals
from habitat.controls.actions.alerts import resolve_cause
from habitat.controls.models import Approval
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import Money, cloud_to_usd, plain, require_cloud, usd_to_cloud
from treasury import locks as treasury_locks
from treasury.actions import journal, payments
from treasury.locks import open_period
from treasury.models import Payment
from treasury.policies.journal import LONGEST_DESCRIPTION, Line, Source

ALERT: Final = "refund_uncovered"
SETTLE: Final = "cloud_credits.settle_receivable"
WRITE_OFF: Final = "cloud_credits.write_off_receivable"
WRITE_OFF_KIND: Final = "receivable_write_off"
GIVEN_UP: Final = "5930"
MEMBER_RECEIVABLES: Final = BALANCING_ACCOUNT[Purpose.RECEIVABLE]
LONGEST_REASON: Final = 500
PAID_A_DEBT: Final = "Its money paid what you owed."


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
        _close(receivable, acting)
    return applied


@transaction.atomic
def settle_from_liquid(*, receivable: Receivable, amount: Money, reason: str, acting: Actor) -> Receivable:
    """Operations settles a debt from what its member can spend: 2220 / 1310. So a new purchase pays an old debt.

    Raises NotAllowed, ReasonRequired, NothingOwed, SettlesTooMuch, InsufficientBalance.
    """
    quantity = require_cloud(amount)
    require(acting, SETTLE)
    require_reason(reason)
    held = _owed(receivable, quantity)
    settle(owed=[held], at_most=quantity, acting=acting)
    return held


@transaction.atomic
def record_payment(*, receivable: Receivable, payment: Payment, reason: str, acting: Actor) -> ReceivablePayment:
    """A wire that waits pays its sender's debt, whole: 2240 / 1310, with its receipt 1110 / 1310 (domain §6).

    Nothing is minted for it, so it needs no running mint and no active member. A card's payment is minted first and
    the debt settled from it (`settle_from_liquid`). Raises NotAllowed, ReasonRequired, NothingOwed, SettlesTooMuch,
    PaymentInWrongState, PaymentNotApplicable, PaymentContested. Locks: period, payment, purchase, debt.
    """
    require(acting, SETTLE)
    why = require_reason(reason)
    open_period(on=datetime.now(tz=UTC).date())
    money = treasury_locks.payment(payment.pk)
    own = Purchase.objects.filter(payment=money).values_list("pk", flat=True).first()
    purchase = locks.purchase(own) if own is not None else None
    quantity = usd_to_cloud(money.left)
    held = _owed(receivable, quantity)
    entry = payments.apply_to_debt(payment=money, member=held.member, amount=money.left, reason=why, acting=acting)
    paid = ReceivablePayment.objects.create(
        receivable=held,
        payment=money,
        amount=quantity,
        reason=why[:LONGEST_REASON],
        acting=acting.label,
        journal_entry=entry,
    )
    held.settled += quantity
    held.save(update_fields=["settled"])
    if purchase is not None:
        # A wire that was sent back and returned: its purchase was refunded before, and ends so.
        if purchase.state == PurchaseState.PAID:
            purchase.go_to_debt()
        purchase.problem = PAID_A_DEBT
        purchase.save(update_fields=["state", "problem"])
    _close(held, acting)
    emit(
        ReceivablePaid(
            receivable_id=held.pk,
            member_id=held.member_id,
            payment_id=money.pk,
            quantity=plain(quantity),
            journal_entry_id=entry.pk,
        ),
        acting=acting,
    )
    return paid


@transaction.atomic
def request_write_off(*, receivable: Receivable, amount: Money, reason: str, acting: Actor) -> Approval:
    """Asks a second person to give up `amount` CLOUD of a debt. Raises NotAllowed, ReasonRequired, NothingOwed,
    SettlesTooMuch."""
    quantity = require_cloud(amount)
    require(acting, WRITE_OFF)
    why = require_reason(reason)
    held = _owed(receivable, quantity)
    return approvals.request(
        kind=WRITE_OFF_KIND,
        subject=f"Write off {plain(quantity)} CLOUD that {held.member} owes",
        payload={"receivable": str(held.pk), "amount": plain(quantity), "reason": why},
        reason=why,
        acting=acting,
    )


@transaction.atomic(savepoint=False)
def carry_out_write_off(*, approval: Approval, acting: Actor) -> ReceivableWriteOff:
    """What a granted approval does: 5930 / 1310. Raises NothingOwed, SettlesTooMuch when it was settled meanwhile."""
    quantity, why = Decimal(approval.payload["amount"]), approval.payload["reason"]
    held = _owed(Receivable(pk=int(approval.payload["receivable"])), quantity)
    dollars = cloud_to_usd(quantity)
    entry = journal.post(
        lines=[Line.debit(GIVEN_UP, dollars), Line.credit(MEMBER_RECEIVABLES, dollars)],
        occurred_at=datetime.now(tz=UTC),
        source=Source("receivable", str(held.pk)),
        description=why[:LONGEST_DESCRIPTION],
        idempotency_key=f"receivable_write_off:{approval.pk}",
        acting=acting,
    )
    written = ReceivableWriteOff.objects.create(
        receivable=held, amount=quantity, reason=why[:LONGEST_REASON], acting=acting.label, journal_entry=entry
    )
    held.settled += quantity
    held.save(update_fields=["settled"])
    _close(held, acting)
    emit(
        ReceivableWrittenOff(
            receivable_id=held.pk,
            member_id=held.member_id,
            quantity=plain(quantity),
            reason=why,
            journal_entry_id=entry.pk,
        ),
        acting=acting,
    )
    return written


def cause_of(receivable: Receivable) -> str:
    """The cause of a debt's alert."""
    return f"receivable:{receivable.pk}"


def _owed(receivable: Receivable, quantity: Decimal) -> Receivable:
    """The debt, locked after its period, with at least `quantity` left."""
    open_period(on=datetime.now(tz=UTC).date())
    held = locks.receivable(receivable.pk)
    left = held.amount - held.settled
    if not left:
        raise NothingOwed
    if quantity > left:
        raise SettlesTooMuch(left=plain(left), asked=plain(quantity), field="amount")
    return held


def _close(receivable: Receivable, acting: Actor) -> None:
    """Closing rule of the alert: paid or written off."""
    if receivable.settled == receivable.amount:
        resolve_cause(ALERT, cause_of(receivable), acting=acting)


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
