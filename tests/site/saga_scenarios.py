"""A case for each saga and each way it can end, with Stripe's sandbox as the outside world: see `SCENARIOS`.

Every name, amount and key is written out: the same scenario in a fresh house and a fresh sandbox is the same run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import stripe
from django.db import connection

from cloud_credits.actions import purchases, recurring, refunds, topups
from cloud_credits.models import BillingCustomer, Purchase, RecurringPurchase
from cloud_credits.policies.purchases import PurchaseKind, RecurringChange
from cloud_credits.reports.topups import usable_cards
from habitat.events.workflows import deliveries
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from habitat.workflows.models import Execution
from habitat.workflows.policies.sagas import Direction
from tests.cloud_credits.bought import buyer, check_backing, wish
from tests.factories import actor, hold_dollars
from tests.treasury.stripe_side import KEY, StripeSide
from tests.workflows.saga_drills import to_the_end
from treasury.models import Payment


@dataclass(frozen=True)
class Scenario:
    """`build` makes the case and answers its execution, of which nothing has run yet.

    `ends` is the state it ends in. `heard`: Stripe's webhooks reach the house, also while nobody runs the saga.
    """

    saga: str
    name: str
    build: Callable[[StripeSide], Execution]
    ends: str = "completed"
    heard: bool = True

    @property
    def direction(self) -> Direction:
        """Whose steps it reaches to the last: it goes back, or all the way forward."""
        return Direction.BACKWARD if self.ends == "compensated" else Direction.FORWARD

    def __str__(self) -> str:
        return f"{self.saga}, {self.name}"


def hear(side: StripeSide) -> None:
    """Every webhook so far is at the door (again), is processed, and what follows from it is delivered."""
    side.tell()
    for _ in range(3):
        deliveries.drain()
        _make_deliveries_due()


def _make_deliveries_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_delivery SET due_at = now() - interval '1 s' WHERE state = 'pending'")


# --- what was before


def _ada() -> Member:
    hold_dollars()
    check_backing()
    return buyer(name="Ada")


def _wished(member: Member, amount: str = "10", kind: PurchaseKind = PurchaseKind.ONCE, key: str = "wish") -> Purchase:
    return wish(member, amount, kind=kind, idempotency_key=key)


def _execution(saga: str) -> Execution:
    return Execution.objects.filter(saga=saga).latest("id")


def _paid(side: StripeSide, purchase: Purchase) -> None:
    """Its checkout opens and somebody pays there; the house has not heard of it yet."""
    to_the_end(_execution(purchases.CHECKOUT).pk)
    side.sandbox.control("pay", session=Purchase.objects.get(pk=purchase.pk).session_id)


def _minted(side: StripeSide) -> Payment:
    _paid(side, _wished(_ada()))
    hear(side)
    payment = Payment.objects.get()
    assert (payment.state, payment.minted) == ("minted", Decimal(100))
    return payment


# --- a checkout


def first_checkout(side: StripeSide) -> Execution:
    _wished(_ada())
    return _execution(purchases.CHECKOUT)


def recurring_checkout(side: StripeSide) -> Execution:
    _wished(_ada(), "2.5", PurchaseKind.RECURRING)
    return _execution(purchases.CHECKOUT)


def checkout_refused(side: StripeSide) -> Execution:
    """Stripe closed the account to new checkouts: each is refused for good."""
    side.sandbox.control("charges", enabled=False)
    _wished(_ada())
    return _execution(purchases.CHECKOUT)


def checkout_of_a_deleted_customer(side: StripeSide) -> Execution:
    """Somebody deleted the customer in Stripe's dashboard: the member is made known to Stripe again."""
    ada = _ada()
    _wished(ada)
    to_the_end(_execution(purchases.CHECKOUT).pk)
    stripe_itself = stripe.StripeClient(KEY, base_addresses={"api": side.sandbox.url})
    stripe_itself.v1.customers.delete(ada.billing_customers.get().customer_id)
    _wished(ada, "3", PurchaseKind.RECURRING, key="another wish")
    return _execution(purchases.CHECKOUT)


# --- a refund of credits


def _asked(payment: Payment) -> Execution:
    refunds.request(
        payment=payment, amount=cloud("4"), reason="bought too many", idempotency_key="refund", acting=SYSTEM
    )
    return _execution(refunds.SAGA)


def credits_refunded(side: StripeSide) -> Execution:
    return _asked(_minted(side))


def credits_refund_fails(side: StripeSide) -> Execution:
    """Stripe takes the order, and the payer's bank returns the money."""
    execution = _asked(_minted(side))
    side.sandbox.control("next_refund", outcome="failed")
    return execution


