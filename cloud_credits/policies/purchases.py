"""The lives of purchases, refunds and recurring purchases (domain §6; brief 123 §4 workflow 1)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from cloud_credits.errors import PurchaseTooSmall, WholeCentsOnly
from habitat.members.policies.statuses import MemberStatus
from habitat.money import cloud_to_usd, plain

NOTHING: Final = Decimal(0)


class PurchaseKind(StrEnum):
    ONCE = "once"
    RECURRING = "recurring"
    INVOICE = "invoice"
    # Made by the house with the member's saved card, when their balance is low.
    TOP_UP = "topup"


class PurchaseState(StrEnum):
    CREATED = "created"
    OPEN = "open"
    PAID = "paid"
    MINTED = "minted"
    EXPIRED = "expired"
    FAILED = "failed"
    REFUNDED = "refunded"


# `refunded → minted` is a refund that failed after it had settled: the credits are the member's again.
# `paid → failed` is a wire that paid its sender's debt instead.
# A payment may arrive after its checkout expired here, or after a bank debit failed and was tried again: money wins.
PURCHASE_EDGES: Final[dict[PurchaseState, frozenset[PurchaseState]]] = {
    PurchaseState.CREATED: frozenset({PurchaseState.OPEN, PurchaseState.PAID, PurchaseState.FAILED}),
    PurchaseState.OPEN: frozenset({PurchaseState.PAID, PurchaseState.EXPIRED, PurchaseState.FAILED}),
    PurchaseState.PAID: frozenset({PurchaseState.MINTED, PurchaseState.REFUNDED, PurchaseState.FAILED}),
    PurchaseState.MINTED: frozenset({PurchaseState.REFUNDED}),
    PurchaseState.EXPIRED: frozenset({PurchaseState.PAID}),
    PurchaseState.FAILED: frozenset({PurchaseState.PAID}),
    PurchaseState.REFUNDED: frozenset({PurchaseState.MINTED, PurchaseState.PAID}),
}


class RecurringState(StrEnum):
    STARTING = "starting"
    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"


RECURRING_EDGES: Final[dict[RecurringState, frozenset[RecurringState]]] = {
    RecurringState.STARTING: frozenset({RecurringState.ACTIVE, RecurringState.CANCELLED}),
    RecurringState.ACTIVE: frozenset({RecurringState.PAUSED, RecurringState.CANCELLED}),
    RecurringState.PAUSED: frozenset({RecurringState.ACTIVE, RecurringState.CANCELLED}),
    RecurringState.CANCELLED: frozenset(),
}


class RefundRequestState(StrEnum):
    ASKED = "asked"
    BURNED = "burned"
    SENT = "sent"
    SETTLED = "settled"
    FAILED = "failed"


REFUND_REQUEST_EDGES: Final[dict[RefundRequestState, frozenset[RefundRequestState]]] = {
    RefundRequestState.ASKED: frozenset({RefundRequestState.BURNED, RefundRequestState.FAILED}),
    RefundRequestState.BURNED: frozenset({RefundRequestState.SENT, RefundRequestState.FAILED}),
    RefundRequestState.SENT: frozenset({RefundRequestState.SETTLED, RefundRequestState.FAILED}),
    RefundRequestState.SETTLED: frozenset({RefundRequestState.FAILED}),
    RefundRequestState.FAILED: frozenset(),
}


class PayBy(StrEnum):
    """How a checkout may be paid. A wire needs no checkout: it carries the member's reference."""

    CARD = "card"
    BANK = "us_bank_account"


