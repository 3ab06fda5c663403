"""What a member bought and is buying, what may still be bought today, and what became of refunds."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final

from django.db.models import Q, QuerySet, Sum

from cloud_credits.models import BillingCustomer, Purchase, RecurringPurchase
from cloud_credits.policies.purchases import SMALLEST, UNPAID, RecurringState
from cloud_credits.reports import terms
from habitat.members.models import Member
from habitat.members.policies.statuses import MAY_TRADE
from habitat.money import usd_to_cloud
from treasury.policies.references import member_reference
from treasury.reports.purchases import limits

# Longer than any number of ours.
LONGEST_NUMBER: Final = 19


def of_member(member_id: int) -> QuerySet[Purchase]:
    """A member's purchases, newest first."""
    return (
        Purchase.objects.filter(member_id=member_id).select_related("payment", "invoice", "recurring").order_by("-id")
    )


def open_today(member_id: int) -> Decimal:
    """USD of checkouts begun today, UTC, that may still be paid: they count against the day's limits."""
    now = datetime.now(tz=UTC)
    midnight = datetime.combine(now.date(), time(), UTC)
    waiting = Purchase.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now),
        member_id=member_id,
        state__in=[state.value for state in UNPAID],
        created_at__gte=midnight,
    )
    return Decimal(waiting.aggregate(usd=Sum("usd"))["usd"] or 0)


def customer_of(member_id: int) -> str:
    """Who the member is to Stripe; empty before the first purchase."""
    found = BillingCustomer.objects.filter(member_id=member_id).values_list("customer_id", flat=True).first()
    return found or ""


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