def credits_refund_refused(side: StripeSide) -> Execution:
    """All of it was sent back in Stripe's dashboard a moment ago, which the house has not heard of yet."""
    payment = _minted(side)
    execution = _asked(payment)
    side.sandbox.control("refund", payment_intent=payment.reference)
    return execution


# --- a payment sent back


def _unmintable(side: StripeSide) -> Payment:
    """Ada paid, and was expelled before the house heard of it."""
    ada = _ada()
    _paid(side, _wished(ada))
    members.expel(member=ada, reason="decided by the board", acting=SYSTEM)
    hear(side)
    return Payment.objects.get()


def payment_sent_back(side: StripeSide) -> Execution:
    _unmintable(side)
    return _execution("payment_refund")


def payment_comes_back(side: StripeSide) -> Execution:
    _unmintable(side)
    side.sandbox.control("next_refund", outcome="failed")
    return _execution("payment_refund")


def payment_refund_refused(side: StripeSide) -> Execution:
    side.sandbox.control("refund", payment_intent=_unmintable(side).reference)
    return _execution("payment_refund")


# --- a recurring purchase


def _changed(to: RecurringChange, because: str = "") -> Execution:
    return recurring.change(
        recurring=RecurringPurchase.objects.get(),
        to=to,
        because=because,
        idempotency_key="change",
        acting=SYSTEM,
    )


def _running(side: StripeSide) -> None:
    _paid(side, _wished(_ada(), "2.5", PurchaseKind.RECURRING))
    hear(side)
    assert RecurringPurchase.objects.get().state == "active"


def recurring_pauses(side: StripeSide) -> Execution:
    _running(side)
    return _changed(RecurringChange.PAUSE, because="The reserve is low")


def recurring_resumes(side: StripeSide) -> Execution:
    _running(side)
    to_the_end(_changed(RecurringChange.PAUSE, because="The reserve is low").pk)
    hear(side)
    return _changed(RecurringChange.RESUME, because="The reserve is whole again")


def recurring_ends(side: StripeSide) -> Execution:
    _running(side)
    return _changed(RecurringChange.CANCEL, because="I have enough")


# --- an automatic top-up


def _card_of(side: StripeSide, member: Member, number: str) -> str:
    """A card saved at Stripe, and the house has heard of it."""
    _wished(member, "1")
    to_the_end(_execution(purchases.CHECKOUT).pk)
    customer = BillingCustomer.objects.get(member=member).customer_id
    stripe_itself = stripe.StripeClient(KEY, base_addresses={"api": side.sandbox.url})
    stripe_itself.v1.payment_methods.attach(number, {"customer": customer})
    hear(side)
    [card] = usable_cards(member.pk)
    return card.id


def _topped_up(side: StripeSide, number: str) -> Execution:
    ada = _ada()
    topups.switch_on(
        member=ada,
        threshold=cloud("5"),
        amount=cloud("10"),
        method_id=_card_of(side, ada, number),
        most_a_day=2,
        acting=actor(ada),
    )
    return _execution(topups.SAGA)


def top_up_arrives(side: StripeSide) -> Execution:
    return _topped_up(side, "pm_card_visa")


def top_up_declined(side: StripeSide) -> Execution:
    """The card could be saved, and its bank refuses each charge."""
    return _topped_up(side, "pm_card_chargeCustomerFail")


def top_up_switched_off(side: StripeSide) -> Execution:
    """Its member changed their mind while no worker ran."""
    execution = _topped_up(side, "pm_card_visa")
    ada = Member.objects.get(pk=execution.input["member_id"])
    topups.switch_off(member=ada, acting=actor(ada))
    return execution


SCENARIOS = (
    Scenario("checkout", "a first purchase", first_checkout),
    Scenario("checkout", "a recurring one", recurring_checkout),
    Scenario("checkout", "refused", checkout_refused, ends="compensated", heard=False),
    Scenario("checkout", "of a deleted customer", checkout_of_a_deleted_customer),
    Scenario("credit_refund", "arrives", credits_refunded),
    Scenario("credit_refund", "does not arrive", credits_refund_fails),
    Scenario("credit_refund", "refused", credits_refund_refused, ends="compensated", heard=False),
    Scenario("payment_refund", "arrives", payment_sent_back),
    Scenario("payment_refund", "does not arrive", payment_comes_back),
    Scenario("payment_refund", "refused", payment_refund_refused, ends="compensated", heard=False),
    Scenario("recurring_change", "pause", recurring_pauses),
    Scenario("recurring_change", "resume", recurring_resumes),
    Scenario("recurring_change", "cancel", recurring_ends),
    Scenario("top_up", "arrives", top_up_arrives),
    Scenario("top_up", "declined", top_up_declined, ends="compensated"),
    Scenario("top_up", "switched off", top_up_switched_off, ends="compensated"),
)
