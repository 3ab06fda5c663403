"""Refunds: those asked for here, step by step with a saga, and those that Stripe tells of."""

from decimal import Decimal
from typing import Final

from django.db import transaction
from django.utils import timezone

from habitat.errors import AmountNotPositive
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import plain
from treasury import locks
from treasury.actions import journal, payments
from treasury.errors import (
    PaymentContested,
    PaymentInWrongState,
    RefundInWrongState,
    RefundOfOtherPayment,
    RefundTooLarge,
    RefundUnknown,
    WireOnly,
)
from treasury.events import PaymentRefundFailed, PaymentRefundSettled, PaymentReturnAsked, PaymentReturnFailed
from treasury.models import Dispute, Payment, Period, Refund
from treasury.policies.chart import Side
from treasury.policies.journal import Line, Source
from treasury.policies.payments import (
    CASH_ACCOUNT,
    DISPUTED_FUNDS,
    MEMBER_MONEY_HELD,
    MISCELLANEOUS,
    STRIPE_CLEARING,
    DisputeState,
    PaymentState,
    Provider,
    RefundOrigin,
    RefundState,
    split,
)
from treasury.policies.stripe import SENT_BACK
from treasury.reports import payments as reports

REFUND: Final = "refund"
REFUND_FAILED: Final = "refund_failed"
RETURN: Final = "treasury.refund_payment"
# Stripe's words for a refund that will never arrive.
FAILED_WORDS: Final = frozenset({"failed", "canceled"})
# In the key of an entry: covered by what stood in 2240.
HELD: Final = ":held"
_NOTHING: Final = Decimal(0)


# --- asked for here


@transaction.atomic
def begin(*, payment: Payment, amount: Decimal, acting: Actor) -> Payment:
    """Money is about to be sent back; call it before Stripe is asked. USD. Books nothing.

    A payment that was not minted goes back whole (received → refunding); of a minted one at most what is left and
    not on its way already, after its credits were burned. A second call changes nothing. Raises AmountNotPositive,
    RefundTooLarge, PaymentContested, PaymentInWrongState.
    """
    row = locks.payment(payment.pk)
    if amount <= 0:
        raise AmountNotPositive(given=plain(amount), field="amount")
    if Dispute.objects.filter(payment=row, state=DisputeState.OPEN.value).exists():
        raise PaymentContested(payment=row.pk)
    if row.state == PaymentState.MINTED.value:
        left = row.left - row.late - _on_its_way(row)
        if amount > left:
            raise RefundTooLarge(payment=row.pk, left=plain(left), asked=plain(amount))
        return row
    if row.state in {PaymentState.REFUNDED.value, PaymentState.APPLIED.value}:
        raise PaymentInWrongState(payment=row.pk, state=row.state, needed=PaymentState.RECEIVED.value)
    if amount != row.left:
        raise RefundTooLarge(payment=row.pk, left=plain(row.left), asked=plain(amount))
    if row.state == PaymentState.RECEIVED.value:
        row.begin_refund()
        row.save(update_fields=["state"])
    return row


@transaction.atomic
def begin_late(*, payment: Payment, amount: Decimal, acting: Actor) -> Payment:
    """What came back after the mint is about to be sent back; call it before Stripe is asked. USD. Books nothing.

    All of it. Raises PaymentContested also while another refund is on its way, RefundTooLarge.
    """
    row = locks.payment(payment.pk)
    if reports.is_contested(row):
        raise PaymentContested(payment=row.pk)
    if amount != row.late or amount <= 0:
        raise RefundTooLarge(payment=row.pk, left=plain(row.late), asked=plain(amount))
    return row


@transaction.atomic
def call_off(*, payment: Payment, acting: Actor) -> Payment:
    """Stripe refused the refund that was begun: refunding → received. Nothing when it is not refunding."""
    row = locks.payment(payment.pk)
    if row.state == PaymentState.REFUNDING.value and not _on_its_way(row):
        row.refund_failed()
        row.save(update_fields=["state"])
    return row


@transaction.atomic
def record_sent(*, payment: Payment, refund_id: str, amount: Decimal, mark: str = "", acting: Actor) -> Refund:
    """Stripe (or the bank) took the refund; it is on its way. Once a refund id. USD, as begun; `mark`: ours on it.

    Raises RefundOfOtherPayment when the id is known for another payment or amount.
    """
    row = locks.payment(payment.pk)
    return _row(row, refund_id, amount, _ours(row, mark))


