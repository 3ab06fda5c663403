"""Refunds of minted payments that operations decide on: credits taken first, then the money sent (domain §6, §10)."""

from datetime import UTC, datetime
from typing import Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import movements, receivables
from cloud_credits.actions.movements import Applied, liquid_after
from cloud_credits.errors import (
    RefundNotRecorded,
)
from cloud_credits.events import CloudBurned, CloudCorrected, RefundFailed, RefundRequested, RefundSettled
from cloud_credits.models import PaymentMint, Purchase, RefundRequest
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from cloud_credits.policies.purchases import PurchaseState, RefundRequestState, check_cents
from cloud_credits.reports.refunds import check_reach, minted_of, reach, settled_of
from habitat.errors import IdempotencyConflict
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import Money, cloud_to_usd, plain, require_cloud, usd_to_cloud
from habitat.workflows.actions import sagas
from treasury import locks as treasury_locks
from treasury.actions import refunds as treasury_refunds
from treasury.models import Payment, Refund
from treasury.policies.payments import RefundOrigin

SAGA: Final = "credit_refund"
OUTCOME: Final = "refund_outcome"
REFUND: Final = "cloud_credits.refund_credits"
LONGEST_REASON: Final = 500
LONGEST_PROBLEM: Final = 300


@transaction.atomic
def request(*, payment: Payment, amount: Money, reason: str, idempotency_key: str, acting: Actor) -> RefundRequest:
    """Decides that `amount` CLOUD of a minted payment are refunded, ten dollars each, the way the payment came.

    At most what is left of the payment and what its member can spend. Raises NotAllowed, ReasonRequired,
    WholeCentsOnly, PaymentNotMinted, RefundAtTheBank, RefundAboveReach, InsufficientBalance, PaymentContested,
    IdempotencyConflict.
    """
    quantity = require_cloud(amount)
    check_cents(quantity)
    require(acting, REFUND)
    why = require_reason(reason)[:LONGEST_REASON]
    held = treasury_locks.payment(payment.pk)
    key = f"{acting.label}:{idempotency_key}"[:200]
    first = RefundRequest.objects.filter(key=key).first()
    if first is not None:
        if (first.payment_id, first.amount) != (held.pk, quantity):
            raise IdempotencyConflict(key=idempotency_key)
        return first
    mint, member_id = minted_of(held)
    check_reach(reach(mint), quantity)
    treasury_refunds.begin(payment=held, amount=cloud_to_usd(quantity), acting=acting)
    row = RefundRequest.objects.create(
        payment=held, member_id=member_id, amount=quantity, reason=why, asked_by=acting.label, key=key
    )
    given = {
        "request_id": row.pk,
        "payment_id": held.pk,
        "reference": held.reference,
        "usd": plain(cloud_to_usd(quantity)),
    }
    sagas.start(saga=SAGA, key=str(row.pk), input=given, acting=acting)
    emit(
        RefundRequested(
            request_id=row.pk,
            payment_id=held.pk,
            member_id=member_id,
            quantity=plain(quantity),
            usd=plain(cloud_to_usd(quantity)),
            reason=why,
        ),
        acting=acting,
    )
    return row


def _locked(request_id: int) -> tuple[RefundRequest, Payment]:
    """The request with its payment, in the house's order: period, payment, request."""
    treasury_locks.open_period(on=datetime.now(tz=UTC).date())
    payment = treasury_locks.payment(RefundRequest.objects.values_list("payment_id", flat=True).get(pk=request_id))
    return locks.refund_request(request_id), payment


@transaction.atomic
def burn(*, request_id: int, acting: Actor) -> RefundRequest:
    """Takes the credits (2220 / 2240), once. Raises InsufficientBalance when they were spent meanwhile."""
    held, payment = _locked(request_id)
    if held.state != RefundRequestState.ASKED:
        return held
    [applied] = movements.apply(
        [
            Movement(
                type=TransactionType.BURN,
                amount=held.amount,
                purpose=Purpose.PAYMENT,
                from_member=held.member_id,
                description=f"Refund: {held.reason}",
                reference=f"refund:{held.pk}",
            )
        ],
        acting=acting,
    )
    held.burn_id = applied.transaction_id
    held.burned()
    held.save(update_fields=["state", "burn"])
    emit(_burned(applied, held), acting=acting)
    return held


@transaction.atomic
def record_sent(*, request_id: int, refund_id: str, acting: Actor) -> RefundRequest:
    """Stripe has the order: from here on only its outcome decides."""
    held, payment = _locked(request_id)
    if held.state == RefundRequestState.BURNED:
        treasury_refunds.record_sent(
            payment=payment, refund_id=refund_id, amount=cloud_to_usd(held.amount), acting=acting
        )
        held.refund_id = refund_id
        held.sent()
        held.save(update_fields=["state", "refund_id"])
    return held


