"""What members are told about their credits, and on which channels unless they choose otherwise."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from cloud_credits.policies.primitives import MEASURES
from cloud_credits.policies.rate_card_papers import changed_percent, percent_in_words
from habitat.notifications.policies.channels import Channel
from habitat.notifications.policies.types import NotificationType

BOTH: Final = (Channel.IN_APP, Channel.EMAIL)

SENT: Final = NotificationType("credits_sent", "Credits you sent")
RECEIVED: Final = NotificationType("credits_received", "Credits you received", BOTH)
MINTED: Final = NotificationType("credits_added", "Credits added to your balance", BOTH)
BURNED: Final = NotificationType("credits_burned", "Credits taken out of your balance", BOTH)
CORRECTED: Final = NotificationType("credits_corrected", "Corrections of your balance", BOTH)
STAKED: Final = NotificationType("credits_staked", "Stakes and their release")
IDENTITY: Final = NotificationType("identity_ready", "Your cloud identity", BOTH)
INVOICE: Final = NotificationType("invoice", "Invoices sent to you", BOTH)
INVOICE_SETTLED: Final = NotificationType("invoice_settled", "Invoices paid, voided or refunded", BOTH)
INVOICE_OVERDUE: Final = NotificationType("invoice_overdue", "Invoices overdue", BOTH)
PURCHASE: Final = NotificationType("purchase", "Purchases of credits", BOTH)
REFUND: Final = NotificationType("refund", "Refunds, and credits taken back", BOTH)
# Every member is told of a proposal (domain §4): the notice is what makes it a proposal, so nobody can switch it off.
RATE_CARD: Final = NotificationType(
    "rate_card",
    "Rate cards proposed, voted on and decided",
    BOTH,
    always=(Channel.IN_APP,),
    why_always="Prices change only after every member was told.",
)
VOTE: Final = NotificationType(
    "rate_card_vote",
    "Votes that wait for you",
    BOTH,
    always=(Channel.IN_APP,),
    why_always="Who may vote is told that a vote is open.",
)
LOW_BALANCE: Final = NotificationType("low_balance", "Your balance is low", BOTH)
SPEND_CAP: Final = NotificationType("spend_cap", "Your monthly cap is reached", BOTH)
TOP_UP: Final = NotificationType("top_up", "Automatic top-ups stopped", BOTH)

NOTICES: Final = (
    SENT,
    RECEIVED,
    MINTED,
    BURNED,
    CORRECTED,
    STAKED,
    IDENTITY,
    INVOICE,
    INVOICE_SETTLED,
    INVOICE_OVERDUE,
    PURCHASE,
    REFUND,
    RATE_CARD,
    VOTE,
    LOW_BALANCE,
    SPEND_CAP,
    TOP_UP,
)


def rate_changes(after: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """A line a primitive, rates in CLOUD a unit: `Compute 1 → 1.5 CLOUD (+50 %)`."""
    return [
        f"{measure.title} {before[name]} → {after[name]} CLOUD "
        f"({percent_in_words(changed_percent(Decimal(before[name]), Decimal(after[name])))})"
        for name, measure in ((primitive.value, measure) for primitive, measure in MEASURES.items())
        if name in before and name in after
    ]


def sentence(words: str) -> str:
    """What a person wrote as the end of a sentence: with one full stop, whether or not they set it themselves."""
    text = words.rstrip()
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


def shortened(words: str, *, longest: int = 400) -> str:
    """What a person wrote, short enough for a notice, as the end of a sentence."""
    text = " ".join(words.split())
    return sentence(text) if len(text) <= longest else f"{text[:longest].rstrip()}…"
