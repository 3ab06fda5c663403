"""What Stripe holds for a member: the saved cards and the receipts, read from the mirror. No word goes to Stripe."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models.fields.json import KT
from djstripe import models as mirror

from treasury.models import Payment
from treasury.policies.payments import Provider
from treasury.policies.stripe import MEMBER_KEY


@dataclass(frozen=True, slots=True)
class SavedCard:
    """A saved way to pay, never its number. A bank account (`kind` us_bank_account) has no month and year."""

    id: str
    customer_id: str
    kind: str
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None

    def is_expired(self, *, on: date) -> bool:
        """A card is good until the end of its month."""
        if self.exp_month is None or self.exp_year is None:
            return False
        return (self.exp_year, self.exp_month) < (on.year, on.month)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One payment through Stripe as the books keep it (`amount` in USD), with Stripe's own page about it.

    `url` is empty while the mirror has none; `invoice_url` is there for what a subscription collected.
    """

    reference: str
    paid_at: datetime
    amount: Decimal
    description: str
    url: str
    invoice_url: str
    state: str
    purchase_ref: str


def customers(member_id: int) -> list[str]:
    """The ids of the member's customers at Stripe, as their metadata says; usually one."""
    rows = mirror.Customer.objects.annotate(of=KT(f"metadata__{MEMBER_KEY}")).filter(of=str(member_id))
    return list(rows.order_by("created", "id").values_list("id", flat=True))


def cards(member_id: int) -> list[SavedCard]:
    """What the member saved to pay with, the newest first. A card that was forgotten belongs to no customer."""
    return cards_of(customers(member_id))


def cards_of(customer_ids: list[str]) -> list[SavedCard]:
    """What these customers saved to pay with, the newest first."""
    rows = mirror.PaymentMethod.objects.filter(customer_id__in=customer_ids).order_by("-created", "-id")
    return [_card(row.stripe_data, row.customer_id) for row in rows]


def receipts(member_id: int) -> list[Receipt]:
    """Every payment the member made through Stripe, the newest first.

    What Stripe shows of it is read only among the member's own customers: a page of somebody else is never named.
    """
    own = customers(member_id)
    payments = Payment.objects.filter(provider=Provider.STRIPE.value, member_id=member_id)
    charges = {row.id: row.stripe_data for row in mirror.Charge.objects.filter(customer_id__in=own)}
    invoices = _invoices(own)
    return [
        _receipt(payment, charges.get(payment.charge_id, {}), invoices.get(payment.reference, {}))
        for payment in payments.order_by("-occurred_at", "-id")
    ]


def _card(shown: dict[str, Any], customer_id: str) -> SavedCard:
    kind = shown["type"]
    details = shown.get(kind) or {}
    return SavedCard(
        id=shown["id"],
        customer_id=customer_id,
        kind=kind,
        brand=details.get("brand") or details.get("bank_name") or "",
        last4=details.get("last4") or "",
        exp_month=details.get("exp_month"),
        exp_year=details.get("exp_year"),
    )


def _invoices(customer_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Invoices by the PaymentIntent that settled them."""
    return {
        paid["payment"]["payment_intent"]: row.stripe_data
        for row in mirror.Invoice.objects.filter(customer_id__in=customer_ids)
        for paid in (row.stripe_data.get("payments") or {}).get("data") or ()
        if isinstance(paid.get("payment", {}).get("payment_intent"), str)
    }


def _receipt(payment: Payment, charge: dict[str, Any], invoice: dict[str, Any]) -> Receipt:
    number = invoice.get("number")
    return Receipt(
        reference=payment.reference,
        paid_at=payment.occurred_at,
        amount=payment.amount,
        description=charge.get("description") or (f"Invoice {number}" if number else ""),
        url=charge.get("receipt_url") or "",
        invoice_url=invoice.get("hosted_invoice_url") or "",
        state=payment.state,
        purchase_ref=payment.purchase_ref,
    )
