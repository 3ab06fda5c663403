"""CLOUD invoices of techne: written, sent, paid, overdue, voided and refunded (domain §6; brief 123 §4 workflow 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from django.db import transaction
from django.db.models import Max

from cloud_credits import locks
from cloud_credits.actions import idempotency, movements
from cloud_credits.actions.movements import Applied
from cloud_credits.actions.transfers import transferred
from cloud_credits.errors import (
    InvoiceNotDraft,
    InvoiceNotPayable,
    InvoiceNotRefundable,
    InvoiceNotVoidable,
    InvoiceTitleInvalid,
    MemberNotActive,
    NoCloudIdentity,
    NotInvoiceable,
)
from cloud_credits.events import InvoiceCreated, InvoiceOverdue, InvoicePaid, InvoiceRefunded, InvoiceVoided
from cloud_credits.models import CloudBalance, Invoice, InvoiceChange, InvoiceLine
from cloud_credits.policies import invoices as rules
from cloud_credits.policies.invoices import PAYABLE, InvoiceState, Item, PaymentMethod
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require, require_own
from habitat.members.policies.statuses import MAY_TRADE
from habitat.money import cloud_to_usd, plain
from treasury.locks import open_period

WRITE: Final = "cloud_credits.write_invoice"
REFUND: Final = "cloud_credits.refund_invoice"
PAY_FOR_MEMBERS: Final = "cloud_credits.transfer_for_members"
# As the brief names the payee; techne's own name stands once an operator has given it.
TECHNE_NAME: Final = "techne.habitat.eth"


@dataclass(frozen=True, slots=True)
class Settled:
    """An invoice whose credits moved, and whether that had already happened under the same key."""

    invoice: Invoice
    replayed: bool


@transaction.atomic
def draft(*, member: Member, title: str, items: Sequence[Item], acting: Actor) -> Invoice:
    """A new invoice nobody is told of yet; its total is the sum of its lines, CLOUD.

    Raises NotAllowed, NotInvoiceable, InvoiceTitleInvalid and what `check_items` raises.
    """
    require(acting, WRITE)
    total = rules.check_items(items)
    if member.system_code is not None:
        raise NotInvoiceable(holder=member.display_name, field="member")
    invoice = Invoice.objects.create(member=member, title=_title(title), total=total, created_by=acting.label)
    _write_lines(invoice, items)
    _record(invoice, "draft", before="", acting=acting)
    return invoice


@transaction.atomic
def change_draft(*, invoice: Invoice, title: str, items: Sequence[Item], acting: Actor) -> Invoice:
    """Other lines and another title for a draft. Raises NotAllowed, InvoiceNotDraft and what `draft` raises."""
    require(acting, WRITE)
    total = rules.check_items(items)
    held = _draft(invoice)
    held.lines.all().delete()
    held.title, held.total = _title(title), total
    held.save(update_fields=["title", "total"])
    _write_lines(held, items)
    _record(held, "change", before=held.state, acting=acting)
    return held


@transaction.atomic
def send(*, invoice: Invoice, acting: Actor) -> Invoice:
    """The draft becomes an invoice: the next number without a gap, due in thirty days; the member is told.

    Raises NotAllowed, InvoiceNotDraft, MemberNotActive, NoCloudIdentity.
    """
    require(acting, WRITE)
    held = _draft(invoice)
    member = Member.objects.get(pk=held.member_id)
    if member.status not in MAY_TRADE:
        raise MemberNotActive(holder=member.display_name, status=member.status)
    if not CloudBalance.objects.filter(member=member).exists():
        raise NoCloudIdentity(holder=member.display_name)
    # Last of the locks and held shortest: the next number waits until this one is committed or given back.
    locks.invoice_numbers()
    last = Invoice.objects.aggregate(last=Max("number"))["last"]
    sent_at = datetime.now(tz=UTC)
    held.number = (last or 0) + 1
    held.sent_at = sent_at
    held.due_on = rules.due_on(sent_at)
    held.send()
    held.save(update_fields=["state", "number", "sent_at", "due_on"])
    _record(held, "send", before=InvoiceState.DRAFT, acting=acting)
    emit(
        InvoiceCreated(
            invoice_id=held.pk,
            from_=_payee(),
            to=held.member_id,
            amount_cloud=plain(held.total),
            amount_usd=plain(cloud_to_usd(held.total)),
            description=held.title,
            due_date=held.due_on.isoformat(),
            created_at=sent_at.isoformat(),
            number=held.number,
        ),
        acting=acting,
    )
    return held


@transaction.atomic
def pay(*, invoice: Invoice, idempotency_key: str, acting: Actor, reason: str = "") -> Settled:
    """Moves the invoice's total from its member's liquid credits to techne: Dr 1130 / Cr 4110 (domain §6).

    Whoever pays for another member says why. Raises NotAllowed, ReasonRequired, InvoiceNotPayable, MemberNotActive,
    InsufficientBalance, IdempotencyConflict. Locks: period, invoice, balances.
    """
    require_own(acting, invoice.member_id, PAY_FOR_MEMBERS)
    why = "" if acting.is_member(invoice.member_id) else require_reason(reason)
    claim = idempotency.claim(
        namespace=acting.label,
        operation="pay_invoice",
        key=idempotency_key,
        content={"invoice": invoice.pk},
    )
    if not claim.is_new:
        return Settled(Invoice.objects.get(pk=invoice.pk), replayed=True)
    open_period(on=datetime.now(tz=UTC).date())
    held = locks.invoice(invoice.pk)
    if held.state not in PAYABLE:
        raise InvoiceNotPayable(invoice=held, state=held.state)
    _take_payment(held, PaymentMethod.BALANCE, acting, ids=[claim.transaction_id], why=why)
    return Settled(held, replayed=False)


@transaction.atomic
def pay_after_mint(*, invoice_id: int, minted: Applied, acting: Actor) -> Invoice | None:
    """Pays an invoice with credits just minted for it, in the mint's own transaction; None where they stay instead.

    They stay with the member when the invoice is paid or void by now, or the balance does not cover it. The caller
    holds `locks.invoice_and_balances` since before the mint, so that nothing is locked out of order here.
    """
    held = locks.invoice(invoice_id)
    liquid = minted.to_after.liquid if minted.to_after else None
    is_own = minted.movement.to_member == held.member_id
    if held.state not in PAYABLE or not is_own or liquid is None or liquid < held.total or not _may_trade(held):
        _forget_payment(held)
        return None
    _take_payment(held, PaymentMethod.CARD, acting)
    return held


@transaction.atomic
def note_payment_received(*, invoice_id: int, at: datetime, acting: Actor) -> Invoice:
    """A payment for it is here and its credits are not: "payment received", paid when minting resumes."""
    held = locks.invoice(invoice_id)
    if held.state in PAYABLE and held.payment_received_at is None:
        held.payment_received_at = at
        held.save(update_fields=["payment_received_at"])
        _record(held, "payment-received", before=held.state, acting=acting)
    return held


@transaction.atomic
def note_payment_returned(*, invoice_id: int, acting: Actor) -> Invoice:
    """The payment that was here for it went back before its credits were made: it is to be paid as before."""
    held = locks.invoice(invoice_id)
    if _forget_payment(held):
        _record(held, "payment-returned", before=held.state, acting=acting)
    return held


@transaction.atomic
def void(*, invoice: Invoice, reason: str, acting: Actor) -> Invoice:
    """It is not owed. A member who had received it is told why.

    Raises NotAllowed, ReasonRequired, InvoiceNotVoidable.
    """
    require(acting, WRITE)
    why = require_reason(reason)
    held = locks.invoice(invoice.pk)
    if held.state not in {*PAYABLE, InvoiceState.DRAFT}:
        raise InvoiceNotVoidable(invoice=held, state=held.state)
    before = held.state
    held.void()
    held.save(update_fields=["state"])
    _record(held, "void", before=before, acting=acting, reason=why)
    if held.number is not None:
        emit(
            InvoiceVoided(
                invoice_id=held.pk,
                to=held.member_id,
                amount_cloud=plain(held.total),
                reason=why,
                number=held.number,
            ),
            acting=acting,
        )
    return held


@transaction.atomic
def refund(*, invoice: Invoice, reason: str, idempotency_key: str, acting: Actor) -> Settled:
    """Gives the credits of a paid invoice back: Dr 4110 / Cr 1130 (domain §6), whatever the member's status.

    Raises NotAllowed, ReasonRequired, InvoiceNotRefundable, InsufficientBalance (techne has spent them),
    IdempotencyConflict. Locks: period, invoice, balances.
    """
    require(acting, REFUND)
    why = require_reason(reason)
    claim = idempotency.claim(
        namespace=acting.label,
        operation="refund_invoice",
        key=idempotency_key,
        content={"invoice": invoice.pk, "reason": why},
    )
    if not claim.is_new:
        return Settled(Invoice.objects.get(pk=invoice.pk), replayed=True)
    open_period(on=datetime.now(tz=UTC).date())
    held = locks.invoice(invoice.pk)
    if held.state != InvoiceState.PAID:
        raise InvoiceNotRefundable(invoice=held, state=held.state)
    movement = Movement(
        type=TransactionType.TRANSFER,
        amount=held.total,
        purpose=Purpose.INVOICE,
        from_member=movements.techne_id(),
        to_member=held.member_id,
        description=f"Refund of {held}: {why}",
        reference=f"invoice:{held.pk}",
    )
    [applied] = movements.apply([movement], ids=[claim.transaction_id], acting=acting)
    held.refund_transaction_id = applied.transaction_id
    held.refund()
    held.save(update_fields=["state", "refund_transaction"])
    _record(held, "refund", before=InvoiceState.PAID, acting=acting, reason=why)
    emit(
        transferred(applied, memo=movement.description),
        InvoiceRefunded(
            invoice_id=held.pk,
            to=held.member_id,
            amount_cloud=plain(held.total),
            reason=why,
            refunded_at=applied.booked_at.isoformat(),
            number=held.number or 0,
            transaction_id=applied.transaction_id,
            journal_entry_id=applied.journal_entry_id,
        ),
        acting=acting,
    )
    return Settled(held, replayed=False)


@transaction.atomic
def mark_overdue(*, as_of: date, acting: Actor) -> int:
    """Every sent invoice due before the UTC day `as_of` is overdue; one whose payment is already here is not.

    The due day itself is in time. Run again for the same day it finds nothing more to do.
    """
    found = locks.invoices_due_before(as_of)
    for held in found:
        held.fall_due()
        held.save(update_fields=["state"])
        _record(held, "overdue", before=InvoiceState.SENT, acting=acting)
    emit(*[_overdue(held, as_of) for held in found], acting=acting)
    return len(found)


def _overdue(held: Invoice, as_of: date) -> InvoiceOverdue:
    return InvoiceOverdue(
        invoice_id=held.pk,
        to=held.member_id,
        amount_cloud=plain(held.total),
        due_date=held.due_on.isoformat() if held.due_on else "",
        as_of=as_of.isoformat(),
        number=held.number or 0,
    )


def _take_payment(
    held: Invoice, method: PaymentMethod, acting: Actor, *, ids: Sequence[int] | None = None, why: str = ""
) -> None:
    """The transfer to techne, and the invoice that says so; the caller holds the invoice."""
    movement = Movement(
        type=TransactionType.TRANSFER,
        amount=held.total,
        purpose=Purpose.INVOICE,
        from_member=held.member_id,
        to_member=movements.techne_id(),
        description=f"{held}: {held.title}",
        reference=f"invoice:{held.pk}",
        from_statuses=MAY_TRADE,
    )
    [applied] = movements.apply([movement], ids=ids, acting=acting)
    before = held.state
    held.paid_at = applied.booked_at
    held.paid_by = method.value
    held.payment_transaction_id = applied.transaction_id
    held.pay()
    held.save(update_fields=["state", "paid_at", "paid_by", "payment_transaction"])
    _record(held, "pay", before=before, acting=acting, reason=why)
    emit(
        transferred(applied, memo=movement.description),
        InvoicePaid(
            invoice_id=held.pk,
            payer=held.member_id,
            payee=_payee(),
            amount_cloud=plain(held.total),
            payment_method=method.value,
            paid_at=applied.booked_at.isoformat(),
            number=held.number or 0,
            transaction_id=applied.transaction_id,
            journal_entry_id=applied.journal_entry_id,
        ),
        acting=acting,
    )


def _forget_payment(held: Invoice) -> bool:
    """The payment that was announced became the member's credits or went back: the invoice is open as before.

    False where none was announced.
    """
    if held.state not in PAYABLE or held.payment_received_at is None:
        return False
    held.payment_received_at = None
    held.save(update_fields=["payment_received_at"])
    return True


def _may_trade(held: Invoice) -> bool:
    return Member.objects.filter(pk=held.member_id, status__in=MAY_TRADE).exists()


def _draft(invoice: Invoice) -> Invoice:
    held = locks.invoice(invoice.pk)
    if held.state != InvoiceState.DRAFT:
        raise InvoiceNotDraft(invoice=held, state=held.state)
    return held


def _title(title: str) -> str:
    given = title.replace("\x00", "").strip()
    if not given or len(given) > rules.LONGEST_TITLE:
        raise InvoiceTitleInvalid(longest=rules.LONGEST_TITLE, field="title")
    return given


def _write_lines(invoice: Invoice, items: Sequence[Item]) -> None:
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=position,
            description=item.description.strip(),
            quantity=item.quantity,
            price=item.price,
            amount=item.amount,
        )
        for position, item in enumerate(items, start=1)
    )


def _record(invoice: Invoice, verb: str, *, before: str, acting: Actor, reason: str = "") -> None:
    InvoiceChange.objects.create(
        invoice=invoice, verb=verb, from_state=str(before), to_state=invoice.state, reason=reason, actor=acting.label
    )


def _payee() -> str:
    return Member.objects.get(pk=movements.techne_id()).full_ens_name or TECHNE_NAME
