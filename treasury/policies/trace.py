"""A dollar's way from payment to bank line: which links there are, which are missing, and what to do about each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from habitat.money import plain


class Arrow(StrEnum):
    """The links of the way, each from the one before."""

    EVENT = "event"
    PAYMENT = "payment"
    MINT = "mint"
    MOVEMENT = "movement"
    FEE = "fee"
    PAYOUT = "payout"
    BANK_LINE = "bank_line"
    MATCH = "match"
    REFUND = "refund"
    DISPUTE = "dispute"


TITLES: Final[dict[Arrow, str]] = {
    Arrow.EVENT: "Webhook stored",
    Arrow.PAYMENT: "Payment booked",
    Arrow.MINT: "Credits minted",
    Arrow.MOVEMENT: "Balance transaction",
    Arrow.FEE: "Fee booked",
    Arrow.PAYOUT: "Pay-out",
    Arrow.BANK_LINE: "Bank line",
    Arrow.MATCH: "Line matched",
    Arrow.REFUND: "Refund",
    Arrow.DISPUTE: "Dispute",
}
BY_CARD: Final = (
    Arrow.EVENT,
    Arrow.PAYMENT,
    Arrow.MINT,
    Arrow.MOVEMENT,
    Arrow.FEE,
    Arrow.PAYOUT,
    Arrow.BANK_LINE,
    Arrow.MATCH,
)
BY_BANK: Final = (Arrow.BANK_LINE, Arrow.PAYMENT, Arrow.MATCH, Arrow.MINT)


@dataclass(frozen=True, slots=True)
class Link:
    """One link that is there. `model` and `pk` lead to its page; `state` is the thing's own word. USD."""

    arrow: Arrow
    what: str
    at: datetime | None
    amount: Decimal | None
    state: str = ""
    model: str = ""
    pk: int = 0
    entry: int | None = None
    credits: Decimal | None = None

    @property
    def title(self) -> str:
        return TITLES[self.arrow]


@dataclass(frozen=True, slots=True)
class Trail:
    """A payment with its links; what else the sentences about the missing ones need to know."""

    reference: str
    by_bank: bool
    links: tuple[Link, ...]
    member_known: bool = True
    minting_on: bool = True
    problem: str = ""
    nothing_left: bool = False
    # What came back after the mint and waits for its credits, in USD.
    late: Decimal = Decimal(0)
    # Why its credits were not minted when that was last tried, in the words of the floor above.
    held_up: str = ""
    fee_due: bool = True
    # What the bank says of a wire's own line.
    line_state: str = ""
    # Lines of the bank that would fit the pay-out, as (number, what became of it).
    candidates: tuple[tuple[int, str], ...] = ()

    def link(self, arrow: Arrow) -> Link | None:
        """The last one of the kind: after a pay-out that failed, the one that took its money along."""
        return next((link for link in reversed(self.links) if link.arrow is arrow), None)

    @property
    def order(self) -> tuple[Arrow, ...]:
        return BY_BANK if self.by_bank else BY_CARD


@dataclass(frozen=True, slots=True)
class Gap:
    """A link that is missing or unfinished. `waits` says that nothing is wrong yet: it takes its time."""

    arrow: Arrow
    what: str
    remedy: str
    since: datetime | None = None
    waits: bool = False

    @property
    def title(self) -> str:
        return TITLES[self.arrow]


# Payments that no credits come of: sent back, or paid what their sender owed.
ENDED: Final = frozenset({"refunded", "applied"})
# The state of a bank line that the bank has not booked.
PENDING: Final = "pending"
SWEEP: Final = "Run the sweep of Stripe's balance transactions."
EVENT_STATES: Final[dict[str, tuple[str, str]]] = {
    "failed": ("The webhook failed.", "Read its error and have it processed again."),
    "received": ("The webhook waits to be processed.", "The worker takes it within a minute; see the queue."),
    "ignored": ("The webhook was ignored.", "Look why nothing in the house is concerned by it."),
}


