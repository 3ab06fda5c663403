"""What this floor does when it hears its own facts: it tells the members they concern."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from cloud_credits.actions import spending
from cloud_credits.policies import notices
from cloud_credits.policies.invoices import PaymentMethod
from cloud_credits.policies.movements import Purpose, members_of
from cloud_credits.policies.topups import TopUpState
from cloud_credits.policies.webhooks import TOLD
from cloud_credits.reports import rate_card_notices
from cloud_credits.workflows import payments, webhooks
from habitat.events.policies.registry import DeliveredEvent, Subscriber, subscribe
from habitat.members.policies.actors import SYSTEM
from habitat.members.reports.names import name_of
from habitat.money import cents
from habitat.notifications.actions.notify import notify, notify_many
from habitat.notifications.policies.types import NotificationType

# Members told in one statement.
BATCH: Final = 1_000


def tell_transferred(event: DeliveredEvent) -> None:
    """Both sides (brief 123 §4 workflow 3, step 4)."""
    fact = event.payload
    if fact["purpose"] == Purpose.INVOICE.value:
        return  # the invoice's own notice says it
    sender, recipient = name_of(fact["from_member_id"]), name_of(fact["to_member_id"])
    memo = f" “{fact['memo']}”" if fact["memo"] else ""
    _tell(
        event,
        fact["from_member_id"],
        notices.SENT,
        f"{fact['quantity']} CLOUD sent to {recipient}",
        f"{fact['quantity']} CLOUD went to {recipient}.{memo} You can spend {fact['from_balance_after']} CLOUD now.",
    )
    _tell(
        event,
        fact["to_member_id"],
        notices.RECEIVED,
        f"{fact['quantity']} CLOUD received from {sender}",
        f"{fact['quantity']} CLOUD came from {sender}.{memo} You can spend {fact['to_balance_after']} CLOUD now.",
    )


def tell_minted(event: DeliveredEvent) -> None:
    fact = event.payload
    paid = f" You paid ${_dollars(fact['amount_paid'])}." if fact["amount_paid"] != "0" else ""
    _tell(
        event,
        fact["member_id"],
        notices.MINTED,
        f"{fact['quantity']} CLOUD added to your balance",
        f"{fact['quantity']} CLOUD were added.{paid} You can spend {fact['balance_after']} CLOUD now.",
    )


def tell_burned(event: DeliveredEvent) -> None:
    fact = event.payload
    _tell(
        event,
        fact["member_id"],
        notices.BURNED,
        f"{fact['quantity']} CLOUD taken out of your balance",
        f"{notices.sentence(fact['reason'])} You can spend {fact['balance_after']} CLOUD now.",
    )


def tell_corrected(event: DeliveredEvent) -> None:
    """Whoever gave and whoever got, each with what it means for them."""
    fact = event.payload
    sides = ((fact["from_member_id"], "taken from"), (fact["to_member_id"], "added to"))
    for member_id, what in sides:
        if member_id is None:
            continue
        subject = f"Correction: {fact['quantity']} CLOUD {what} your balance"
        owed = fact["receivable"]
        rest = f" Of this, {owed} CLOUD had been spent already." if owed != "0" and what == "taken from" else ""
        _tell(event, member_id, notices.CORRECTED, subject, f"Why: {notices.sentence(fact['reason'])}{rest}")


def tell_staked(event: DeliveredEvent) -> None:
    fact = event.payload
    _tell(
        event,
        fact["member_id"],
        notices.STAKED,
        f"{fact['quantity']} CLOUD staked for {fact['lock_duration_days']} days",
        f"Locked until {fact['unlock_at'][:10]}. The share is {fact['revenue_share_percent']} % of the period's "
        "revenue; it may be zero.",
    )


def tell_unstaked(event: DeliveredEvent) -> None:
    fact = event.payload
    _tell(
        event,
        fact["member_id"],
        notices.STAKED,
        f"{fact['quantity']} CLOUD are liquid again",
        f"A stake was released. You can spend {fact['balance_after']} CLOUD now.",
    )


def tell_identity(event: DeliveredEvent) -> None:
    fact = event.payload
    _tell(
        event,
        fact["member_id"],
        notices.IDENTITY,
        f"You are {fact['ens_subname']}",
        f"Your cloud identity is set up: {fact['ens_subname']} at {fact['ethereum_address']}. "
        "You can hold and receive credits now.",
    )


def tell_invoice(event: DeliveredEvent) -> None:
    """Brief 123 §4 workflow 4, step 2: "Invoice for 500 CLOUD", due in thirty days."""
    fact = event.payload
    text = f"Invoice {fact['number']} for {fact['description']}: {fact['amount_cloud']} CLOUD, due {fact['due_date']}."
    _tell_invoice(event, fact["to"], notices.INVOICE, f"Invoice for {fact['amount_cloud']} CLOUD", text)


def tell_invoice_paid(event: DeliveredEvent) -> None:
    fact = event.payload
    how = "with your payment" if fact["payment_method"] == PaymentMethod.CARD.value else "from your balance"
    subject = f"Invoice {fact['number']} is paid"
    _tell_invoice(
        event, fact["payer"], notices.INVOICE_SETTLED, subject, f"{fact['amount_cloud']} CLOUD were paid {how}."
    )


def tell_invoice_overdue(event: DeliveredEvent) -> None:
    fact = event.payload
    text = f"{fact['amount_cloud']} CLOUD were due on {fact['due_date']}. Please pay, or tell operations what is wrong."
    _tell_invoice(event, fact["to"], notices.INVOICE_OVERDUE, f"Invoice {fact['number']} is overdue", text)


def tell_invoice_voided(event: DeliveredEvent) -> None:
    fact = event.payload
    text = f"Its {fact['amount_cloud']} CLOUD are not owed. Why: {fact['reason']}"
    _tell_invoice(event, fact["to"], notices.INVOICE_SETTLED, f"Invoice {fact['number']} is void", text)


def tell_invoice_refunded(event: DeliveredEvent) -> None:
    fact = event.payload
    text = f"{fact['amount_cloud']} CLOUD are back in your balance. Why: {fact['reason']}"
    _tell_invoice(event, fact["to"], notices.INVOICE_SETTLED, f"Invoice {fact['number']} is refunded", text)


def tell_waiting(event: DeliveredEvent) -> None:
    fact = event.payload
    text = (
        f"${_dollars(fact['usd'])} arrived for {fact['quantity']} CLOUD. "
        f"The credits follow as soon as they may: {fact['why']}"
    )
    _tell_purchase(event, fact["member_id"], notices.PURCHASE, "Payment received, credits follow", text)


def tell_sent_back(event: DeliveredEvent) -> None:
    fact = event.payload
    if fact["member_id"] is not None:
        text = f"${_dollars(fact['usd'])} cannot become credits ({fact['why']}) and go back the way they came."
        _tell_purchase(event, fact["member_id"], notices.REFUND, "Your payment is sent back", text)


def tell_declined(event: DeliveredEvent) -> None:
    """At once for a card; for a bank debit days later, for a monthly purchase when its month was to be paid."""
    fact = event.payload
    member_id = fact["member_id"]
    if member_id.isdigit():
        why = fact["message"] or f"{fact['code'].replace('_', ' ')}."
        text = f"${_dollars(fact['amount'])} could not be charged: {why} Nothing was bought."
        _tell_purchase(event, int(member_id), notices.PURCHASE, "A payment was declined", text)


def tell_refund_requested(event: DeliveredEvent) -> None:
    fact = event.payload
    why = notices.sentence(fact["reason"])
    text = f"{fact['quantity']} CLOUD are taken and ${_dollars(fact['usd'])} sent back. Why: {why}"
    _tell_purchase(
        event, fact["member_id"], notices.REFUND, f"A refund of ${_dollars(fact['usd'])} is on its way", text
    )


def tell_refund_settled(event: DeliveredEvent) -> None:
    fact = event.payload
    text = f"${_dollars(fact['usd'])} went back the way they came. Your bank may take some days to show them."
    _tell_purchase(event, fact["member_id"], notices.REFUND, f"${_dollars(fact['usd'])} are refunded", text)


def tell_refund_failed(event: DeliveredEvent) -> None:
    fact = event.payload
    text = f"The refund of ${_dollars(fact['usd'])} did not arrive. What was taken for it is in your balance again."
    _tell_purchase(event, fact["member_id"], notices.REFUND, "A refund did not arrive", text)


def tell_clawed_back(event: DeliveredEvent) -> None:
    """Only the part that is owed: what was burned is told by the burn itself."""
    fact = event.payload
    if fact["owed"] != "0":
        text = (
            f"A payment of yours went back after its credits were spent. You owe {fact['owed']} CLOUD; "
            "operations will tell you how to settle it."
        )
        _tell_purchase(event, fact["member_id"], notices.REFUND, f"You owe {fact['owed']} CLOUD", text)


def tell_written_off(event: DeliveredEvent) -> None:
    fact = event.payload
    text = f"{fact['quantity']} CLOUD that you owed are written off. Why: {fact['reason']}"
    _tell_purchase(event, fact["member_id"], notices.REFUND, "A debt was written off", text)


def tell_recurring(event: DeliveredEvent) -> None:
    fact = event.payload
    why = f" {notices.sentence(fact['because'])}" if fact["because"] else ""
    text = f"Your recurring purchase is {fact['state']} now.{why}"
    _tell_purchase(event, fact["member_id"], notices.PURCHASE, f"Recurring purchase {fact['state']}", text)


def tell_proposed(event: DeliveredEvent) -> None:
    """Every member with a cloud identity (domain §4, propose)."""
    fact = event.payload
    kind = "Emergency rate card" if fact["is_emergency"] else "Rate card"
    why = notices.shortened(fact["justification"])
    text = (
        f"{kind} {fact['version']} is proposed. It would be in force from {fact['effective_date']}, 00:00 UTC, if the "
        f"stewards adopt it. Why: {why} You can read it, see what it would have cost you, and say what you think."
    )
    # A proposal told before its fact carried the rates has none to compare.
    changes = "\n".join(notices.rate_changes(fact.get("rates", {}), fact.get("rates_in_force", {})))
    text += f"\n\n{changes}" if changes else ""
    _tell_all(event, f"{kind} {fact['version']} is proposed", text)


def tell_voting_opened(event: DeliveredEvent) -> None:
    """Everybody is told that the vote is open; the electors that it waits for them."""
    fact = event.payload
    closes = _utc(fact["closes_at"])
    subject = f"The vote on rate card {fact['version']} is open"
    _tell_many(event, fact["electors"], notices.VOTE, subject, f"You may vote until {closes}, and change your vote.")
    others = [member for member in rate_card_notices.everybody() if member not in set(fact["electors"])]
    _tell_many(event, others, notices.RATE_CARD, subject, f"The stewards vote until {closes}. The thread stays open.")


def remind_to_vote(event: DeliveredEvent) -> None:
    """Those who have not voted by the time this is told, and nobody else."""
    fact = event.payload
    waiting = rate_card_notices.not_voted(card_id=fact["card_id"], version=fact["version"])
    subject = f"Your vote on rate card {fact['version']} is missing"
    _tell_many(event, waiting, notices.VOTE, subject, f"The vote closes at {_utc(fact['closes_at'])}.")


def tell_approved(event: DeliveredEvent) -> None:
    fact = event.payload
    text = f"In force from {fact['effective_date']}, 00:00 UTC. {_count(fact)}"
    _tell_all(event, f"Rate card {fact['version']} was adopted", text)


def tell_rejected(event: DeliveredEvent) -> None:
    fact = event.payload
    text = f"{notices.sentence(fact['reason'])} {_count(fact)} The rates stay as they are."
    _tell_all(event, f"Rate card {fact['version']} was not adopted", text)


def tell_withdrawn(event: DeliveredEvent) -> None:
    fact = event.payload
    why = notices.sentence(fact["reason"])
    _tell_all(event, f"Rate card {fact['version']} was withdrawn", f"Why: {why} The rates stay as they are.")


def tell_lapsed(event: DeliveredEvent) -> None:
    fact = event.payload
    text = "No vote was opened on it in time. The rates stay as they are."
    _tell_all(event, f"Rate card {fact['version']} has lapsed", text)


def tell_returned(event: DeliveredEvent) -> None:
    fact = event.payload
    _tell_all(event, f"Rate card {fact['version']} is a draft again", notices.sentence(fact["reason"]))


def tell_in_force(event: DeliveredEvent) -> None:
    """The card the cooperative opened with is no news."""
    fact = event.payload
    if fact["previous_version"] is not None:
        text = f"What you use from {fact['effective_date']}, 00:00 UTC, is priced by it."
        _tell_all(event, f"Rate card {fact['version']} is in force", text)


def tell_low_balance(event: DeliveredEvent) -> None:
    fact = event.payload
    text = f"You can spend {fact['liquid']} CLOUD. You asked to be told below {fact['threshold']} CLOUD."
    _tell_spending(event, notices.LOW_BALANCE, f"Your balance is {fact['liquid']} CLOUD", text)


def tell_cap_reached(event: DeliveredEvent) -> None:
    fact = event.payload
    text = (
        f"{fact['spent']} of {fact['monthly_cap']} CLOUD of metered usage are spent, and a service asked for more. It "
        f"was refused. The next month begins on {fact['ends_on']}; you can change your cap at any time."
    )
    _tell_spending(event, notices.SPEND_CAP, "Your monthly cap is reached", text)


def tell_top_up(event: DeliveredEvent) -> None:
    """Only what its member did not do themselves."""
    fact = event.payload
    if fact["state"] != TopUpState.STOPPED:
        return
    text = (
        f"{notices.sentence(fact['because'])} Nothing more is bought by itself until you switch it on again; "
        "services may find your balance too low meanwhile."
    )
    notify(
        member_id=fact["member_id"],
        type=notices.TOP_UP,
        subject="Your automatic top-up stopped",
        text=text,
        link="/cloud/top-up/",
        event_id=event.id,
        acting=SYSTEM,
    )


def follow_balances(event: DeliveredEvent) -> None:
    """Whatever moved credits may have taken a balance below what its member set; services hear of it too."""
    moved = members_of(event.payload)
    spending.watch_balances(member_ids=moved)
    webhooks.tell_balances(event, moved)


HANDLERS = {
    "rate_card.proposed": tell_proposed,
    "rate_card.voting_opened": tell_voting_opened,
    "rate_card.vote_reminder": remind_to_vote,
    "cloud.rate_card_approved": tell_approved,
    "rate_card.rejected": tell_rejected,
    "rate_card.withdrawn": tell_withdrawn,
    "rate_card.lapsed": tell_lapsed,
    "rate_card.returned": tell_returned,
    "rate_card.in_force": tell_in_force,
    "topup.changed": tell_top_up,
    "spending.low_balance": tell_low_balance,
    "spending.cap_reached": tell_cap_reached,
    "purchase.waiting": tell_waiting,
    "purchase.sent_back": tell_sent_back,
    "payment.failed": tell_declined,
    "refund.requested": tell_refund_requested,
    "refund.settled": tell_refund_settled,
    "refund.failed": tell_refund_failed,
    "cloud.clawed_back": tell_clawed_back,
    "receivable.written_off": tell_written_off,
    "recurring.changed": tell_recurring,
    "invoice.created": tell_invoice,
    "invoice.paid": tell_invoice_paid,
    "invoice.overdue": tell_invoice_overdue,
    "invoice.voided": tell_invoice_voided,
    "invoice.refunded": tell_invoice_refunded,
    "cloud.transferred": tell_transferred,
    "cloud.minted": tell_minted,
    "cloud.burned": tell_burned,
    "cloud.corrected": tell_corrected,
    "cloud.staked": tell_staked,
    "cloud.unstaked": tell_unstaked,
    "cloud.identity_initialized": tell_identity,
}


# Every fact that moves liquid credits, whichever way.
MOVING = (
    "cloud.minted",
    "cloud.transferred",
    "cloud.redeemed",
    "cloud.burned",
    "cloud.staked",
    "cloud.unstaked",
    "cloud.corrected",
)


def register() -> None:
    """Called once, when the floor is ready."""
    for name, handler in HANDLERS.items():
        subscribe(Subscriber.NOTIFICATIONS, name, handler)
    for name in MOVING:
        subscribe(Subscriber.NOTIFICATIONS, name, follow_balances)
    for name in TOLD:
        subscribe(Subscriber.NOTIFICATIONS, name, webhooks.tell_fact)
    # Money has a delivery of its own: a notice that fails stops no credit.
    for name, handler in payments.HANDLERS.items():
        subscribe(Subscriber.TREASURY, name, handler)


def _tell(event: DeliveredEvent, member_id: int, kind: NotificationType, subject: str, text: str) -> None:
    link = _link(event.payload)
    notify(member_id=member_id, type=kind, subject=subject, text=text, link=link, event_id=event.id, acting=SYSTEM)


def _tell_invoice(event: DeliveredEvent, member_id: int, kind: NotificationType, subject: str, text: str) -> None:
    link = f"/cloud/invoices/{event.payload['invoice_id']}/"
    notify(member_id=member_id, type=kind, subject=subject, text=text, link=link, event_id=event.id, acting=SYSTEM)


def _tell_purchase(event: DeliveredEvent, member_id: int, kind: NotificationType, subject: str, text: str) -> None:
    notify(
        member_id=member_id,
        type=kind,
        subject=subject,
        text=text,
        link=_purchase_link(event.payload),
        event_id=event.id,
        acting=SYSTEM,
    )


def _tell_all(event: DeliveredEvent, subject: str, text: str) -> None:
    _tell_many(event, rate_card_notices.everybody(), notices.RATE_CARD, subject, text)


def _tell_many(
    event: DeliveredEvent, member_ids: Sequence[int], kind: NotificationType, subject: str, text: str
) -> None:
    """A batch at a time; told again after a crash, nobody is told twice."""
    for start in range(0, len(member_ids), BATCH):
        notify_many(
            member_ids=member_ids[start : start + BATCH],
            type=kind,
            subject=subject,
            text=text,
            link=f"/rate-cards/{event.payload['version']}/",
            event_id=event.id,
            acting=SYSTEM,
        )


def _count(fact: dict[str, Any]) -> str:
    return f"{fact['yes']} yes, {fact['no']} no, {fact['abstain']} abstained, of {fact['electors']} electors."


def _utc(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _tell_spending(event: DeliveredEvent, kind: NotificationType, subject: str, text: str) -> None:
    member_id = event.payload["member_id"]
    notify(
        member_id=member_id,
        type=kind,
        subject=subject,
        text=text,
        link="/cloud/spending/",
        event_id=event.id,
        acting=SYSTEM,
    )


def _purchase_link(fact: dict[str, Any]) -> str:
    """To the purchase itself where the fact names one; a subscription's name is none."""
    number = str(fact.get("purchase_id") or fact.get("purchase_ref") or "")
    return f"/cloud/purchases/{number}/" if number.isascii() and number.isdigit() else "/cloud/purchases/"


def _dollars(amount: str) -> str:
    """USD to cents, as people write them."""
    return f"{cents(Decimal(amount)):,}"


def _link(fact: dict[str, Any]) -> str:
    transaction_id = fact.get("transaction_id")
    return f"/cloud/transactions/{transaction_id}/" if transaction_id else "/cloud/transactions/"