@transaction.atomic
def settle(*, request_id: int, acting: Actor) -> RefundRequest:
    """The payer has the money; treasury booked 2240 / 1115. When all of a purchase went back, it says so."""
    held, payment = _locked(request_id)
    if held.state != RefundRequestState.SENT:
        return held
    held.settled()
    held.save(update_fields=["state"])
    _mark_purchase(payment)
    emit(
        RefundSettled(
            request_id=held.pk,
            payment_id=held.payment_id,
            member_id=held.member_id,
            quantity=plain(held.amount),
            usd=plain(cloud_to_usd(held.amount)),
        ),
        acting=acting,
    )
    return held


@transaction.atomic
def fail(*, request_id: int, why: str, acting: Actor) -> RefundRequest:
    """The money did not go, or came back: what was burned is the member's again (2240 / 2220), once."""
    held, payment = _locked(request_id)
    if held.state == RefundRequestState.FAILED:
        return held
    take_back_mark(payment)
    applied = _give_back(held, payment, acting) if held.burn_id is not None else None
    held.giveback_id = applied.transaction_id if applied else None
    held.problem = why[:LONGEST_PROBLEM]
    held.failed()
    held.save(update_fields=["state", "giveback", "problem"])
    emit(
        RefundFailed(
            request_id=held.pk,
            payment_id=held.payment_id,
            member_id=held.member_id,
            quantity=plain(held.amount),
            usd=plain(cloud_to_usd(held.amount)),
            why=held.problem,
            transaction_id=held.giveback_id,
        ),
        acting=acting,
    )
    return held


@transaction.atomic
def note_outcome(*, payment_id: int, refund_id: str, succeeded: bool, acting: Actor) -> bool:
    """Stripe has told how a refund of ours ended. False when the refund belongs to no request.

    Raises RefundNotRecorded while the saga has not written down its number yet: the news is told again later.
    """
    found = RefundRequest.objects.filter(refund_id=refund_id).values_list("pk", flat=True).first()
    if found is None:
        # Credits are burned for requests alone: this one's number is about to be written down.
        if Refund.objects.filter(refund_id=refund_id, origin=RefundOrigin.HABITAT.value).exists():
            raise RefundNotRecorded(payment=payment_id)
        return False
    if succeeded:
        settle(request_id=found, acting=acting)
    else:
        fail(request_id=found, why="Stripe could not deliver the money.", acting=acting)
    payload = {"refund_id": refund_id, "succeeded": succeeded}
    sagas.signal(saga=SAGA, key=str(found), name=OUTCOME, payload=payload, acting=acting)
    return True


def _give_back(held: RefundRequest, payment: Payment, acting: Actor) -> Applied:
    """All of it is credits again, out of which what the same payment left owed is settled."""
    locks.member(held.member_id)
    mint = PaymentMint.objects.get(payment=payment)
    debts = [debt for debt in locks.receivables_owed(held.member_id) if debt.origin_id == mint.transaction_id]
    movement = Movement(
        type=TransactionType.CORRECTION,
        amount=held.amount,
        purpose=Purpose.PAYMENT,
        to_member=held.member_id,
        description="Given back: the refund did not arrive",
        reference=f"refund:{held.pk}",
    )
    [applied] = movements.apply([movement], acting=acting)
    emit(given_back(applied, movement.description), acting=acting)
    if debts:
        receivables.settle(owed=debts, at_most=held.amount, acting=acting)
    return applied


def given_back(applied: Applied, why: str) -> CloudCorrected:
    """The fact that credits taken for a refund are the member's again."""
    return CloudCorrected(
        transaction_ids=[applied.transaction_id],
        from_member_id=None,
        to_member_id=applied.movement.to_member,
        quantity=plain(applied.movement.amount),
        reason=why,
        reverses=None,
        receivable="0",
        journal_entry_ids=[applied.journal_entry_id] if applied.journal_entry_id else [],
        timestamp=applied.booked_at.isoformat(),
    )


def _burned(applied: Applied, held: RefundRequest) -> CloudBurned:
    return CloudBurned(
        transaction_id=applied.transaction_id,
        member_id=held.member_id,
        quantity=plain(held.amount),
        reason=applied.movement.description,
        balance_after=liquid_after(applied.from_after),
        journal_entry_id=applied.journal_entry_id,
        timestamp=applied.booked_at.isoformat(),
    )


def _mark_purchase(payment: Payment) -> None:
    own = Purchase.objects.filter(payment=payment).values_list("pk", flat=True).first()
    if own is None or settled_of(payment.pk) < usd_to_cloud(payment.minted):
        return
    purchase = locks.purchase(own)
    if purchase.state == PurchaseState.MINTED:
        purchase.refund()
        purchase.save(update_fields=["state"])


def take_back_mark(payment: Payment) -> None:
    """A refund failed after it had settled: the purchase is no longer refunded whole."""
    own = Purchase.objects.filter(payment=payment, state=PurchaseState.REFUNDED.value).first()
    if own is not None:
        purchase = locks.purchase(own.pk)
        purchase.come_back()
        purchase.save(update_fields=["state"])
