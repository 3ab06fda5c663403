"""What Stripe holds for a member: the saved cards and the receipts, as far as the books know them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from treasury.models import Payment
from treasury.policies.payments import Provider


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
    """One payment through Stripe as the books keep it (`amount` in USD), with Stripe's own page about it."""

    reference: str
    paid_at: datetime
    amount: Decimal
    description: str
    url: str
    invoice_url: str
    state: str
    purchase_ref: str


def cards(member_id: int) -> list[SavedCard]:
    """What the member saved to pay with: the books keep no card, so it is for Stripe's own page to show them."""
    del member_id
    return []


def receipts(member_id: int) -> list[Receipt]:
    """Every payment the member made through Stripe, the newest first."""
    rows = Payment.objects.filter(provider=Provider.STRIPE.value, member_id=member_id).order_by("-occurred_at", "-id")
    return [
        Receipt(row.reference, row.occurred_at, row.amount, "", "", "", str(row.state), row.purchase_ref)
        for row in rows
    ]
