"""Credits taken back because the money of a minted payment went back at Stripe's (domain §6): one total a charge."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import movements, receivables
from cloud_credits.actions.movements import Applied, liquid_after
from cloud_credits.actions.refunds import given_back
from cloud_credits.events import CloudBurned, CloudClawedBack
from cloud_credits.models import Clawback, PaymentMint, Receivable
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from cloud_credits.policies.purchases import NOTHING, Charge, Due, clawback_due
from habitat.controls.actions.alerts import raise_alert
from habitat.events.actions.outbox import emit
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import cloud_to_usd, plain, usd_to_cloud
from treasury import locks as treasury_locks
from treasury.actions import payments
from treasury.models import JournalEntry, Payment
from treasury.policies.payments import ClawbackCause
from treasury.reports.payments import to_reclaim

CLAW_BACK: Final = "cloud_credits.burn_credits"
_PURPOSES: Final = ((ClawbackCause.DISPUTE, Purpose.DISPUTE), (ClawbackCause.REFUND, Purpose.PAYMENT))


@transaction.atomic
def claw_back(*, payment_id: int, acting: Actor) -> Clawback | None:
    """Brings what was taken back for a payment to what Stripe's totals ask for; None when it was never minted.

    Burns what the member can spend; the rest they owe (1310). Staked credits are never touched. Called again, or
    with the events in another order, it ends in the same totals. Raises NotAllowed. Locks: period, payment,
    clawback, member, debts, balance.
    """
    require(acting, CLAW_BACK)
    treasury_locks.open_period(on=datetime.now(tz=UTC).date())
    payment = treasury_locks.payment(payment_id)
    mint = PaymentMint.objects.filter(payment=payment).first()
    if mint is None or payment.member_id is None:
        return None
    held = locks.clawback(payment_id=payment.pk, member_id=payment.member_id)
    due = _due(payment, held)
    if due.shift:
        payments.book_shift(payment=payment, amount=cloud_to_usd(due.shift), acting=acting)
        held.for_disputes += due.shift
        _save(held)
    if due.for_refunds or due.for_disputes:
        _take(payment, mint, held, due, acting)
    elif due.give_back:
        _give_back(payment, mint, held, due.give_back, acting)
    return held


def _due(payment: Payment, held: Clawback) -> Due:
    told = to_reclaim(payment)
    return clawback_due(
        Charge(
            minted=usd_to_cloud(payment.minted),
            refunded=usd_to_cloud(told.refunded),
            lost=usd_to_cloud(told.disputed),
            taken_for_refunds=held.total - held.for_disputes - held.given_back,
            taken_for_disputes=held.for_disputes,
        )
    )


def _take(payment: Payment, mint: PaymentMint, held: Clawback, due: Due, acting: Actor) -> None:
    # Whoever becomes a debtor here is held, so that their next unstake finds the debt.
    member = locks.member(held.member_id)
    liquid = locks.balances([member.pk])[member.pk].holding.liquid
    wanted = {ClawbackCause.DISPUTE: due.for_disputes, ClawbackCause.REFUND: due.for_refunds}
    burned: dict[ClawbackCause, Decimal] = {}
    for cause, _ in _PURPOSES:
        burned[cause] = min(liquid, wanted[cause])
        liquid -= burned[cause]
    applied = movements.apply([_burn(payment, held, cause, purpose, burned[cause]) for cause, purpose in _PURPOSES
                               if burned[cause]], acting=acting)  # fmt: skip
    entries = {
        cause: payments.book_clawback(
            payment=payment,
            burned=cloud_to_usd(burned[cause]),
            owed=cloud_to_usd(wanted[cause] - burned[cause]),
            cause=cause,
            acting=acting,
        )
        for cause, _ in _PURPOSES
        if wanted[cause]
    }
    debts = [
        _owe(mint, member, wanted[cause] - burned[cause], entry, payment, acting)
        for cause, entry in entries.items()
        if entry is not None and wanted[cause] > burned[cause]
    ]
    taken, by_burning = sum(wanted.values(), NOTHING), sum(burned.values(), NOTHING)
    held.total += taken
    held.burned += by_burning
    held.owed += taken - by_burning
    held.for_disputes += wanted[ClawbackCause.DISPUTE]
    _save(held)
    emit(*[_told(one) for one in applied], _news(held, by_burning, taken - by_burning, applied, debts), acting=acting)


def _burn(payment: Payment, held: Clawback, cause: ClawbackCause, purpose: Purpose, amount: Decimal) -> Movement:
    why = "was lost in a dispute" if cause is ClawbackCause.DISPUTE else "was refunded at Stripe"
    return Movement(
        type=TransactionType.BURN,
        amount=amount,
        purpose=purpose,
        from_member=held.member_id,
        description=f"Taken back: payment {payment.reference} {why}",
        reference=f"clawback:{held.pk}",
    )


def _owe(
    mint: PaymentMint, member: Member, amount: Decimal, entry: JournalEntry, payment: Payment, acting: Actor
) -> Receivable:
    debt = Receivable.objects.create(member=member, amount=amount, origin_id=mint.transaction_id, journal_entry=entry)
    raise_alert(
        code=receivables.ALERT,
        cause=receivables.cause_of(debt),
        message=(
            f"Payment {payment.reference} went back and {member.display_name} had spent its credits: "
            f"{plain(amount)} CLOUD are owed."
        ),
        details={"payment": payment.pk, "receivable": debt.pk, "member": member.pk},
        acting=acting,
    )
    return debt


def _give_back(payment: Payment, mint: PaymentMint, held: Clawback, amount: Decimal, acting: Actor) -> None:
    """A refund made at Stripe failed: all of it is credits again (2240 / 2220), out of which its debt is settled."""
    locks.member(held.member_id)
    debts = [debt for debt in locks.receivables_owed(held.member_id) if debt.origin_id == mint.transaction_id]
    payments.book_giveback(payment=payment, burned=cloud_to_usd(amount), owed=NOTHING, acting=acting)
    movement = Movement(
        type=TransactionType.CORRECTION,
        amount=amount,
        purpose=Purpose.PAYMENT,
        to_member=held.member_id,
        description=f"Given back: a refund of payment {payment.reference} did not arrive",
        reference=f"clawback:{held.pk}",
    )
    [applied] = movements.apply([movement], acting=acting)
    emit(given_back(applied, movement.description), acting=acting)
    if debts:
        receivables.settle(owed=debts, at_most=amount, acting=acting)
    held.given_back += amount
    _save(held)
    emit(_news(held, NOTHING, NOTHING, [applied], []), acting=acting)


def _save(held: Clawback) -> None:
    held.updated_at = datetime.now(tz=UTC)
    held.save(update_fields=["total", "burned", "owed", "for_disputes", "given_back", "updated_at"])


def _told(applied: Applied) -> CloudBurned:
    return CloudBurned(
        transaction_id=applied.transaction_id,
        member_id=applied.movement.from_member or 0,
        quantity=plain(applied.movement.amount),
        reason=applied.movement.description,
        balance_after=liquid_after(applied.from_after),
        journal_entry_id=applied.journal_entry_id,
        timestamp=applied.booked_at.isoformat(),
    )


def _news(
    held: Clawback, burned: Decimal, owed: Decimal, applied: Sequence[Applied], debts: Sequence[Receivable]
) -> CloudClawedBack:
    return CloudClawedBack(
        payment_id=held.payment_id,
        member_id=held.member_id,
        burned=plain(burned),
        owed=plain(owed),
        given_back=plain(held.given_back),
        total=plain(held.total),
        transaction_ids=[one.transaction_id for one in applied],
        receivable_ids=[debt.pk for debt in debts],
    )
