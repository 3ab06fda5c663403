"""What the cooperative owes suppliers and tax authorities: recorded, paid by a bank line, voided (domain §6)."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone

from habitat.errors import AmountNotPositive, IdempotencyConflict
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import LARGEST_USD, USD_BOOK_PLACES, parse_decimal, plain
from treasury import locks
from treasury.actions import bank_entries, journal
from treasury.errors import BillAccountWrong, BillDatesWrong, BillInWrongState, BillRecorded, SourceMissing
from treasury.events import BillPaid, BillVoided
from treasury.events import BillRecorded as BillRecordedEvent
from treasury.models import Bill
from treasury.policies.bank import BILL_ACCOUNTS, PAYABLE, BillKind, BillState
from treasury.policies.journal import Line, Source


@transaction.atomic
def record(
    *,
    kind: BillKind,
    account: str,
    supplier: str,
    number: str,
    amount: Decimal,
    billed_on: date,
    due_on: date,
    note: str = "",
    idempotency_key: str,
    acting: Actor,
) -> Bill:
    """Dr 55xx / Cr 2110, a tax Dr 6510 / Cr 2120, on the day it is dated; `amount` in USD.

    The same key with the same content gives the first bill back. Raises NotAllowed, BillAccountWrong, BillDatesWrong,
    AmountNotPositive and as `parse_decimal`, BillRecorded, IdempotencyConflict, NoPeriod.
    """
    require(acting, "treasury.record_bill")
    amount = parse_decimal(amount, places=USD_BOOK_PLACES, largest=LARGEST_USD, field="amount")
    facts: dict[str, object] = {
        "kind": kind.value,
        "account": account,
        "supplier": supplier.strip(),
        "number": number.strip(),
        "amount": amount,
        "billed_on": billed_on,
        "due_on": due_on,
    }
    _check(kind, account, amount, billed_on, due_on, named=bool(facts["supplier"] and facts["number"]))
    earlier = Bill.objects.filter(idempotency_key=idempotency_key).first()
    if earlier is not None:
        if any(getattr(earlier, name) != value for name, value in facts.items()):
            raise IdempotencyConflict(key=idempotency_key)
        return earlier
    known = Bill.objects.filter(supplier=facts["supplier"], number=facts["number"])
    if known.exclude(state=BillState.VOID.value).exists():
        raise BillRecorded(number=number, supplier=supplier, field="number")
    bill = _insert(facts, note, idempotency_key, acting)
    emit(
        BillRecordedEvent(
            bill_id=str(bill.pk),
            kind=bill.kind,
            supplier=bill.supplier,
            number=bill.number,
            amount=plain(bill.amount),
            due_on=bill.due_on.isoformat(),
        ),
        acting=acting,
    )
    return bill


@transaction.atomic
def void(*, bill: Bill, reason: str, acting: Actor) -> Bill:
    """It is not owed after all: its entry is reversed.

    Raises NotAllowed, ReasonRequired, BillInWrongState, NoPeriod.
    """
    require(acting, "treasury.void_bill")
    reason = require_reason(reason)
    now = timezone.now()
    locks.open_period(on=now.date())
    row = locks.bills([bill.pk])[0]
    if row.state != BillState.OPEN:
        raise BillInWrongState(bill=row.number, state=row.state, needed=BillState.OPEN.value)
    row.void()
    row.void_entry = bank_entries.take_back(
        entry=row.journal_entry, at=now, reason=reason, key=f"bill:void:{row.pk}", acting=acting
    )
    row.voided_by, row.void_reason = acting.label, reason
    row.save(update_fields=["state", "void_entry", "voided_by", "void_reason"])
    emit(BillVoided(bill_id=str(row.pk), reason=reason), acting=acting)
    return row


def pay(*, rows: list[Bill], match_pk: int, acting: Actor) -> None:
    """Locked bills that a match just paid. Raises BillInWrongState."""
    for row in rows:
        if row.state != BillState.OPEN:
            raise BillInWrongState(bill=row.number, state=row.state, needed=BillState.OPEN.value)
        row.pay()
        row.save(update_fields=["state"])
    emit(*(BillPaid(bill_id=str(row.pk), match_id=str(match_pk)) for row in rows), acting=acting)


def reopen(*, rows: list[Bill]) -> None:
    """Locked bills whose match was undone."""
    for row in rows:
        row.reopen()
        row.save(update_fields=["state"])


def _check(kind: BillKind, account: str, amount: Decimal, billed_on: date, due_on: date, *, named: bool) -> None:
    if not named:
        raise SourceMissing(field="number")
    if amount <= 0:
        raise AmountNotPositive(given=plain(amount), field="amount")
    if account not in BILL_ACCOUNTS[kind]:
        raise BillAccountWrong(
            kind=kind.value, allowed=", ".join(BILL_ACCOUNTS[kind]), account=account, field="account"
        )
    if due_on < billed_on:
        raise BillDatesWrong(billed_on=billed_on, due_on=due_on, field="due_on")


def _insert(facts: dict[str, object], note: str, idempotency_key: str, acting: Actor) -> Bill:
    bill = Bill(**facts, note=note.strip(), idempotency_key=idempotency_key, recorded_by=acting.label)
    bill.journal_entry = journal.post(
        lines=[
            Line.debit(bill.account, bill.amount),
            Line.credit(PAYABLE[BillKind(bill.kind)], bill.amount),
        ],
        occurred_at=datetime.combine(bill.billed_on, time(), UTC),
        source=Source("bill", f"{bill.supplier} {bill.number}"[:200]),
        description=f"Bill {bill.number} of {bill.supplier}",
        idempotency_key=f"bill:{idempotency_key}"[:200],
        acting=acting,
    )
    try:
        with transaction.atomic():
            bill.save(force_insert=True)
    except IntegrityError as error:
        # Somebody recorded the same bill in the meantime; this one's entry goes with the transaction.
        raise BillRecorded(number=bill.number, supplier=bill.supplier, field="number") from error
    return bill
