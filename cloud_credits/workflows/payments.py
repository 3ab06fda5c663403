"""What the house does when treasury tells of money: mint it, take back what went back, follow checkouts and sagas.

Each function hears one fact and may hear it again, late, or before the one that came first.
"""

from typing import Any

from cloud_credits.actions import clawbacks, payment_mints, payment_refunds, purchases, recurring, refunds, topups
from cloud_credits.policies.movements import members_of
from cloud_credits.policies.purchases import ENDED_SUBSCRIPTIONS, PurchaseKind, RecurringChange
from cloud_credits.reports.purchases import purchase_named, recurring_named
from cloud_credits.workflows.purchases import MINTS
from habitat.events.actions.wakes import wake_after_commit
from habitat.events.policies.registry import DeliveredEvent
from habitat.members.policies.actors import SYSTEM
from treasury.policies.backing import RESTRAINED, Band


def received(event: DeliveredEvent) -> None:
    """Money stands in 2240: its credits are minted, it waits, or it goes back."""
    payment_mints.mint_for_payment(payment_id=int(event.payload["payment_id"]), acting=SYSTEM)


def refunded(event: DeliveredEvent) -> None:
    """Money went back at Stripe's, or a refund made there failed: the totals tell what credits follow it."""
    payment_id = int(event.payload["payment_id"])
    clawbacks.claw_back(payment_id=payment_id, acting=SYSTEM)
    payment_refunds.note_gone(payment_id=payment_id, acting=SYSTEM)


def refund_settled(event: DeliveredEvent) -> None:
    _outcome(event.payload, succeeded=True)


def refund_failed(event: DeliveredEvent) -> None:
    _outcome(event.payload, succeeded=False)


def _outcome(fact: dict[str, Any], *, succeeded: bool) -> None:
    given: dict[str, Any] = {
        "payment_id": int(fact["payment_id"]),
        "refund_id": fact["refund_id"],
        "succeeded": succeeded,
        "acting": SYSTEM,
    }
    if not refunds.note_outcome(**given):
        payment_refunds.note_outcome(**given)


def failed(event: DeliveredEvent) -> None:
    """A card was declined, or a bank debit came back: the purchase says why; a later payment still counts."""
    fact = event.payload
    purchase = purchase_named(fact["purchase_ref"])
    if purchase is None:
        return
    why = fact["message"] or fact["code"]
    if purchase.kind == PurchaseKind.TOP_UP:
        topups.declined(purchase_id=purchase.pk, why=why, acting=SYSTEM)
    else:
        purchases.fail(purchase_id=purchase.pk, problem=why, acting=SYSTEM)


def checkout_expired(event: DeliveredEvent) -> None:
    fact = event.payload
    purchase = purchase_named(fact["purchase_ref"])
    if purchase is None:
        return
    if fact["failed"]:
        purchases.fail(purchase_id=purchase.pk, problem="The bank debit did not go through.", acting=SYSTEM)
    else:
        purchases.expire(purchase_id=purchase.pk, acting=SYSTEM)


def checkout_completed(event: DeliveredEvent) -> None:
    """A checkout for a recurring purchase tells its subscription; the money is told of by `payment.received`."""
    fact = event.payload
    purchase = purchase_named(fact["purchase_ref"])
    if purchase is not None and purchase.recurring_id is not None and fact["subscription_id"]:
        recurring.activate(recurring_id=purchase.recurring_id, subscription_id=fact["subscription_id"], acting=SYSTEM)


def subscription_changed(event: DeliveredEvent) -> None:
    """What was changed at Stripe's, by whomever, is so here too."""
    fact = event.payload
    found = recurring_named(fact["subscription_id"])
    if found is None:
        purchase = purchase_named(fact["purchase_ref"])
        if purchase is None or purchase.recurring_id is None:
            return
        if fact["status"] != "active":
            return
        found = recurring.activate(
            recurring_id=purchase.recurring_id, subscription_id=fact["subscription_id"], acting=SYSTEM
        )
    recurring.follow_stripe(recurring_id=found.pk, to=_change(fact), acting=SYSTEM)


def _change(fact: dict[str, Any]) -> RecurringChange:
    if fact["status"] in ENDED_SUBSCRIPTIONS:
        return RecurringChange.CANCEL
    return RecurringChange.PAUSE if fact["paused"] else RecurringChange.RESUME


def backing_checked(event: DeliveredEvent) -> None:
    """Recurring purchases pause in the low band and go on after it (domain §6)."""
    band = Band(event.payload["band"])
    if band is not Band.UNKNOWN:
        recurring.follow_backing(
            recurring_allowed=band not in RESTRAINED, check_id=event.payload["check_id"], acting=SYSTEM
        )


def redeemed(event: DeliveredEvent) -> None:
    """Members whose balance fell below what they set, and who wish so, buy again."""
    topups.consider(member_ids=members_of(event.payload), acting=SYSTEM)


def minting_resumed(event: DeliveredEvent) -> None:
    """What waited is minted outside this delivery, each payment in a transaction of its own."""
    del event
    wake_after_commit(MINTS)


HANDLERS = {
    "payment.received": received,
    "payment.refunded": refunded,
    "payment.refund_settled": refund_settled,
    "payment.refund_failed": refund_failed,
    "payment.failed": failed,
    "checkout.completed": checkout_completed,
    "checkout.expired": checkout_expired,
    "subscription.changed": subscription_changed,
    "backing.checked": backing_checked,
    "minting.resumed": minting_resumed,
    "cloud.redeemed": redeemed,
}
