"""The rule of the trace: with each arrow cut in turn, exactly that gap is named, with what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from treasury.policies.trace import SWEEP, Arrow, Link, Trail, gaps

NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)
THEN = NOW - timedelta(days=3, hours=1)


def link(arrow: Arrow, state: str = "") -> Link:
    return Link(arrow, arrow.value, THEN, Decimal(10), state)


CARD = Trail(
    reference="pi_1",
    by_bank=False,
    links=(
        link(Arrow.EVENT, "processed"),
        link(Arrow.PAYMENT, "minted"),
        link(Arrow.MINT, "completed"),
        link(Arrow.MOVEMENT),
        link(Arrow.FEE),
        link(Arrow.PAYOUT, "paid"),
        link(Arrow.BANK_LINE, "sent"),
        link(Arrow.MATCH, "confirmed"),
    ),
)
WIRE = Trail(
    reference="line_1",
    by_bank=True,
    links=(
        link(Arrow.BANK_LINE, "sent"),
        link(Arrow.PAYMENT, "minted"),
        link(Arrow.MATCH, "confirmed"),
        link(Arrow.MINT, "completed"),
    ),
)


def cut(trail: Trail, *arrows: Arrow) -> Trail:
    return replace(trail, links=tuple(link for link in trail.links if link.arrow not in arrows))


def turned(trail: Trail, arrow: Arrow, state: str) -> Trail:
    return replace(trail, links=tuple(replace(x, state=state) if x.arrow is arrow else x for x in trail.links))


def after(arrow: Arrow) -> tuple[Arrow, ...]:
    """What cannot be there when `arrow` is not."""
    order = list(CARD.order)
    return tuple(order[order.index(arrow) :])


UNMINTED = turned(cut(CARD, Arrow.MINT), Arrow.PAYMENT, "received")


# A pay-out that failed before the one that took its money along, and one whose day lies ahead.
FAILED = link(Arrow.PAYOUT, "failed")
AHEAD = replace(link(Arrow.PAYOUT, "paid"), at=NOW + timedelta(days=2))


def told(trail: Trail) -> list[tuple[str, str]]:
    return [(gap.arrow.value, gap.what) for gap in gaps(trail, now=NOW)]


@pytest.mark.parametrize("trail", [CARD, WIRE, replace(cut(CARD, Arrow.FEE), fee_due=False)])
def test_whole_way__has_no_gap(trail):
    assert gaps(trail, now=NOW) == []


@pytest.mark.parametrize(
    ("trail", "expected"),
    [
        (replace(CARD, links=()), [("event", "The webhook never came.")]),
        (cut(CARD, Arrow.EVENT), [("event", "The webhook never came: the payment was found without it.")]),
        (
            turned(cut(CARD, *after(Arrow.PAYMENT)), Arrow.EVENT, "failed"),
            [("event", "The webhook failed.")],
        ),
        (
            turned(cut(CARD, *after(Arrow.PAYMENT)), Arrow.EVENT, "received"),
            [("event", "The webhook waits to be processed.")],
        ),
        (cut(CARD, *after(Arrow.PAYMENT)), [("payment", "The payment is not in the books.")]),
        (UNMINTED, [("mint", "The payment has waited for its credits 3 days.")]),
        (
            replace(UNMINTED, minting_on=False),
            [("mint", "Minting is suspended; the payment waits 3 days.")],
        ),
        (
            replace(UNMINTED, held_up="The membership is not active."),
            [("mint", "The payment has waited for its credits 3 days: The membership is not active.")],
        ),
        (replace(UNMINTED, member_known=False), [("mint", "Nobody knows whose payment it is.")]),
        (replace(UNMINTED, problem="currency eur"), [("mint", "It cannot be minted: currency eur.")]),
        (turned(UNMINTED, Arrow.PAYMENT, "refunding"), [("mint", "The payment is being sent back.")]),
        (turned(UNMINTED, Arrow.PAYMENT, "refunded"), []),
        (replace(UNMINTED, nothing_left=True), []),
        (cut(CARD, *after(Arrow.MOVEMENT)), [("movement", "Stripe's balance transaction is not read yet.")]),
        (cut(CARD, Arrow.FEE), [("fee", "Stripe's fee is not booked.")]),
        (cut(CARD, *after(Arrow.PAYOUT)), [("payout", "Not paid out yet, for 3 days.")]),
        (
            turned(cut(CARD, *after(Arrow.BANK_LINE)), Arrow.PAYOUT, "failed"),
            [("payout", "The pay-out failed: the money is at Stripe again.")],
        ),
        (
            replace(CARD, links=tuple(y for x in CARD.links for y in (FAILED, x) if y is x or x.arrow is Arrow.PAYOUT)),
            [],
        ),
        (
            replace(cut(CARD, *after(Arrow.PAYOUT)), links=(*cut(CARD, *after(Arrow.PAYOUT)).links, AHEAD)),
            [("bank_line", "Paid out, not seen at the bank for 0 hours.")],
        ),
        (
            replace(cut(WIRE, *WIRE.order), line_state="pending"),
            [("bank_line", "The bank reports the line as pending.")],
        ),
        (cut(CARD, *after(Arrow.BANK_LINE)), [("bank_line", "Paid out, not seen at the bank for 3 days.")]),
        (
            replace(cut(CARD, *after(Arrow.BANK_LINE)), candidates=((12, "ignored"),)),
            [("bank_line", "Bank line 12 has the pay-out's amount and is ignored.")],
        ),
        (cut(CARD, Arrow.MATCH), [("match", "The bank line is not matched.")]),
        (turned(CARD, Arrow.MATCH, "suggested"), [("match", "The match is only suggested.")]),
        (turned(CARD, Arrow.MATCH, "questioned"), [("match", "The bank changed the line after it was matched.")]),
        (
            replace(CARD, links=(*CARD.links, link(Arrow.REFUND, "pending"), link(Arrow.DISPUTE, "open"))),
            [("refund", "refund is on its way."), ("dispute", "dispute is open.")],
        ),
        (replace(CARD, links=(*CARD.links, link(Arrow.REFUND, "succeeded"), link(Arrow.DISPUTE, "won"))), []),
        (cut(WIRE, Arrow.BANK_LINE), [("bank_line", "The bank no longer reports the line.")]),
        (cut(WIRE, Arrow.PAYMENT, Arrow.MINT, Arrow.MATCH), [("payment", "The bank line is not booked.")]),
        (cut(WIRE, Arrow.MATCH), [("match", "The bank line is not matched.")]),
        (
            replace(turned(cut(WIRE, Arrow.MINT), Arrow.PAYMENT, "received"), member_known=False),
            [("mint", "Nobody knows whose payment it is.")],
        ),
    ],
)
def test_cut__names_exactly_that_gap(trail, expected):
    assert told(trail) == expected


def test_gap__says_what_to_do_and_whether_it_only_takes_its_time():
    never, waiting = gaps(replace(CARD, links=()), now=NOW)[0], gaps(cut(CARD, *after(Arrow.PAYOUT)), now=NOW)[0]

    assert (never.remedy, never.waits, never.since) == (SWEEP, False, None)
    assert (waiting.waits, waiting.since) == (True, THEN)
