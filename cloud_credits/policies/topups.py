"""Automatic top-ups: when a member's saved card is charged for more credits, and when it is not (domain §6, §10)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from habitat.money import cents, cloud_to_usd

WENT_BACK: Final = (
    "Money of an automatic top-up went back, or its payer contests it: switch it on again if your card is to be charged"
    " for more."
)


# Of one that was begun, when the card is about to be charged.
NOT_LOW: Final = "The balance is not low any more."


class TopUpState(StrEnum):
    OFF = "off"
    ON = "on"
    STOPPED = "stopped"


# `on > on` is a change of its figures; a stopped one goes on only by its member's hand.
TOP_UP_EDGES: Final[dict[TopUpState, frozenset[TopUpState]]] = {
    TopUpState.OFF: frozenset({TopUpState.ON}),
    TopUpState.ON: frozenset({TopUpState.OFF, TopUpState.STOPPED}),
    TopUpState.STOPPED: frozenset({TopUpState.ON, TopUpState.OFF}),
}


class Verdict(StrEnum):
    """Buy now; nothing to do; wait, and look again by itself; or stop until the member says otherwise."""

    BUY = "buy"
    ENOUGH = "enough"
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a member when a top-up is considered. Amounts in CLOUD, `load_cap` and `room` in USD.

    `went_back`: money of an earlier one was refunded, lost or contested since the member said yes.
    """

    liquid: Decimal
    threshold: Decimal
    amount: Decimal
    went_back: bool
    in_flight: bool
    today: int
    most_a_day: int
    may_trade: bool
    terms_accepted: bool
    backing_allows: bool
    load_cap: Decimal
    room: Decimal


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    why: str = ""


def judge(now: Standing) -> Judgement:
    """One at a time, at most so many a day, within the day's limits, never while the reserve is low."""
    if now.liquid >= now.threshold:
        return Judgement(Verdict.ENOUGH)
    if not now.may_trade:
        return Judgement(Verdict.WAIT, "Only active members buy credits.")
    if not now.terms_accepted:
        return Judgement(Verdict.STOP, "The terms changed: accept them, then switch it on again.")
    if now.went_back:
        return Judgement(Verdict.STOP, WENT_BACK)
    if now.in_flight:
        return Judgement(Verdict.WAIT, "One is under way.")
    if cloud_to_usd(now.amount) > now.load_cap:
        limit = f"At most {cents(now.load_cap)} USD may be loaded a day by now"
        return Judgement(Verdict.STOP, f"{limit}: choose a smaller amount, then switch it on again.")
    if not now.backing_allows:
        return Judgement(Verdict.WAIT, "The reserve is low. It goes on by itself.")
    if now.today >= now.most_a_day:
        return Judgement(Verdict.WAIT, f"There were {now.today} today already. It goes on tomorrow (UTC).")
    if cloud_to_usd(now.amount) > now.room:
        return Judgement(Verdict.WAIT, f"Today {cents(now.room)} USD are left of the limit. It goes on tomorrow (UTC).")
    return Judgement(Verdict.BUY)