class RecurringChange(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


# What each change leads to, and from where (the same edges as above).
CHANGE_TARGET: Final[dict[RecurringChange, RecurringState]] = {
    RecurringChange.PAUSE: RecurringState.PAUSED,
    RecurringChange.RESUME: RecurringState.ACTIVE,
    RecurringChange.CANCEL: RecurringState.CANCELLED,
}
# Stripe's words for a subscription that will never be charged again.
ENDED_SUBSCRIPTIONS: Final = frozenset({"canceled", "incomplete_expired"})
# Why the house itself paused a purchase; it resumes those and no others.
PAUSED_BY_BACKING: Final = "The reserve is low"

# 1 USD: above Stripe's own smallest charge of 0.50 USD.
SMALLEST: Final = Decimal("0.1")
CENT: Final = Decimal("0.01")
# How keys begin of purchases that the house makes for payments; members' own never do.
HOUSE_KEY: Final = "payment:"
TOP_UP_KEY: Final = "topup:"
# Checkouts that nobody paid yet and that may still be paid.
UNPAID: Final = frozenset({PurchaseState.CREATED, PurchaseState.OPEN})
# A refund request that takes money out of the payment: everything but a failed one.
TAKEN: Final = frozenset(RefundRequestState) - {RefundRequestState.FAILED}


def check_amount(amount: Decimal) -> Decimal:
    """The USD of a purchase of `amount` CLOUD. Raises PurchaseTooSmall, WholeCentsOnly."""
    if amount < SMALLEST:
        raise PurchaseTooSmall(smallest=plain(SMALLEST), given=plain(amount), field="amount")
    return check_cents(amount)


def check_cents(amount: Decimal) -> Decimal:
    """The USD of `amount` CLOUD, which a card can be charged or paid. Raises WholeCentsOnly."""
    dollars = cloud_to_usd(amount)
    if dollars % CENT:
        raise WholeCentsOnly(given=plain(amount), field="amount")
    return dollars


class Fate(StrEnum):
    """What becomes of a payment that was received."""

    MINT = "mint"
    WAIT = "wait"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`why` is a short reason for people where it is not minted."""

    fate: Fate
    why: str = ""


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """What is known of a received payment. USD; `asked` is what its purchase was for, None without one."""

    amount: Decimal
    problem: str
    status: MemberStatus | None
    has_identity: bool
    asked: Decimal | None
    same_member: bool


ENDED_MEMBERSHIPS: Final = frozenset({MemberStatus.WITHDRAWN, MemberStatus.EXPELLED})


def judge(facts: PaymentFacts) -> Judgement:
    """Whether a payment becomes credits, waits, or goes back (domain §2, §6; issue 3 item 2).

    Only active members buy. What may pass (a suspension, a missing identity, an unknown sender) leaves the money
    waiting in 2240; what cannot pass sends it back.
    """
    for fails, judgement in (
        (bool(facts.problem), Judgement(Fate.REFUND, facts.problem.replace("_", " "))),
        (facts.status is None, Judgement(Fate.WAIT, "nobody knows yet whose it is")),
        (not facts.same_member, Judgement(Fate.REFUND, "the payer is not who began the purchase")),
        (
            facts.asked is not None and facts.asked != facts.amount,
            Judgement(Fate.REFUND, "the amount paid is not the amount of the purchase"),
        ),
        (facts.status in ENDED_MEMBERSHIPS, Judgement(Fate.REFUND, "the membership has ended")),
        (facts.status is not MemberStatus.ACTIVE, Judgement(Fate.WAIT, "the membership is not active")),
        (not facts.has_identity, Judgement(Fate.WAIT, "the member has no cloud identity yet")),
    ):
        if fails:
            return judgement
    return Judgement(Fate.MINT)


@dataclass(frozen=True, slots=True)
class Due:
    """What a charge's totals at Stripe ask to take back now, or to give back, in CLOUD. Never both.

    `shift`: what was taken for refunds that came back, and stands for lost disputes from now on.
    """

    for_refunds: Decimal
    for_disputes: Decimal
    give_back: Decimal
    shift: Decimal = NOTHING


@dataclass(frozen=True, slots=True)
class Charge:
    """One minted payment in CLOUD: what was minted, what Stripe says must come back, what was taken so far (net)."""

    minted: Decimal
    refunded: Decimal
    lost: Decimal
    taken_for_refunds: Decimal
    taken_for_disputes: Decimal


def clawback_due(charge: Charge) -> Due:
    """One total a charge, whatever the order of its events, and never more than was minted."""
    wanted = min(charge.minted, charge.refunded + charge.lost)
    missing = wanted - charge.taken_for_refunds - charge.taken_for_disputes
    uncovered = max(charge.lost - charge.taken_for_disputes, NOTHING)
    shift = min(uncovered, max(charge.taken_for_refunds - charge.refunded, NOTHING))
    if missing < 0:
        return Due(NOTHING, NOTHING, give_back=min(-missing, charge.taken_for_refunds - shift), shift=shift)
    disputes = min(missing, uncovered - shift)
    return Due(for_refunds=missing - disputes, for_disputes=disputes, give_back=NOTHING, shift=shift)