@transaction.atomic
def settle(*, refund_id: str, acting: Actor, taken: Decimal | None = None) -> Refund:
    """It reached the payer: Dr 2240 / Cr 1115 (1110 for a wire). `taken`: what it cost in USD, when that differs.

    The difference (a payment in another currency) is booked to 5930. A second call changes nothing. Raises
    RefundUnknown, RefundInWrongState.
    """
    period, payment, row = _locked(refund_id)
    if row.state == RefundState.SUCCEEDED.value:
        return row
    if row.state == RefundState.FAILED.value:
        raise RefundInWrongState(refund=refund_id, state=row.state, needed=RefundState.PENDING.value)
    _succeed(payment, row, taken, period, acting)
    return row


@transaction.atomic
def fail(*, refund_id: str, acting: Actor) -> Refund:
    """It did not arrive, or came back after it had: what was booked for it is undone. A second call changes nothing.

    Raises RefundUnknown.
    """
    period, payment, row = _locked(refund_id)
    if row.state != RefundState.FAILED.value:
        _fail(payment, row, period, acting)
    return row


# --- wires: a person sends them back at the bank, and says so here


@transaction.atomic
def return_wire(*, payment: Payment, reason: str, acting: Actor) -> Refund:
    """A wire that waits goes back whole: a person sends it at the bank, and its line is matched to this refund.

    From here on it can no longer be minted; the match posts 2240 / 1110. Raises NotAllowed, ReasonRequired,
    PaymentInWrongState, PaymentContested, WireOnly.
    """
    require(acting, RETURN)
    why = require_reason(reason)
    row = locks.payment(payment.pk)
    if row.provider != Provider.BANK.value:
        raise WireOnly(payment=row.pk)
    if row.state != PaymentState.RECEIVED.value:
        raise PaymentInWrongState(payment=row.pk, state=row.state, needed=PaymentState.RECEIVED.value)
    begun = begin(payment=row, amount=row.left, acting=acting)
    number = Refund.objects.filter(payment=row).count() + 1
    sent = record_sent(payment=begun, refund_id=f"wire-{row.pk}-{number}", amount=row.left, acting=acting)
    emit(PaymentReturnAsked(**_named(begun, sent), reason=why), acting=acting)
    return sent


@transaction.atomic
def wire_failed(*, refund: Refund, reason: str, acting: Actor) -> Refund:
    """A wire that was to go back was not sent, or came back: its payment waits again.

    Raises NotAllowed, ReasonRequired, RefundInWrongState, WireOnly.
    """
    require(acting, RETURN)
    why = require_reason(reason)
    _, payment, row = _locked(refund.refund_id)
    if payment.provider != Provider.BANK.value:
        raise WireOnly(payment=payment.pk)
    if row.state == RefundState.FAILED.value:
        raise RefundInWrongState(refund=row.refund_id, state=row.state, needed=RefundState.PENDING.value)
    failed = fail(refund_id=row.refund_id, acting=acting)
    emit(PaymentReturnFailed(**_named(payment, failed), reason=why), acting=acting)
    return failed


# --- told by Stripe


@transaction.atomic
def observe(
    *,
    payment: Payment,
    refund_id: str,
    amount: Decimal,
    status: str,
    is_ours: bool,
    mark: str = "",
    taken: Decimal | None = None,
    acting: Actor,
) -> Refund:
    """Bring a refund to the state that Stripe reports, whoever asked for it and however often it is told.

    `amount` and `taken` in USD; `mark` is what stands on one of ours. Before the mint: Dr 2240 / Cr 1115. After it so
    much as waits again, and `payment.refunded` tells what to take back in credits. What goes beyond the payment is the
    cooperative's loss: Dr 5930.
    """
    period = locks.open_period(on=timezone.now().date())
    locked = locks.payment(payment.pk)
    row = _row(locked, refund_id, amount, _ours(locked, mark) if is_ours else RefundOrigin.STRIPE)
    if status in FAILED_WORDS:
        if row.state != RefundState.FAILED.value:
            _fail(locked, row, period, acting)
    elif status == RefundState.SUCCEEDED.value and row.state == RefundState.PENDING.value:
        _succeed(locked, row, taken, period, acting)
    return row