def gaps(trail: Trail, *, now: datetime) -> list[Gap]:
    """Every missing or unfinished link, in the order of the way. Nothing after a missing payment is asked for."""
    found: list[Gap] = []
    for arrow in trail.order:
        gap = _CHECKS[arrow](trail, now)
        if gap is not None:
            found.append(gap)
        if arrow is Arrow.PAYMENT and trail.link(Arrow.PAYMENT) is None:
            return found
        if not trail.by_bank and gap is not None and arrow in {Arrow.MOVEMENT, Arrow.PAYOUT, Arrow.BANK_LINE}:
            break
    return [*found, *_backwards(trail.links)]


def _event(trail: Trail, now: datetime) -> Gap | None:
    link = trail.link(Arrow.EVENT)
    payment = trail.link(Arrow.PAYMENT)
    if link is None and payment is None:
        return Gap(Arrow.EVENT, "The webhook never came.", SWEEP)
    if link is None:
        return Gap(
            Arrow.EVENT,
            "The webhook never came: the payment was found without it.",
            "Nothing is lost. Look at Stripe's list of webhook deliveries.",
            payment.at if payment else None,
        )
    if link.state in EVENT_STATES:
        what, remedy = EVENT_STATES[link.state]
        return Gap(Arrow.EVENT, what, remedy, link.at, waits=link.state == "received")
    return None


def _payment(trail: Trail, now: datetime) -> Gap | None:
    """Asked for once what comes before it is there and done: one cut is one gap."""
    before = trail.link(Arrow.BANK_LINE if trail.by_bank else Arrow.EVENT)
    if trail.link(Arrow.PAYMENT) is not None or before is None:
        return None
    if trail.by_bank:
        return Gap(Arrow.PAYMENT, "The bank line is not booked.", "Read the bank again, or match the line.", before.at)
    if before.state in EVENT_STATES:
        return None
    return Gap(Arrow.PAYMENT, "The payment is not in the books.", SWEEP, before.at)


def _mint(trail: Trail, now: datetime) -> Gap | None:
    payment = trail.link(Arrow.PAYMENT)
    if payment is not None and trail.late:
        return Gap(
            Arrow.MINT,
            f"{plain(trail.late)} USD came back after the mint and wait for their credits.",
            "They follow by themselves when minting is on and nothing is contested, or are sent back.",
            waits=True,
        )
    if payment is None or trail.link(Arrow.MINT) is not None or trail.nothing_left or payment.state in ENDED:
        return None
    if payment.state == "refunding":
        return Gap(Arrow.MINT, "The payment is being sent back.", "See its refund.", payment.at, waits=True)
    if not trail.member_known:
        return Gap(Arrow.MINT, "Nobody knows whose payment it is.", "Say whose it is, or send it back.", payment.at)
    if trail.problem:
        return Gap(Arrow.MINT, f"It cannot be minted: {trail.problem}.", "It is sent back by itself.", payment.at)
    if not trail.minting_on:
        return Gap(
            Arrow.MINT,
            f"Minting is suspended; the payment waits {_for(payment.at, now)}.",
            "It is minted by itself, oldest first, when minting resumes.",
            payment.at,
            waits=True,
        )
    if trail.held_up:
        return Gap(
            Arrow.MINT,
            f"The payment has waited for its credits {_for(payment.at, now)}: {trail.held_up.rstrip('.')}.",
            "It is tried again each minute, and minted by itself once that has passed.",
            payment.at,
            waits=True,
        )
    return Gap(
        Arrow.MINT,
        f"The payment has waited for its credits {_for(payment.at, now)}.",
        "The worker mints it within a minute; see dead deliveries of payment.received.",
        payment.at,
    )


def _movement(trail: Trail, now: datetime) -> Gap | None:
    payment = trail.link(Arrow.PAYMENT)
    if payment is None or trail.link(Arrow.MOVEMENT) is not None:
        return None
    return Gap(Arrow.MOVEMENT, "Stripe's balance transaction is not read yet.", SWEEP, payment.at)


