"""Buying credits: a wish to buy, its checkout at Stripe, and what Stripe told of it (domain §6; brief 123 §4)."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions.idempotency import LONGEST_KEY, digest
from cloud_credits.errors import (
    DailyLimitReached,
    IdempotencyKeyReserved,
    InvoiceNotPayable,
    MemberNotActive,
    NoCloudIdentity,
    PurchaseNotOpen,
    RecurringPaused,
    RecurringRunning,
    TooLittleForInvoice,
)
from cloud_credits.models import BillingCustomer, CloudBalance, Invoice, Purchase, RecurringPurchase
from cloud_credits.policies.invoices import PAYABLE, Paying
from cloud_credits.policies.purchases import (
    HOUSE_KEY,
    TOP_UP_KEY,
    UNPAID,
    PayBy,
    PurchaseKind,
    PurchaseState,
    RecurringState,
    check_amount,
)
from cloud_credits.reports import terms
from cloud_credits.reports.purchases import open_today, to_buy_for
from habitat.errors import IdempotencyConflict, IdempotencyKeyRequired
from habitat.members.actions.history import require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require, require_own
from habitat.members.policies.statuses import MAY_TRADE
from habitat.money import Money, plain, require_cloud
from habitat.workflows.actions import sagas
from habitat.workflows.errors import AlreadyCalled, AlreadyTurning, ExecutionEnded
from habitat.workflows.models import Execution
from treasury.reports.purchases import limits

CHECKOUT: Final = "checkout"
TOP_UP: Final = "top_up"
BUY_FOR_MEMBERS: Final = "cloud_credits.buy_for_members"
EXPIRE: Final = "cloud_credits.expire_purchase"
LONGEST_PROBLEM: Final = 300


@dataclass(frozen=True, slots=True)
class Wish:
    """How a purchase is to be paid. `save` keeps the card at Stripe for the next time."""

    pay_by: PayBy = PayBy.CARD
    save: bool = False


@transaction.atomic
def begin(
    *,
    member: Member,
    amount: Money,
    kind: PurchaseKind = PurchaseKind.ONCE,
    invoice: Invoice | None = None,
    idempotency_key: str,
    acting: Actor,
    wish: Wish = Wish(),
) -> Purchase:
    """A wish to buy `amount` CLOUD for ten dollars each, and the saga that opens its checkout.

    The same key and content is the first purchase. Raises NotAllowed, PurchaseTooSmall, WholeCentsOnly,
    MemberNotActive, NoCloudIdentity, TermsNotAccepted, DailyLimitReached, RecurringPaused, RecurringRunning,
    InvoiceNotPayable, TooLittleForInvoice, IdempotencyConflict, IdempotencyKeyReserved.
    Rules: domain §2 (active members), §6 (limits), §10 (terms, load cap).
    """
    quantity = require_cloud(amount)
    dollars = check_amount(quantity)
    require_own(acting, member.pk, BUY_FOR_MEMBERS)
    fingerprint = digest(
        {
            "amount": plain(quantity),
            "kind": kind.value,
            "invoice": invoice.pk if invoice else None,
            "pay_by": wish.pay_by.value,
            "save": wish.save,
        }
    )
    # One wish of a member after the other: two at once would each see the same room under the limit.
    held = locks.member(member.pk)
    first = _first(held, idempotency_key, fingerprint)
    if first is not None:
        return first
    _check_member(held)
    _check_invoice(invoice, held, quantity)
    _check_limits(held, dollars, kind)
    purchase = Purchase.objects.create(
        member=held,
        amount=quantity,
        usd=dollars,
        kind=kind.value,
        invoice=invoice,
        recurring=_recurring(held, quantity) if kind is PurchaseKind.RECURRING else None,
        key=idempotency_key,
        digest=fingerprint,
    )
    start_checkout(purchase, wish, acting)
    return purchase


def start_checkout(purchase: Purchase, wish: Wish, acting: Actor) -> None:
    """Starts the saga of a purchase: everything its steps need to know is in its input."""
    given: dict[str, Any] = {
        "purchase_id": purchase.pk,
        "member_id": purchase.member_id,
        "amount": plain(purchase.amount),
        "usd": plain(purchase.usd),
        "kind": purchase.kind,
        "invoice_id": purchase.invoice_id,
        "pay_by": wish.pay_by.value,
        "save": wish.save,
    }
    sagas.start(saga=CHECKOUT, key=str(purchase.pk), input=given, acting=acting)


def _first(member: Member, key: str, fingerprint: str) -> Purchase | None:
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise IdempotencyKeyRequired
    for ours in (HOUSE_KEY, TOP_UP_KEY):
        if key.startswith(ours):
            raise IdempotencyKeyReserved(prefix=ours)
    first = Purchase.objects.filter(member=member, key=key).first()
    if first is not None and first.digest != fingerprint:
        raise IdempotencyConflict(key=key)
    return first


def _check_member(member: Member) -> None:
    if member.status not in MAY_TRADE:
        raise MemberNotActive(holder=member.display_name, status=member.status)
    if not CloudBalance.objects.filter(member=member).exists():
        raise NoCloudIdentity(holder=member.display_name)
    terms.require_accepted(member.pk)


def _check_invoice(invoice: Invoice | None, member: Member, quantity: Decimal) -> None:
    if invoice is None:
        return
    now = Invoice.objects.get(pk=invoice.pk)
    if now.state not in PAYABLE or now.member_id != member.pk:
        raise InvoiceNotPayable(invoice=now, state=now.state)
    needed = to_buy_for(now, paying=Paying.MISSING)
    if quantity < needed:
        raise TooLittleForInvoice(invoice=now, needed=plain(needed), given=plain(quantity), field="amount")


def _check_limits(member: Member, dollars: Decimal, kind: PurchaseKind) -> None:
    today = limits(member.pk)
    if kind is PurchaseKind.RECURRING and not today.recurring_allowed:
        raise RecurringPaused
    left = max(today.most - open_today(member.pk), Decimal(0))
    if dollars > left:
        is_low = today.daily_left is not None and today.daily_left < today.load_cap_left
        why = "The limit is lower while the reserve is." if is_low else "It is the daily load cap for every member."
        raise DailyLimitReached(left=plain(left), asked=plain(dollars), why=why, field="amount")


def _recurring(member: Member, amount: Decimal) -> RecurringPurchase:
    running = [RecurringState.ACTIVE.value, RecurringState.PAUSED.value]
    if RecurringPurchase.objects.filter(member=member, state__in=running).exists():
        raise RecurringRunning
    return RecurringPurchase.objects.create(member=member, amount=amount)


# --- what the checkout's saga writes down


@transaction.atomic
def record_customer(*, member_id: int, customer_id: str, acting: Actor) -> str:
    """Who the member is to Stripe from now on; a customer that is known already stays as it is."""
    del acting  # the saga's own step; the row says nothing about who asked
    # Two checkouts of a new member race with one key, and so with one customer: the second finds its row.
    row, _ = BillingCustomer.objects.get_or_create(customer_id=customer_id, defaults={"member_id": member_id})
    return row.customer_id


@transaction.atomic
def open_checkout(*, purchase_id: int, session_id: str, url: str, expires_at: datetime, acting: Actor) -> Purchase:
    """Stripe has a page for it. A purchase that is paid already stays so."""
    del acting
    held = locks.purchase(purchase_id)
    if held.session_id is None:
        held.session_id, held.checkout_url, held.expires_at = session_id, url, expires_at
        if held.state == PurchaseState.CREATED:
            held.open()
        held.save(update_fields=["state", "session_id", "checkout_url", "expires_at"])
    return held


@transaction.atomic
def fail(*, purchase_id: int, problem: str, acting: Actor) -> Purchase:
    """The checkout was refused, or the payment declined; a later payment for it still counts (policies)."""
    held = locks.purchase(purchase_id)
    if held.state in UNPAID:
        held.fail()
        held.problem = problem[:LONGEST_PROBLEM]
        held.save(update_fields=["state", "problem"])
        _give_up_recurring(held, problem)
    return held


@transaction.atomic
def expire(*, purchase_id: int, problem: str = "", acting: Actor) -> Purchase:
    """Nobody paid in time, or operations closed it: then `problem` says why."""
    held = locks.purchase(purchase_id)
    if held.state == PurchaseState.OPEN:
        held.expire()
        held.problem = problem[:LONGEST_PROBLEM]
        held.save(update_fields=["state", "problem"])
        _give_up_recurring(held, problem or "Nobody paid the first month in time.")
    return held


@transaction.atomic
def close_unopened(*, purchase_id: int, reason: str, acting: Actor) -> Purchase:
    """Operations closes a purchase whose checkout never opened: its saga is called off, or sent back where it began.

    A call to Stripe whose outcome is unknown is resolved first; a page it may have made was never shown to anybody,
    and money that comes in all the same still counts. Raises NotAllowed, ReasonRequired, PurchaseNotOpen.
    Locks: execution, purchase, as the saga's own steps.
    """
    require(acting, EXPIRE)
    why = require_reason(reason)
    execution = Execution.objects.filter(saga__in=[CHECKOUT, TOP_UP], key=str(purchase_id)).first()
    if execution is not None:
        _call_off(execution, why, acting)
    held = locks.purchase(purchase_id)
    if held.state != PurchaseState.CREATED:
        raise PurchaseNotOpen(purchase=held.pk, state=held.state)
    return fail(purchase_id=purchase_id, problem=why, acting=acting)


def _call_off(execution: Execution, why: str, acting: Actor) -> None:
    """One that ended, or goes back already, is left as it is."""
    # Before the first step it can be called off; once one began it goes back.
    for end in (sagas.cancel, sagas.compensate):
        with suppress(AlreadyCalled, AlreadyTurning, ExecutionEnded), transaction.atomic():
            end(execution=execution, reason=why, acting=acting)


def _give_up_recurring(purchase: Purchase, why: str) -> None:
    if purchase.recurring_id is None:
        return
    recurring = locks.recurring(purchase.recurring_id)
    if recurring.state == RecurringState.STARTING:
        recurring.cancel()
        recurring.paused_because = why[:200]
        recurring.ended_at = datetime.now(tz=UTC)
        recurring.save(update_fields=["state", "paused_because", "ended_at"])