# --- inside


def _ours(payment: Payment, mark: str) -> RefundOrigin:
    """Of a minted payment credits are burned for a refund of ours, unless it is marked as of money that waited."""
    if payment.provider != Provider.STRIPE.value:
        return RefundOrigin.BANK
    burned = payment.state == PaymentState.MINTED.value and not mark.startswith(SENT_BACK)
    return RefundOrigin.HABITAT if burned else RefundOrigin.HELD


def _row(payment: Payment, refund_id: str, amount: Decimal, origin: RefundOrigin) -> Refund:
    row = locks.refund(refund_id)
    if row is None:
        return Refund.objects.create(payment=payment, refund_id=refund_id, amount=amount, origin=origin.value)
    if row.payment_id != payment.pk or row.amount != amount:
        raise RefundOfOtherPayment(refund=refund_id)
    return row


def _locked(refund_id: str) -> tuple[Period, Payment, Refund]:
    """In the order of the house: period, payment, refund."""
    payment_pk = Refund.objects.filter(refund_id=refund_id).values_list("payment_id", flat=True).first()
    if payment_pk is None:
        raise RefundUnknown(refund=refund_id)
    period = locks.open_period(on=timezone.now().date())
    payment = locks.payment(payment_pk)
    row = locks.refund(refund_id)
    if row is None:
        raise RefundUnknown(refund=refund_id)
    return period, payment, row


def _on_its_way(payment: Payment) -> Decimal:
    pending = Refund.objects.filter(payment=payment, state=RefundState.PENDING.value)
    if payment.state == PaymentState.MINTED.value:
        # What waits goes back apart from what was minted.
        pending = pending.exclude(origin=RefundOrigin.HELD.value)
    return sum(pending.values_list("amount", flat=True), Decimal(0))


def _succeed(payment: Payment, row: Refund, taken: Decimal | None, period: Period, acting: Actor) -> None:
    minted = payment.state == PaymentState.MINTED.value
    if row.origin == RefundOrigin.HABITAT.value:
        # Its credits were burned into 2240 before it was sent: all of it stands there.
        from_held, lost = row.amount, _NOTHING
    else:
        row.held, rest = split(row.amount, payment.waits)
        row.reclaim, lost = split(rest, reports.room(payment)) if minted else (_NOTHING, rest)
        from_held = row.held
    _post(payment, row, from_held, lost, (taken or row.amount) - row.amount, period, acting)
    row.succeed()
    row.settled_at = timezone.now()
    row.save(update_fields=["state", "settled_at", "journal_entry", "reclaim", "held"])
    payment.refunded += row.amount
    if minted:
        payment.late -= row.held
    if not minted and payment.left == 0 and payment.state != PaymentState.REFUNDED.value:
        payment.finish_refund()
    payment.save(update_fields=["state", "refunded", "late"])
    if row.is_ours:
        emit(PaymentRefundSettled(**_named(payment, row)), acting=acting)
    if row.reclaim or (row.held and not row.is_ours and payment.waits == 0):
        payments.announce_reclaim(payment=payment, acting=acting)
    payments.announce_waiting(payment=payment, acting=acting)


def _post(
    payment: Payment, row: Refund, held: Decimal, lost: Decimal, dearer: Decimal, period: Period, acting: Actor
) -> None:
    """`dearer`: by how much the refund cost more USD than it was worth when it came in (negative: less)."""
    cash = CASH_ACCOUNT[Provider(payment.provider)]
    wanted = ((MEMBER_MONEY_HELD, held), (MISCELLANEOUS, lost), (MISCELLANEOUS, dearer))
    lines = [_signed(code, amount) for code, amount in (*wanted, (cash, -(held + lost + dearer))) if amount]
    if not lines:
        return
    row.journal_entry = journal.post(
        lines=lines,
        occurred_at=timezone.now(),
        source=Source(REFUND, row.refund_id),
        description=f"Refund {row.refund_id} of payment {payment.reference}",
        idempotency_key=f"{REFUND}:{row.refund_id}",
        acting=acting,
        period=period,
    )


