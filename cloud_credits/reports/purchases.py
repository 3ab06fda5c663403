"""What a member bought and is buying, what may still be bought today, and what became of refunds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Cast

from cloud_credits.models import BillingCustomer, Invoice, PaymentMint, Purchase, RecurringPurchase
from cloud_credits.policies.invoices import PAYABLE, InvoiceState, Paying, PaymentMethod, to_buy
from cloud_credits.policies.purchases import SMALLEST, UNPAID, PayBy, PurchaseState, RecurringState
from cloud_credits.policies.settings import WIRE_DETAILS
from cloud_credits.reports import terms
from cloud_credits.reports.invoices import liquid_of
from cloud_credits.reports.refunds import gone_of
from habitat.controls.reports.settings import value as setting
from habitat.members.models import Member
from habitat.members.policies.statuses import MAY_TRADE
from habitat.money import cents, usd_to_cloud
from habitat.workflows.models import Execution
from habitat.workflows.policies.states import ENDED, ExecutionState
from treasury.policies.references import member_reference
from treasury.reports.purchases import limits

PAGE_SIZE: Final = 25
# The saga whose key is the purchase's number.
CHECKOUT: Final = "checkout"
STATE_WORDS: Final = {
    PurchaseState.CREATED: "opening",
    PurchaseState.OPEN: "to pay",
    PurchaseState.PAID: "payment received",
    PurchaseState.MINTED: "completed",
}
# Longer than any number of ours.
LONGEST_NUMBER: Final = 19


def of_member(member_id: int) -> QuerySet[Purchase]:
    """A member's purchases, newest first."""
    return (
        Purchase.objects.filter(member_id=member_id).select_related("payment", "invoice", "recurring").order_by("-id")
    )


def open_today(member_id: int) -> Decimal:
    """USD of checkouts that may still be paid today, UTC: they count against the day's limits.

    A page opened yesterday can be paid today, and after a declined card it can be paid with another. One that never
    opened counts while its saga still can open it, and no longer.
    """
    checkouts = Execution.objects.filter(saga=CHECKOUT, key=Cast(OuterRef("pk"), CharField()))
    can_open = checkouts.exclude(state__in=[state.value for state in (*ENDED, ExecutionState.STUCK)])
    opening = Q(Exists(can_open), expires_at__isnull=True, state=PurchaseState.CREATED.value)
    payable = Q(
        expires_at__gt=datetime.now(tz=UTC),
        state__in=[state.value for state in {*UNPAID, PurchaseState.FAILED}],
    )
    waiting = Purchase.objects.filter(opening | payable, member_id=member_id)
    return Decimal(waiting.aggregate(usd=Sum("usd"))["usd"] or 0)


def customer_of(member_id: int) -> str:
    """Who the member is to Stripe, the newest where one was deleted there; empty before the first purchase."""
    mine = BillingCustomer.objects.filter(member_id=member_id).order_by("-pk")
    return mine.values_list("customer_id", flat=True).first() or ""


@dataclass(frozen=True, slots=True)
class Payer:
    """What Stripe is told of a member: a name for the receipt and where to send it."""

    name: str
    email: str


def payer_of(member_id: int) -> Payer:
    """A member without a sign-in gets no receipt by e-mail."""
    member = Member.objects.select_related("user").get(pk=member_id)
    return Payer(name=member.display_name, email=member.user.email if member.user is not None else "")


def purchase_named(reference: str) -> Purchase | None:
    """The purchase whose number Stripe was given; None for anything else."""
    is_number = reference.isascii() and reference.isdigit() and len(reference) < LONGEST_NUMBER
    return Purchase.objects.filter(pk=int(reference)).first() if is_number else None


def recurring_named(subscription_id: str) -> RecurringPurchase | None:
    """The recurring purchase that Stripe knows as this subscription."""
    return RecurringPurchase.objects.filter(subscription_id=subscription_id).first() if subscription_id else None


def running_recurring(member_id: int) -> RecurringPurchase | None:
    """The recurring purchase that is not cancelled."""
    return RecurringPurchase.objects.filter(member_id=member_id).exclude(state=RecurringState.CANCELLED.value).first()


def wire_reference(member_id: int) -> str:
    """What a member writes on a wire, so that the bank line is known for theirs."""
    return member_reference(member_id)


def wire_details() -> str:
    """The cooperative's account as members read it; empty until operations wrote it down."""
    return str(setting(WIRE_DETAILS))


def state_in_words(purchase: Purchase) -> str:
    """The state as people read it: what went back of a completed one is said."""
    state = PurchaseState(purchase.state)
    gone = gone_of(purchase.payment) if purchase.payment is not None else Decimal(0)
    if state is PurchaseState.MINTED and purchase.payment is not None and gone:
        how_much = "all" if gone >= purchase.payment.amount else f"${cents(gone):,}"
        return f"{STATE_WORDS[state]}, {how_much} of it went back"
    return STATE_WORDS.get(state, state.value)


