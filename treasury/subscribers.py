"""What the books do when credits move: compare the entry with what it says moved, and ask for a backing check."""

from decimal import Decimal
from typing import Final

from habitat.controls.actions.alerts import raise_alert
from habitat.events.policies.registry import DeliveredEvent, Subscriber, subscribe
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud_to_usd, plain
from treasury.actions.backing import request_check
from treasury.reports.journal import credited

CREDITS_OUTSTANDING: Final = "2220"
# What one credit of each fact does to what the cooperative owes.
CHANGES: Final = {"cloud.minted": 1, "cloud.redeemed": -1, "cloud.burned": -1}
# What the backing ratio depends on: every mint and burn, and money that came in or went back (domain §6). Usage only
# makes it better; the hourly check sees that.
MOVES_THE_RATIO: Final = (
    "cloud.minted",
    "cloud.burned",
    "cloud.corrected",
    "payment.received",
    "payment.refunded",
    "payment.refund_settled",
    "payment.dispute_opened",
    "payment.dispute_closed",
)


def check_entry(event: DeliveredEvent) -> None:
    """The named entry moves 2220 by ten dollars a credit, or `books_broken` is raised (domain §6)."""
    quantity = Decimal(event.payload["quantity"])
    expected = CHANGES[event.name] * cloud_to_usd(quantity)
    entry_id = event.payload["journal_entry_id"]
    posted = credited(entry_id=entry_id, code=CREDITS_OUTSTANDING)
    if posted != expected:
        raise_alert(
            code="books_broken",
            cause=f"event:{event.id}",
            message=(
                f"{event.name} {event.id} moved {plain(quantity)} CLOUD, but its entry {entry_id} moves "
                f"{CREDITS_OUTSTANDING} by {plain(posted)} USD instead of {plain(expected)}."
            ),
            details={"event": str(event.id), "entry": str(entry_id)},
            acting=SYSTEM,
        )


def ask_for_check(event: DeliveredEvent) -> None:
    """The ratio may have changed; one check answers however many ask."""
    request_check(trigger=event.name, acting=SYSTEM)


def register() -> None:
    """Called once, when the floor is ready."""
    for name in MOVES_THE_RATIO:
        subscribe(Subscriber.TREASURY, name, ask_for_check)
    for name in CHANGES:
        subscribe(Subscriber.TREASURY, name, check_entry)
