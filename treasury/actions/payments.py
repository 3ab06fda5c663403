"""Payments: money is booked once, waits in 2240, becomes credits once, or what was minted for it is taken back."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.utils import timezone

from habitat.errors import AmountNotPositive, IdempotencyConflict
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import plain
from treasury import locks
from treasury.actions import journal
from treasury.errors import (
    ClawbackTooLarge,
    PaymentAmountWrong,
    PaymentContested,
    PaymentIdentified,
    PaymentInWrongState,
    PaymentNotApplicable,
    PaymentNotMintable,
)
from treasury.events import PaymentFailed, PaymentReceived, PaymentRefunded
from treasury.events import PaymentIdentified as PaymentIdentifiedEvent
from treasury.models import JournalEntry, Payment, Period
from treasury.policies.journal import Line, Source
from treasury.policies.payments import (
    CASH_ACCOUNT,
    CLAWBACK_ACCOUNT,
    DISPUTED_FUNDS,
    MEMBER_MONEY_HELD,
    MEMBER_RECEIVABLES,
    STRIPE_CLEARING,
    ClawbackCause,
    PaymentState,
    Provider,
)
from treasury.reports import payments as reports

PAYMENT: Final = "payment"
CLAWBACK: Final = "clawback"
GIVEBACK: Final = "clawback_undone"
APPLIED: Final = "debt_paid"
SHIFT: Final = "clawback_shifted"
_NOTHING: Final = Decimal(0)


@transaction.atomic
def receive(
    *,
    provider: Provider | str,
    reference: str,
    member: Member | None,
    amount: Decimal,
    method: str,
    charge_id: str = "",
    customer_id: str = "",
    purchase_ref: str = "",
    invoice_ref: str = "",
    problem: str = "",
    occurred_at: datetime,
    acting: Actor,
) -> Payment:
    """Book money that came in, gross: Dr 1115 (bank: 1110) / Cr 2240, and announce it. USD.

    Once for each (provider, reference): a second call gives the first payment back. With a `problem` it can never
    become credits. Raises AmountNotPositive, IdempotencyConflict when another amount was booked, and what posting
    raises.
    """
    provider = Provider(provider)
    if amount <= 0:
        raise AmountNotPositive(given=plain(amount), field="amount")
    known = _known(provider, reference, amount)
    if known is not None:
        return known
    entry = journal.post(
        lines=[Line.debit(CASH_ACCOUNT[provider], amount), Line.credit(MEMBER_MONEY_HELD, amount)],
        occurred_at=occurred_at,
        source=Source(PAYMENT, reference),
        description=f"Payment {reference}",
        idempotency_key=f"{PAYMENT}:{provider.value}:{reference}",
        acting=acting,
    )
    # Somebody else booked it while we waited for the key: theirs is committed now.
    known = _known(provider, reference, amount)
    if known is not None:
        return known
    payment = Payment.objects.create(
        provider=provider.value,
        reference=reference,
        member=member,
        amount=amount,
        method=method,
        charge_id=charge_id,
        customer_id=customer_id,
        purchase_ref=purchase_ref,
        invoice_ref=invoice_ref,
        problem=problem,
        journal_entry=entry,
        occurred_at=occurred_at,
    )
    announce(payment=payment, acting=acting)
    return payment


@transaction.atomic
def identify(*, payment: Payment, member: Member, reason: str, acting: Actor) -> Payment:
    """Say whose a payment is that came without a known reference; it is announced again, now with its member.

    Raises NotAllowed, ReasonRequired, PaymentInWrongState, PaymentIdentified, PaymentNotMintable.
    """
    require(acting, "treasury.identify_payment")
    reason = require_reason(reason)
    row = locks.payment(payment.pk)
    _need(row, PaymentState.RECEIVED)
    if row.problem:
        raise PaymentNotMintable(payment=row.pk, problem=row.problem)
    if row.member_id is not None:
        raise PaymentIdentified(payment=row.pk)
    row.member = member
    row.save(update_fields=["member"])
    emit(PaymentIdentifiedEvent(payment_id=str(row.pk), member_id=str(member.pk), reason=reason), acting=acting)
    announce(payment=row, acting=acting)
    return row


@transaction.atomic
def consume(*, payment: Payment, amount: Decimal, acting: Actor) -> Payment:
    """Its credits are minted in this transaction: received → minted. Books nothing: the mint posts 2240 / 2220.

    `amount` is exactly what neither went back nor was lost; a payment becomes credits once and whole. Take
    `locks.payment` first. Raises PaymentInWrongState, PaymentNotMintable, PaymentContested, PaymentAmountWrong.
    """
    row = locks.payment(payment.pk)
    _need(row, PaymentState.RECEIVED)
    if row.problem or row.member_id is None:
        raise PaymentNotMintable(payment=row.pk, problem=row.problem or "unknown_member")
    if reports.is_contested(row):
        raise PaymentContested(payment=row.pk)
    if amount != row.left or amount <= 0:
        raise PaymentAmountWrong(payment=row.pk, left=plain(row.left), asked=plain(amount))
    row.mint()
    row.minted = amount
    row.save(update_fields=["state", "minted"])
    return row


@transaction.atomic
def consume_late(*, payment: Payment, amount: Decimal, acting: Actor) -> Payment:
    """What came back after the mint becomes credits too, in this transaction: `late` → `minted`. Books nothing.

    The correction posts 2240 / 2220 (domain §6, "refund failed"). Take `locks.payment` first. Raises
    PaymentInWrongState, PaymentContested, PaymentAmountWrong.
    """
    row = locks.payment(payment.pk)
    _need(row, PaymentState.MINTED)
    if reports.is_contested(row):
        raise PaymentContested(payment=row.pk)
    if amount != row.late or amount <= 0:
        raise PaymentAmountWrong(payment=row.pk, left=plain(row.late), asked=plain(amount))
    row.late -= amount
    row.minted += amount
    row.save(update_fields=["minted", "late"])
    return row


@transaction.atomic
def apply_to_debt(*, payment: Payment, member: Member, amount: Decimal, reason: str, acting: Actor) -> JournalEntry:
    """A wire pays what its sender owes: received → applied, Dr 2240 / Cr 1310, so that with its receipt 1110 / 1310.

    `amount` is exactly what is left of it, in USD; a wire of nobody's is `member`'s from then on. A card's payment
    becomes credits first: `consume`. Raises PaymentInWrongState, PaymentNotApplicable, PaymentContested,
    PaymentAmountWrong. Source: domain §6, "receivable paid".
    """
    period = _today()
    row = locks.payment(payment.pk)
    _need(row, PaymentState.RECEIVED)
    if row.provider != Provider.BANK.value:
        raise PaymentNotApplicable(payment=row.pk, why="it came by card; its credits are minted and settle the debt")
    if row.problem or row.member_id not in {None, member.pk}:
        raise PaymentNotApplicable(payment=row.pk, why="it is somebody else's")
    if reports.is_contested(row):
        raise PaymentContested(payment=row.pk)
    if amount != row.left or amount <= 0:
        raise PaymentAmountWrong(payment=row.pk, left=plain(row.left), asked=plain(amount))
    if row.member_id is None:
        row.member = member
        emit(PaymentIdentifiedEvent(payment_id=str(row.pk), member_id=str(member.pk), reason=reason), acting=acting)
    row.apply_to_debt()
    row.save(update_fields=["state", "member"])
    return journal.post(
        lines=[Line.debit(MEMBER_MONEY_HELD, amount), Line.credit(MEMBER_RECEIVABLES, amount)],
        occurred_at=timezone.now(),
        source=Source(APPLIED, row.reference),
        description=f"Wire {row.reference} paid what was owed",
        idempotency_key=f"{APPLIED}:{row.provider}:{row.reference}",
        acting=acting,
        period=period,
    )


@transaction.atomic
def book_clawback(
    *, payment: Payment, burned: Decimal, owed: Decimal, cause: ClawbackCause | str, acting: Actor
) -> JournalEntry | None:
    """Book what was taken back for a refund made at Stripe, or a lost dispute. USD, cumulative on the payment.

    Refund: Dr 2240 `burned` (which the burn credited) and Dr 1310 `owed` / Cr 1115. Dispute: the burn itself went
    against 1116, so only Dr 1310 `owed` / Cr 1116, and no entry when nothing is owed. Raises ClawbackTooLarge when
    it is more than `payment.refunded` told and was not taken back yet.
    """
    cause = ClawbackCause(cause)
    period = _today()
    row = locks.payment(payment.pk)
    asked, left = burned + owed, reports.to_reclaim(row).total - row.clawed_back
    if min(burned, owed) < 0 or asked <= 0 or asked > left:
        raise ClawbackTooLarge(payment=row.pk, left=plain(left), asked=plain(asked))
    row.clawed_back += asked
    row.save(update_fields=["clawed_back"])
    held = burned if cause is ClawbackCause.REFUND else _NOTHING
    return _post_clawback(row, CLAWBACK, CLAWBACK_ACCOUNT[cause], held, owed, period, acting)


@transaction.atomic
def book_shift(*, payment: Payment, amount: Decimal, acting: Actor) -> JournalEntry:
    """What was taken back for a refund that came back stands for a lost dispute from now on: Dr 1115 / Cr 1116. USD.

    No credits move. Raises ClawbackTooLarge when it is more than must be taken back for disputes.
    """
    period = _today()
    row = locks.payment(payment.pk)
    left = min(reports.to_reclaim(row).disputed, row.clawed_back)
    if amount <= 0 or amount > left:
        raise ClawbackTooLarge(payment=row.pk, left=plain(left), asked=plain(amount))
    number = JournalEntry.objects.filter(source_kind=SHIFT, source_ref=row.reference).count() + 1
    return journal.post(
        lines=[Line.debit(STRIPE_CLEARING, amount), Line.credit(DISPUTED_FUNDS, amount)],
        occurred_at=timezone.now(),
        source=Source(SHIFT, row.reference),
        description=f"Taken back for a dispute of payment {row.reference}, no longer for a refund",
        idempotency_key=f"{SHIFT}:{row.provider}:{row.reference}:{number}",
        acting=acting,
        period=period,
    )


@transaction.atomic
def book_giveback(*, payment: Payment, burned: Decimal, owed: Decimal, acting: Actor) -> JournalEntry | None:
    """Undo as much of a clawback because its refund failed later: Dr 1115 / Cr 2240 `burned` and Cr 1310 `owed`. USD.

    The upper floor gives the credits back with Dr 2240 / Cr 2220. Raises ClawbackTooLarge when it is more than was
    taken back beyond what still must be.
    """
    period = _today()
    row = locks.payment(payment.pk)
    asked, left = burned + owed, row.clawed_back - reports.to_reclaim(row).total
    if min(burned, owed) < 0 or asked <= 0 or asked > left:
        raise ClawbackTooLarge(payment=row.pk, left=plain(left), asked=plain(asked))
    row.clawed_back -= asked
    row.save(update_fields=["clawed_back"])
    return _post_clawback(row, GIVEBACK, STRIPE_CLEARING, burned, owed, period, acting)


@transaction.atomic
def announce_failure(
    *,
    reference: str,
    member_id: str,
    amount: Decimal,
    purchase_ref: str,
    invoice_ref: str,
    code: str,
    message: str,
    acting: Actor,
) -> None:
    """A try to pay failed at Stripe; nothing is booked."""
    fact = PaymentFailed(
        reference=reference,
        member_id=member_id,
        amount=plain(amount),
        purchase_ref=purchase_ref,
        invoice_ref=invoice_ref,
        code=code,
        message=message,
    )
    emit(fact, acting=acting)


def announce(*, payment: Payment, acting: Actor) -> None:
    """Write `payment.received` as the payment stands now; for the verbs that end what stood in its way."""
    fact = PaymentReceived(
        payment_id=str(payment.pk),
        provider=payment.provider,
        reference=payment.reference,
        member_id=str(payment.member_id or ""),
        amount=plain(payment.amount),
        left=plain(payment.left),
        method=payment.method,
        charge_id=payment.charge_id,
        customer_id=payment.customer_id,
        purchase_ref=payment.purchase_ref,
        invoice_ref=payment.invoice_ref,
        mintable=not payment.problem,
        problem=payment.problem,
        occurred_at=payment.occurred_at.isoformat(),
    )
    emit(fact, acting=acting)


def announce_waiting(*, payment: Payment, acting: Actor) -> None:
    """The same where money of it may become credits now."""
    if payment.state == PaymentState.RECEIVED.value or payment.late > 0:
        announce(payment=payment, acting=acting)


def announce_reclaim(*, payment: Payment, acting: Actor) -> None:
    """Write `payment.refunded` with the totals that must be taken back in credits now.

    Nothing of them where all of it went back before it was credits: whoever waits for it must know all the same.
    """
    due = reports.to_reclaim(payment)
    fact = PaymentRefunded(
        payment_id=str(payment.pk),
        member_id=str(payment.member_id or ""),
        charge_id=payment.charge_id,
        refunded=plain(due.refunded),
        disputed_lost=plain(due.disputed),
    )
    emit(fact, acting=acting)


def _known(provider: Provider, reference: str, amount: Decimal) -> Payment | None:
    payment = Payment.objects.filter(provider=provider.value, reference=reference).first()
    if payment is not None and payment.amount != amount:
        raise IdempotencyConflict(key=reference)
    return payment


def _need(payment: Payment, state: PaymentState) -> None:
    if payment.state != state.value:
        raise PaymentInWrongState(payment=payment.pk, state=payment.state, needed=state.value)


def _today() -> Period:
    """The period comes before the payment in the order of locks."""
    return locks.open_period(on=timezone.now().date())


def _post_clawback(
    payment: Payment, kind: str, account: str, held: Decimal, owed: Decimal, period: Period, acting: Actor
) -> JournalEntry | None:
    if held + owed == 0:
        return None
    lines = [Line.debit(code, part) for code, part in ((MEMBER_MONEY_HELD, held), (MEMBER_RECEIVABLES, owed)) if part]
    lines.append(Line.credit(account, held + owed))
    # The payment is locked: nobody else can take this number.
    number = JournalEntry.objects.filter(source_kind=kind, source_ref=payment.reference).count() + 1
    return journal.post(
        lines=lines if kind == CLAWBACK else [line.mirrored() for line in lines],
        occurred_at=timezone.now(),
        source=Source(kind, payment.reference),
        description=f"{'Taken back for' if kind == CLAWBACK else 'Given back for'} payment {payment.reference}",
        idempotency_key=f"{kind}:{payment.provider}:{payment.reference}:{number}",
        acting=acting,
        period=period,
    )