def _signed(code: str, amount: Decimal) -> Line:
    return Line.debit(code, amount) if amount > 0 else Line.credit(code, -amount)


def _fail(payment: Payment, row: Refund, period: Period, acting: Actor) -> None:
    had_succeeded = row.state == RefundState.SUCCEEDED.value
    if row.journal_entry is not None:
        lines = row.journal_entry.lines.select_related("account").order_by("id")
        journal.post(
            lines=[Line(line.account.code, Side(line.side), line.amount).mirrored() for line in lines],
            occurred_at=timezone.now(),
            source=Source(REFUND_FAILED, row.refund_id),
            description=f"Refund {row.refund_id} of payment {payment.reference} failed",
            idempotency_key=f"{REFUND_FAILED}:{row.refund_id}",
            acting=acting,
            period=period,
        )
    row.fail()
    row.save(update_fields=["state"])
    if had_succeeded:
        payment.refunded -= row.amount
    minted = payment.state == PaymentState.MINTED.value
    waits_again = payment.state in {PaymentState.REFUNDING.value, PaymentState.REFUNDED.value}
    if waits_again and payment.left > 0:
        payment.refund_failed()
    came_back = row.held if had_succeeded else _NOTHING
    came_back -= _cover_by_held(payment, row, came_back, period, acting)
    covered = minted and _cover_by_credits(payment, row, period, acting)
    if minted:
        payment.late += came_back
    payment.save(update_fields=["state", "refunded", "late"])
    _tell_failure(payment, row, had_succeeded or covered, acting)


def _cover_by_held(payment: Payment, failed: Refund, came_back: Decimal, period: Period, acting: Actor) -> Decimal:
    """What came back into 2240 covers first what went back beyond the payment: Dr 2240 / Cr 5930. How much it did."""
    left = came_back
    for loss in reports.losses(payment):
        part = min(left, loss.amount - loss.held - loss.reclaim)
        if part > 0:
            _cover(MEMBER_MONEY_HELD, part, failed, f"{_name(loss)}{HELD}", period, acting)
            loss.held += part
            loss.save(update_fields=["held"])
            left -= part
    return came_back - left


def _cover_by_credits(payment: Payment, failed: Refund, period: Period, acting: Actor) -> bool:
    """So do credits that must no longer be taken back for it: Dr 1116 (1115 for a refund) / Cr 5930.

    As much more must be taken back for the loss; true when there is.
    """
    room, covered = reports.room(payment), False
    for loss in reports.losses(payment):
        part = min(room, loss.amount - loss.held - loss.reclaim)
        if part > 0:
            account = DISPUTED_FUNDS if isinstance(loss, Dispute) else STRIPE_CLEARING
            _cover(account, part, failed, _name(loss), period, acting)
            loss.reclaim += part
            loss.save(update_fields=["reclaim"])
            room, covered = room - part, True
    return covered


def _name(loss: Dispute | Refund) -> str:
    return loss.dispute_id if isinstance(loss, Dispute) else loss.refund_id


def _cover(account: str, amount: Decimal, failed: Refund, what: str, period: Period, acting: Actor) -> None:
    if amount <= 0:
        return
    loss = what.removesuffix(HELD)
    journal.post(
        lines=[Line.debit(account, amount), Line.credit(MISCELLANEOUS, amount)],
        occurred_at=timezone.now(),
        source=Source(REFUND_FAILED, failed.refund_id),
        description=f"Refund {failed.refund_id} failed: it covers what {loss} took beyond the payment",
        idempotency_key=f"{REFUND_FAILED}:{failed.refund_id}:{what}",
        acting=acting,
        period=period,
    )


def _tell_failure(payment: Payment, row: Refund, changed: bool, acting: Actor) -> None:
    if row.is_ours:
        emit(PaymentRefundFailed(**_named(payment, row)), acting=acting)
    if changed and payment.state == PaymentState.MINTED.value:
        payments.announce_reclaim(payment=payment, acting=acting)
    if not row.is_ours:
        payments.announce_waiting(payment=payment, acting=acting)


def _named(payment: Payment, row: Refund) -> dict[str, str]:
    return {"payment_id": str(payment.pk), "refund_id": row.refund_id, "amount": plain(row.amount)}