def _fee(trail: Trail, now: datetime) -> Gap | None:
    movement = trail.link(Arrow.MOVEMENT)
    if movement is None or not trail.fee_due or trail.link(Arrow.FEE) is not None:
        return None
    return Gap(Arrow.FEE, "Stripe's fee is not booked.", SWEEP, movement.at)


def _payout(trail: Trail, now: datetime) -> Gap | None:
    movement, payout = trail.link(Arrow.MOVEMENT), trail.link(Arrow.PAYOUT)
    if payout is None:
        return Gap(
            Arrow.PAYOUT,
            f"Not paid out yet, for {_for(movement.at if movement else None, now)}.",
            "Stripe pays out by its schedule; if it has, run the sweep.",
            movement.at if movement else None,
            waits=True,
        )
    if payout.state == "failed":
        what = "The pay-out failed: the money is at Stripe again."
        return Gap(Arrow.PAYOUT, what, "Mend the bank account at Stripe; it pays out anew.", payout.at)
    return None


def _bank_line(trail: Trail, now: datetime) -> Gap | None:
    payout = trail.link(Arrow.PAYOUT)
    if trail.link(Arrow.BANK_LINE) is not None or (payout is None and not trail.by_bank):
        return None
    if payout is None and trail.line_state == PENDING:
        what = "The bank reports the line as pending."
        return Gap(Arrow.BANK_LINE, what, "It is booked once the bank has posted it.", waits=True)
    if payout is None:
        return Gap(Arrow.BANK_LINE, "The bank no longer reports the line.", "Look at the line's versions.")
    if trail.candidates:
        number, state = trail.candidates[0]
        what = f"Bank line {number} has the pay-out's amount and is {state}."
        return Gap(Arrow.BANK_LINE, what, "Match it to the pay-out, if it is the one.", payout.at)
    return Gap(
        Arrow.BANK_LINE,
        f"Paid out, not seen at the bank for {_for(payout.at, now)}.",
        "Read the bank; after some days ask it for the pay-out.",
        payout.at,
        waits=payout.state != "paid",
    )


def _match(trail: Trail, now: datetime) -> Gap | None:
    line, match = trail.link(Arrow.BANK_LINE), trail.link(Arrow.MATCH)
    if line is None:
        return None
    if match is None or match.state in {"dismissed", "undone"}:
        return Gap(Arrow.MATCH, "The bank line is not matched.", "Match it to what it stands for.", line.at)
    if match.state == "suggested":
        return Gap(Arrow.MATCH, "The match is only suggested.", "Confirm or dismiss the suggestion.", line.at)
    if match.state == "questioned":
        return Gap(
            Arrow.MATCH, "The bank changed the line after it was matched.", "Confirm it anew or undo it.", line.at
        )
    return None


def _backwards(links: Sequence[Link]) -> Iterator[Gap]:
    """Refunds on their way and open disputes."""
    for link in links:
        if link.arrow is Arrow.REFUND and link.state == "pending":
            yield Gap(Arrow.REFUND, f"{link.what} is on its way.", "Stripe says when it arrived.", link.at, waits=True)
        if link.arrow is Arrow.REFUND and link.state == "failed":
            yield Gap(Arrow.REFUND, f"{link.what} failed: the payer has no money.", "Decide it anew.", link.at)
        if link.arrow is Arrow.DISPUTE and link.state == "open":
            yield Gap(
                Arrow.DISPUTE, f"{link.what} is open.", "Answer it at Stripe before it is due.", link.at, waits=True
            )


def _for(since: datetime | None, now: datetime) -> str:
    """`3 days`, or `5 hours` within the first."""
    if since is None:
        return "an unknown time"
    # A day that Stripe names may lie ahead.
    passed = max(now - since, timedelta(0))
    count, unit = (passed.days, "day") if passed.days else (passed.seconds // 3600, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}"


_CHECKS: Final = {
    Arrow.EVENT: _event,
    Arrow.PAYMENT: _payment,
    Arrow.MINT: _mint,
    Arrow.MOVEMENT: _movement,
    Arrow.FEE: _fee,
    Arrow.PAYOUT: _payout,
    Arrow.BANK_LINE: _bank_line,
    Arrow.MATCH: _match,
}
