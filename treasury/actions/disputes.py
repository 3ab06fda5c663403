"""Disputes: the money leaves to 1116, comes back when won, and is taken back from the payer's credits when lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.utils import timezone

from habitat.events.actions.outbox import emit
from habitat.members.policies.actors import Actor
from habitat.money import plain
from treasury import locks
from treasury.actions import journal, payments
from treasury.errors import ForeignSettlement
from treasury.events import PaymentDisputeClosed, PaymentDisputeOpened
from treasury.models import Dispute, JournalEntry, Payment, Period
from treasury.policies.journal import Line, Source
from treasury.policies.payments import (
    DISPUTED_FUNDS,
    MEMBER_MONEY_HELD,
    MISCELLANEOUS,
    PROCESSING_FEES,
    STRIPE_CLEARING,
    DisputeState,
    PaymentState,
    split,
)
from treasury.policies.stripe import USD_CODE, StripeTransaction
from treasury.reports.payments import room

DISPUTE: Final = "dispute"
# Stripe's words. A warning is an inquiry: no money moves, and it ends without harm.
WON_WORDS: Final = frozenset({"won", "warning_closed", "prevented"})
LOST_WORDS: Final = frozenset({"lost"})


@dataclass(frozen=True, slots=True)
class Told:
    """A dispute as Stripe reports it; `amount` in USD of the payment."""

    dispute_id: str
    amount: Decimal
    status: str
    reason: str
    opened_at: datetime
    transactions: Sequence[StripeTransaction]


@transaction.atomic
def observe(*, payment: Payment, told: Told, acting: Actor) -> Dispute:
    """Bring a dispute to what Stripe reports, in whatever order that is heard.

    Money taken: Dr 1116 and 5910 (its fee) / Cr 1115. Money given back: the other way round. Lost before the mint:
    Dr 2240 / Cr 1116, and so what came back after the mint and still waits; else `payment.refunded` tells what to take
    back in credits. What goes beyond the payment is the cooperative's loss: Dr 5930 / Cr 1116. Raises
    ForeignSettlement.
    """
    period = locks.open_period(on=timezone.now().date())
    locked = locks.payment(payment.pk)
    row = locks.dispute(told.dispute_id) or _open(locked, told, acting)
    _book_taken(row, told, period, acting)
    if row.state == DisputeState.OPEN.value and told.status in WON_WORDS | LOST_WORDS:
        _close(locked, row, told, period, acting)
    if row.state == DisputeState.WON.value:
        _book_given_back(row, told, period, acting)
    return row


def _open(payment: Payment, told: Told, acting: Actor) -> Dispute:
    row = Dispute.objects.create(
        payment=payment, dispute_id=told.dispute_id, amount=told.amount, reason=told.reason, opened_at=told.opened_at
    )
    fact = PaymentDisputeOpened(**_named(payment, row), reason=told.reason)
    emit(fact, acting=acting)
    return row


def _close(payment: Payment, row: Dispute, told: Told, period: Period, acting: Actor) -> None:
    won = told.status in WON_WORDS
    if won:
        row.win()
    else:
        _lose(payment, row, period, acting)
    row.closed_at = timezone.now()
    row.save(update_fields=["state", "closed_at", "closed_entry", "reclaim", "held"])
    emit(PaymentDisputeClosed(**_named(payment, row), outcome=row.state), acting=acting)
    if row.reclaim or (row.held and payment.waits == 0):
        payments.announce_reclaim(payment=payment, acting=acting)
    payments.announce_waiting(payment=payment, acting=acting)


def _lose(payment: Payment, row: Dispute, period: Period, acting: Actor) -> None:
    minted = payment.state == PaymentState.MINTED.value
    row.lose()
    row.held, rest = split(row.amount, payment.waits)
    row.reclaim, beyond = split(rest, room(payment)) if minted else (Decimal(0), rest)
    lines = [Line.debit(code, part) for code, part in ((MEMBER_MONEY_HELD, row.held), (MISCELLANEOUS, beyond)) if part]
    if lines:
        lines.append(Line.credit(DISPUTED_FUNDS, row.held + beyond))
        row.closed_entry = _post(row, "lost", lines, period, acting)
    payment.disputed += row.amount
    if minted:
        payment.late -= row.held
    if not minted and payment.left == 0 and payment.state != PaymentState.REFUNDED.value:
        payment.finish_refund()
    payment.save(update_fields=["state", "disputed", "late"])


def _book_taken(row: Dispute, told: Told, period: Period, acting: Actor) -> None:
    taken = [one for one in told.transactions if one.amount < 0]
    if row.opened_entry_id is None and taken:
        row.fee = max(sum((one.fee for one in taken), Decimal(0)), Decimal(0))
        row.opened_entry = _post(row, "opened", _moved(row, taken), period, acting)
        row.save(update_fields=["fee", "opened_entry"])


def _book_given_back(row: Dispute, told: Told, period: Period, acting: Actor) -> None:
    given = [one for one in told.transactions if one.amount > 0]
    if row.closed_entry_id is None and given:
        row.closed_entry = _post(row, "won", _moved(row, given), period, acting)
        row.save(update_fields=["closed_entry"])


def _moved(row: Dispute, transactions: Sequence[StripeTransaction]) -> list[Line]:
    """What Stripe's balance says: the amount to or from 1116, the fee to or from 5910."""
    foreign = next((one.currency for one in transactions if one.currency != USD_CODE), None)
    if foreign is not None:
        raise ForeignSettlement(what=row.dispute_id, currency=foreign)
    amount = sum((one.amount for one in transactions), Decimal(0))
    fee = sum((one.fee for one in transactions), Decimal(0))
    moves = ((DISPUTED_FUNDS, -amount), (PROCESSING_FEES, fee), (STRIPE_CLEARING, amount - fee))
    return [Line.debit(code, move) if move > 0 else Line.credit(code, -move) for code, move in moves if move]


def _post(row: Dispute, step: str, lines: Sequence[Line], period: Period, acting: Actor) -> JournalEntry:
    return journal.post(
        lines=lines,
        occurred_at=timezone.now(),
        source=Source(DISPUTE, row.dispute_id),
        description=f"Dispute {row.dispute_id}: {step}",
        idempotency_key=f"{DISPUTE}:{step}:{row.dispute_id}",
        acting=acting,
        period=period,
    )


def _named(payment: Payment, row: Dispute) -> dict[str, str]:
    return {
        "payment_id": str(payment.pk),
        "member_id": str(payment.member_id or ""),
        "dispute_id": row.dispute_id,
        "amount": plain(row.amount),
    }
