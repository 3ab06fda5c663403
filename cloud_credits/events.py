"""The facts this floor announces. Amounts are plain decimal strings; the brief's field names are kept."""

from dataclasses import dataclass
from typing import ClassVar

from habitat.events.policies.registry import event_type


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudMinted:
    """Credits were created."""

    name: ClassVar[str] = "cloud.minted"
    transaction_id: int
    member_id: int
    quantity: str
    amount_paid: str
    payment_method: str
    reference: str
    balance_after: str
    journal_entry_id: int | None
    timestamp: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudTransferred:
    """Credits went from one member to another."""

    name: ClassVar[str] = "cloud.transferred"
    transaction_id: int
    from_member_id: int
    to_member_id: int
    quantity: str
    from_balance_after: str
    to_balance_after: str
    memo: str
    purpose: str
    journal_entry_id: int | None
    timestamp: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRedeemed:
    """Credits were spent on infrastructure: by one transaction, or by all those of a batch of usage.

    `quantity` and `credit_value` are the whole fact's. `ranges` names the ledger rows of each member by their
    sequences: `member_id`, `first_sequence`, `last_sequence`, `count`, `quantity`, `balance_after`; whoever listens
    reads these. What only one transaction or one member has is null where there are several, and the usage fields
    where there is no single metered event behind it.
    """

    name: ClassVar[str] = "cloud.redeemed"
    transaction_id: int | None
    member_id: int | None
    quantity: str
    credit_value: str
    balance_after: str | None
    journal_entry_id: int | None
    timestamp: str
    ranges: list[dict[str, str | int]]
    primitive: str | None = None
    resource_units: str | None = None
    unit: str | None = None
    service_name: str | None = None
    meter_id: int | None = None
    metered_at: str | None = None
    rate_card_version: int | None = None


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudBurned:
    """Credits were destroyed."""

    name: ClassVar[str] = "cloud.burned"
    transaction_id: int
    member_id: int
    quantity: str
    reason: str
    balance_after: str
    journal_entry_id: int | None
    timestamp: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudStaked:
    """Credits were locked for a time."""

    name: ClassVar[str] = "cloud.staked"
    transaction_id: int
    position_id: int
    member_id: int
    quantity: str
    lock_duration_days: int
    revenue_share_percent: str
    unlock_at: str
    balance_after: str
    staked_after: str
    timestamp: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudUnstaked:
    """Locked credits became liquid again."""

    name: ClassVar[str] = "cloud.unstaked"
    transaction_id: int
    position_id: int
    member_id: int
    quantity: str
    balance_after: str
    staked_after: str
    timestamp: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudCorrected:
    """A balance was put right, or a transaction undone (`reverses`)."""

    name: ClassVar[str] = "cloud.corrected"
    transaction_ids: list[int]
    from_member_id: int | None
    to_member_id: int | None
    quantity: str
    reason: str
    reverses: int | None
    receivable: str
    journal_entry_ids: list[int]
    timestamp: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudIdentityInitialized:
    """A member got a name, an address and a balance."""

    name: ClassVar[str] = "cloud.identity_initialized"
    member_id: int
    ens_subname: str
    ethereum_address: str
    balance_id: int
    ens_id: int


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudClawedBack:
    """Credits of a payment were taken back because its money went back at Stripe's; `owed` became a receivable."""

    name: ClassVar[str] = "cloud.clawed_back"
    payment_id: int
    member_id: int
    burned: str
    owed: str
    given_back: str
    total: str
    transaction_ids: list[int]
    receivable_ids: list[int]


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceCreated:
    """A member was sent an invoice. `from_` is announced as `from`, the word Python keeps for itself."""

    name: ClassVar[str] = "invoice.created"
    invoice_id: int
    from_: str
    to: int
    amount_cloud: str
    amount_usd: str
    description: str
    due_date: str
    created_at: str
    number: int


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseWaiting:
    """The money of a purchase is here and its credits are not minted yet: `why`."""

    name: ClassVar[str] = "purchase.waiting"
    purchase_id: int
    member_id: int
    payment_id: int
    quantity: str
    usd: str
    why: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePaid:
    """An invoice's credits are techne's."""

    name: ClassVar[str] = "invoice.paid"
    invoice_id: int
    payer: int
    payee: str
    amount_cloud: str
    payment_method: str
    paid_at: str
    number: int
    transaction_id: int
    journal_entry_id: int | None


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseSentBack:
    """A payment cannot become credits: its money goes back."""

    name: ClassVar[str] = "purchase.sent_back"
    payment_id: int
    member_id: int | None
    usd: str
    why: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceOverdue:
    """An invoice's due day passed without its payment."""

    name: ClassVar[str] = "invoice.overdue"
    invoice_id: int
    to: int
    amount_cloud: str
    due_date: str
    as_of: str
    number: int


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequested:
    """Operations sends the money of a minted payment back; `quantity` CLOUD are taken for it."""

    name: ClassVar[str] = "refund.requested"
    request_id: int
    payment_id: int
    member_id: int
    quantity: str
    usd: str
    reason: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceVoided:
    """An invoice the member had received is not owed."""

    name: ClassVar[str] = "invoice.voided"
    invoice_id: int
    to: int
    amount_cloud: str
    reason: str
    number: int


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSettled:
    """The payer has the money of a refund that operations asked for."""

    name: ClassVar[str] = "refund.settled"
    request_id: int
    payment_id: int
    member_id: int
    quantity: str
    usd: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFailed:
    """The money did not go; what was burned for it is the member's again (`transaction_id`, if any was)."""

    name: ClassVar[str] = "refund.failed"
    request_id: int
    payment_id: int
    member_id: int
    quantity: str
    usd: str
    why: str
    transaction_id: int | None


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivableWrittenOff:
    """The cooperative gives up what a member owed."""

    name: ClassVar[str] = "receivable.written_off"
    receivable_id: int
    member_id: int
    quantity: str
    reason: str
    journal_entry_id: int


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivablePaid:
    """A wire paid what a member owed, or a part of it; nothing was minted for it."""

    name: ClassVar[str] = "receivable.paid"
    receivable_id: int
    member_id: int
    payment_id: int
    quantity: str
    journal_entry_id: int


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringChanged:
    """A recurring purchase began, paused, goes on or ended."""

    name: ClassVar[str] = "recurring.changed"
    recurring_id: int
    member_id: int
    state: str
    because: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class TermsPublished:
    """A new version of the terms stands; it is accepted before the next purchase."""

    name: ClassVar[str] = "terms.published"
    version: int
    title: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRefunded:
    """The credits of a paid invoice went back to its member."""

    name: ClassVar[str] = "invoice.refunded"
    invoice_id: int
    to: int
    amount_cloud: str
    reason: str
    refunded_at: str
    number: int
    transaction_id: int
    journal_entry_id: int | None


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRateCardCreated:
    """A rate card was put before the members: `rates` in CLOUD a unit, by primitive."""

    name: ClassVar[str] = "cloud.rate_card_created"
    card_id: int
    version: int
    effective_date: str
    notice_date: str
    is_emergency: bool
    rates: dict[str, str]
    content_hash: str
    created_by: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardProposed:
    """Members are told of a rate card, and may discuss it: `rates` in CLOUD a unit by primitive, and `rates_in_force`
    of the adopted card whose place it would take."""

    name: ClassVar[str] = "rate_card.proposed"
    card_id: int
    version: int
    effective_date: str
    is_emergency: bool
    proposed_at: str
    proposed_by: str
    rates: dict[str, str]
    rates_in_force: dict[str, str]
    justification: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardVotingOpened:
    """Electors may vote on a rate card until it closes."""

    name: ClassVar[str] = "rate_card.voting_opened"
    card_id: int
    version: int
    opens_at: str
    closes_at: str
    electors: list[int]


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardVoteReminder:
    """A vote closes in `hours` hours; who has not voted by then is told."""

    name: ClassVar[str] = "rate_card.vote_reminder"
    card_id: int
    version: int
    hours: int
    closes_at: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRateCardApproved:
    """The vote adopted a rate card: it prices usage from its effective date on."""

    name: ClassVar[str] = "cloud.rate_card_approved"
    card_id: int
    version: int
    effective_date: str
    approved_at: str
    is_emergency: bool
    rates: dict[str, str]
    yes: int
    no: int
    abstain: int
    electors: int


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardRejected:
    """The vote did not adopt a rate card: `reason`."""

    name: ClassVar[str] = "rate_card.rejected"
    card_id: int
    version: int
    closed_at: str
    yes: int
    no: int
    abstain: int
    electors: int
    reason: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardWithdrawn:
    """Its proposer took a rate card back; `is_defeat` when its vote was open."""

    name: ClassVar[str] = "rate_card.withdrawn"
    card_id: int
    version: int
    withdrawn_at: str
    is_defeat: bool
    reason: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardLapsed:
    """No vote was opened on a rate card in time."""

    name: ClassVar[str] = "rate_card.lapsed"
    card_id: int
    version: int
    proposed_at: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardReturned:
    """An adopted emergency card sent a rate card back to draft. It lost its number."""

    name: ClassVar[str] = "rate_card.returned"
    card_id: int
    version: int
    emergency_version: int
    reason: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardCommented:
    """A member spoke in a rate card's thread."""

    name: ClassVar[str] = "rate_card.commented"
    card_id: int
    version: int
    comment_id: int
    member_id: int


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpChanged:
    """An automatic top-up was switched on or off by its member, or stopped because something went wrong."""

    name: ClassVar[str] = "topup.changed"
    member_id: int
    state: str
    because: str
    threshold: str
    quantity: str
    most_a_day: int


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardInForce:
    """A rate card's day has come. What prices usage is told by dates; this tells people."""

    name: ClassVar[str] = "rate_card.in_force"
    card_id: int
    version: int
    effective_date: str
    rates: dict[str, str]
    previous_version: int | None


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingLimitsSet:
    """A member changed their own cap on metered usage a month, or when a low balance is told; null for neither."""

    name: ClassVar[str] = "spending.limits_set"
    member_id: int
    monthly_cap: str | None
    low_balance: str | None


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class SpendCapMet:
    """A charge was refused for a member's own cap, the first time in this month."""

    name: ClassVar[str] = "spending.cap_reached"
    member_id: int
    monthly_cap: str
    spent: str
    ends_on: str


@event_type
@dataclass(frozen=True, slots=True, kw_only=True)
class LowBalance:
    """A member's liquid balance fell below what they set."""

    name: ClassVar[str] = "spending.low_balance"
    member_id: int
    threshold: str
    liquid: str