def is_final(purchase: Purchase) -> bool:
    """Nothing more is awaited: a page about it need not look again."""
    return PurchaseState(purchase.state) not in {*UNPAID, PurchaseState.PAID}


def is_payable_again(purchase: Purchase) -> bool:
    """A card was declined, and Stripe's page takes another one until it expires. A bank debit is ordered once."""
    is_open = purchase.expires_at is not None and purchase.expires_at > datetime.now(tz=UTC)
    return PurchaseState(purchase.state) is PurchaseState.FAILED and is_open and not pays_by_bank(purchase)


def pays_by_bank(purchase: Purchase) -> bool:
    """Whether its checkout asks for a bank debit, which takes days to arrive."""
    given = Execution.objects.filter(saga=CHECKOUT, key=str(purchase.pk)).values_list("input__pay_by", flat=True)
    return given.first() == PayBy.BANK.value


def minted_in(purchase: Purchase) -> int | None:
    """The number of the transaction that made its credits."""
    mint = _mint(purchase)
    return mint.transaction_id if mint is not None else None


def paid_its_invoice(purchase: Purchase) -> bool:
    """Whether its invoice was paid with the credits of this very purchase: the payment follows its mint at once."""
    mint = _mint(purchase)
    if purchase.invoice is None or mint is None or purchase.invoice.payment_transaction is None:
        return False
    by_card = purchase.invoice.paid_by == PaymentMethod.CARD
    return by_card and purchase.invoice.payment_transaction.from_sequence == (mint.transaction.to_sequence or 0) + 1


def invoice_needs_nothing(purchase: Purchase) -> str:
    """Why the credits are not for its invoice any more, as what follows its number; empty when they are."""
    invoice, mint = purchase.invoice, _mint(purchase)
    if invoice is None or invoice.state in PAYABLE:
        return ""
    if invoice.state == InvoiceState.VOID:
        return "is void"
    booked_at = mint.transaction.booked_at if mint is not None else None
    before = booked_at is None or invoice.paid_at is None or invoice.paid_at <= booked_at
    return "was paid already" if before and not paid_its_invoice(purchase) else ""


def _mint(purchase: Purchase) -> PaymentMint | None:
    return getattr(purchase.payment, "payment_mint", None) if purchase.payment is not None else None


@dataclass(frozen=True, slots=True)
class Slice:
    """One page, newest first: `older` is the number to go on before, None at the end."""

    rows: Sequence[Purchase]
    older: int | None


def page(member_id: int, *, before: int | None = None) -> Slice:
    """The newest ones with a number below `before`."""
    found = of_member(member_id)
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found[: PAGE_SIZE + 1])
    return Slice(rows[:PAGE_SIZE], older=rows[PAGE_SIZE - 1].pk if len(rows) > PAGE_SIZE else None)


def with_key(member_id: int, key: str) -> Purchase | None:
    """The purchase that was begun with this key."""
    return Purchase.objects.filter(member_id=member_id, key=key).first()


def payable_invoice(member_id: int, number: int | None) -> Invoice | None:
    """The member's own invoice that waits to be paid."""
    rows = Invoice.objects.filter(pk=number, member_id=member_id, payment_received_at=None)
    return rows.filter(state__in=[state.value for state in PAYABLE]).first() if number is not None else None


def to_buy_for(invoice: Invoice, *, paying: Paying) -> Decimal:
    """CLOUD to buy for an invoice: what the balance lacks, or all of it; never less than a purchase may be."""
    return max(to_buy(total=invoice.total, liquid=liquid_of(invoice.member_id), paying=paying), SMALLEST)


@dataclass(frozen=True, slots=True)
class Room:
    """What a member may buy now. USD; `why` says what stands in the way, empty when nothing does."""

    left: Decimal
    is_low: bool
    recurring_allowed: bool
    terms_accepted: bool
    why: str

    @property
    def left_cloud(self) -> Decimal:
        return usd_to_cloud(self.left)

    @property
    def may_buy(self) -> bool:
        return not self.why and self.left_cloud >= SMALLEST


def room_for(member: Member) -> Room:
    """Limits, terms and standing of a member, as the purchase page shows them before anybody types."""
    today = limits(member.pk)
    why = ""
    if member.status not in MAY_TRADE:
        why = f"Your membership is {member.status}: only active members buy credits."
    elif member.cloud_wallet_created_at is None:
        why = "You have no cloud identity yet. Operations sets it up when your membership starts."
    return Room(
        left=max(today.most - open_today(member.pk), Decimal(0)),
        is_low=today.daily_left is not None,
        recurring_allowed=today.recurring_allowed,
        terms_accepted=terms.accepted(member.pk, terms.current()),
        why=why,
    )
