"""Which credits a payment became: the part of a payment's trace that belongs to this floor."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cloud_credits.models import CloudTransaction, PaymentMint, Purchase
from cloud_credits.policies.movements import Purpose, TransactionType
from treasury.models import Payment


@dataclass(frozen=True, slots=True)
class Minted:
    """The transaction that minted a payment; `amount` in CLOUD."""

    transaction_id: int
    amount: Decimal
    booked_at: datetime | None
    state: str
    entry_id: int | None


def minted_for(payment_id: int) -> Minted | None:
    """None while the payment waits. One indexed read."""
    row = PaymentMint.objects.filter(payment_id=payment_id).select_related("transaction").first()
    if row is None:
        return None
    found = row.transaction
    return Minted(found.pk, row.amount, found.booked_at, str(found.state), found.journal_entry_id)


def reference_of(payment: Payment) -> str:
    """What the transactions that make a payment's credits name: its mint, and what followed it."""
    return f"payment:{payment.reference}"


def late_for(payment: Payment) -> list[Minted]:
    """Credits given after the mint, oldest first: a refund made before it failed later."""
    rows = CloudTransaction.objects.filter(
        to_member_id=payment.member_id,
        type=TransactionType.CORRECTION.value,
        purpose=Purpose.PAYMENT.value,
        reference=reference_of(payment),
    ).order_by("to_sequence")
    return [Minted(row.pk, row.amount, row.booked_at, str(row.state), row.journal_entry_id) for row in rows]


def payment_of_transaction(transaction_id: int) -> int | None:
    """The payment that a transaction minted, if it did."""
    return PaymentMint.objects.filter(transaction_id=transaction_id).values_list("payment_id", flat=True).first()


def payment_of_purchase(purchase_id: int) -> int | None:
    """The payment of a purchase, by the number its member knows it by; None while it is not paid."""
    return Purchase.objects.filter(pk=purchase_id).values_list("payment_id", flat=True).first()


def held_up(payment_id: int) -> str:
    """Why a payment was not minted when that was last tried; empty when it was not tried yet."""
    return Purchase.objects.filter(payment_id=payment_id).values_list("problem", flat=True).first() or ""
