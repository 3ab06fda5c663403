"""What this floor does when it hears its own facts: it tells the members they concern."""

from typing import Any

from cloud_credits.policies import notices
from cloud_credits.policies.invoices import PaymentMethod
from cloud_credits.policies.movements import Purpose
from habitat.events.policies.registry import DeliveredEvent, Subscriber, subscribe
from habitat.members.policies.actors import SYSTEM
from habitat.members.reports.names import name_of
from habitat.notifications.actions.notify import notify
from habitat.notifications.policies.types import NotificationType


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
    _tell(
        event,
        fact["member_id"],
        notices.MINTED,
        f"{fact['quantity']} CLOUD added to your balance",
        f"{fact['quantity']} CLOUD were added. You can spend {fact['balance_after']} CLOUD now.",
    )


def tell_burned(event: DeliveredEvent) -> None:
    fact = event.payload
    _tell(
        event,
        fact["member_id"],
        notices.BURNED,
        f"{fact['quantity']} CLOUD taken out of your balance",
        f"{fact['reason']}. You can spend {fact['balance_after']} CLOUD now.",
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
        _tell(event, member_id, notices.CORRECTED, subject, f"Why: {fact['reason']}.{rest}")


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


HANDLERS = {
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


def register() -> None:
    """Called once, when the floor is ready."""
    for name, handler in HANDLERS.items():
        subscribe(Subscriber.NOTIFICATIONS, name, handler)


def _tell(event: DeliveredEvent, member_id: int, kind: NotificationType, subject: str, text: str) -> None:
    link = _link(event.payload)
    notify(member_id=member_id, type=kind, subject=subject, text=text, link=link, event_id=event.id, acting=SYSTEM)


def _tell_invoice(event: DeliveredEvent, member_id: int, kind: NotificationType, subject: str, text: str) -> None:
    link = f"/cloud/invoices/{event.payload['invoice_id']}/"
    notify(member_id=member_id, type=kind, subject=subject, text=text, link=link, event_id=event.id, acting=SYSTEM)


def _link(fact: dict[str, Any]) -> str:
    transaction_id = fact.get("transaction_id")
    return f"/cloud/transactions/{transaction_id}/" if transaction_id else "/cloud/transactions/"
