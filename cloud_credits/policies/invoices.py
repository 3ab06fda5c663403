"""The life of a CLOUD invoice (brief 123 §4 workflow 4; domain §6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from cloud_credits.errors import InvoiceLineInvalid, InvoiceWithoutLines, TooManyInvoiceLines
from habitat.errors import AmountTooLarge
from habitat.money import (
    CLOUD_PLACES,
    HALF_UP,
    LARGEST_CLOUD,
    LARGEST_QUANTITY,
    QUANTITY_PLACES,
    UP,
    plain,
    product,
    rounded,
)

NET_DAYS: Final = 30
LONGEST_TITLE: Final = 200
LONGEST_LINE: Final = 300
MOST_LINES: Final = 100
# A card pays whole cents: 1 cent is 0.001 CLOUD.
CLOUD_OF_A_CENT_PLACES: Final = 3


class InvoiceState(StrEnum):
    DRAFT = "draft"
    SENT = "sent"
    OVERDUE = "overdue"
    PAID = "paid"
    VOID = "void"
    REFUNDED = "refunded"


INVOICE_EDGES: Final[dict[InvoiceState, frozenset[InvoiceState]]] = {
    InvoiceState.DRAFT: frozenset({InvoiceState.SENT, InvoiceState.VOID}),
    InvoiceState.SENT: frozenset({InvoiceState.PAID, InvoiceState.OVERDUE, InvoiceState.VOID}),
    InvoiceState.OVERDUE: frozenset({InvoiceState.PAID, InvoiceState.VOID}),
    InvoiceState.PAID: frozenset({InvoiceState.REFUNDED}),
    InvoiceState.VOID: frozenset(),
    InvoiceState.REFUNDED: frozenset(),
}
PAYABLE: Final = frozenset({InvoiceState.SENT, InvoiceState.OVERDUE})


class PaymentMethod(StrEnum):
    """How the credits of a paid invoice came: they lay in the balance, or a payment for it minted them."""

    BALANCE = "cloud_balance"
    CARD = "card"


class Paying(StrEnum):
    """What a member may ask for: pay from the balance, buy what is missing, or buy all of it."""

    BALANCE = "balance"
    MISSING = "missing"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Item:
    """One line before it stands on an invoice: what it is for, how much of it, and its price in CLOUD."""

    description: str
    quantity: Decimal
    price: Decimal

    @property
    def amount(self) -> Decimal:
        """Quantity × price in CLOUD, half-up to eight decimals."""
        return rounded(product(self.quantity, self.price), CLOUD_PLACES, HALF_UP)


def check_items(items: Sequence[Item]) -> Decimal:
    """The sum of the lines, CLOUD. Raises InvoiceWithoutLines, TooManyInvoiceLines, InvoiceLineInvalid."""
    if not items:
        raise InvoiceWithoutLines(field="lines")
    if len(items) > MOST_LINES:
        raise TooManyInvoiceLines(most=MOST_LINES, given=len(items), field="lines")
    for position, item in enumerate(items, start=1):
        _check_item(position, item)
    total = sum((item.amount for item in items), Decimal(0))
    if total > LARGEST_CLOUD:
        raise AmountTooLarge(given=plain(total), largest=LARGEST_CLOUD, field="lines")
    return total


def _check_item(position: int, item: Item) -> None:
    text = item.description.strip()
    why = ""
    if not text or len(text) > LONGEST_LINE or "\x00" in text:
        why = f"say what it is for, in 1 to {LONGEST_LINE} characters"
    elif not _fits(item.quantity, QUANTITY_PLACES, LARGEST_QUANTITY):
        why = f"the quantity {plain(item.quantity)} must be more than zero, with at most {QUANTITY_PLACES} decimals"
    elif not _fits(item.price, CLOUD_PLACES, LARGEST_CLOUD):
        why = f"the price {plain(item.price)} must be more than zero, with at most {CLOUD_PLACES} decimals"
    elif item.amount <= 0 or item.amount > LARGEST_CLOUD:
        why = f"{plain(item.quantity)} × {plain(item.price)} is {plain(item.amount)} CLOUD, which cannot be charged"
    if why:
        raise InvoiceLineInvalid(position=position, why=why, field="lines")


def _fits(number: Decimal, places: int, largest: Decimal) -> bool:
    return 0 < number <= largest and rounded(number, places) == number


def due_on(sent_at: datetime) -> date:
    """Net 30: the thirtieth UTC day after the one it was sent on."""
    return sent_at.astimezone(UTC).date() + timedelta(days=NET_DAYS)


def to_buy(*, total: Decimal, liquid: Decimal, paying: Paying) -> Decimal:
    """CLOUD to buy so that an invoice can be paid: all of it, or what the balance lacks, up to a whole cent.

    Zero when the balance covers it. A cent is 0.001 CLOUD; what rounding adds stays with the member.
    """
    lacking = total if paying is Paying.CARD else total - liquid
    return rounded(lacking, CLOUD_OF_A_CENT_PLACES, UP) if lacking > 0 else Decimal(0)
