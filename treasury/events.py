"""The facts treasury announces."""

from dataclasses import dataclass
from typing import ClassVar

from habitat.events.policies.registry import event_type


@event_type
@dataclass(frozen=True)
class PeriodOpened:
    """A new period exists. Dates are ISO days, `end` is the first day after it."""

    name: ClassVar[str] = "period.opened"
    period_id: str
    period: str
    start: str
    end: str


@event_type
@dataclass(frozen=True)
class PeriodClosing:
    """From now on only the close and approved adjustments post into it."""

    name: ClassVar[str] = "period.closing"
    period_id: str
    period: str
    start: str
    end: str
    reason: str


@event_type
@dataclass(frozen=True)
class PeriodCloseCalledOff:
    """The close was given up; the period takes entries again."""

    name: ClassVar[str] = "period.close_called_off"
    period_id: str
    period: str
    start: str
    end: str
    reason: str


@event_type
@dataclass(frozen=True)
class PeriodClosed:
    """Nothing is dated in it any more."""

    name: ClassVar[str] = "period.closed"
    period_id: str
    period: str
    start: str
    end: str
    reason: str


@event_type
@dataclass(frozen=True)
class PeriodLocked:
    """It never opens again."""

    name: ClassVar[str] = "period.locked"
    period_id: str
    period: str
    start: str
    end: str
    reason: str


@event_type
@dataclass(frozen=True)
class PeriodReopened:
    """It takes entries again; its closing entries were reversed in it."""

    name: ClassVar[str] = "period.reopened"
    period_id: str
    period: str
    start: str
    end: str
    reason: str


@event_type
@dataclass(frozen=True)
class PaymentReceived:
    """Money that stands in 2240 and may become credits, unless `mintable` is false: then `problem` says why never.

    Announced again when what stood in its way has ended (identified, dispute won, refund failed): `left` is what can
    be minted now. USD. `purchase_ref` is the purchase's id, or the subscription's (`sub_…`) for a renewal.
    """

    name: ClassVar[str] = "payment.received"
    payment_id: str
    provider: str
    reference: str
    member_id: str
    amount: str
    left: str
    method: str
    charge_id: str
    customer_id: str
    purchase_ref: str
    invoice_ref: str
    mintable: bool
    problem: str
    occurred_at: str


@event_type
@dataclass(frozen=True)
class PaymentReturnAsked:
    """A person decided that a wire goes back, and sends it at the bank."""

    name: ClassVar[str] = "payment.return_asked"
    payment_id: str
    refund_id: str
    amount: str
    reason: str


@event_type
@dataclass(frozen=True)
class PaymentReturnFailed:
    """A wire that was to go back was not sent, or came back."""

    name: ClassVar[str] = "payment.return_failed"
    payment_id: str
    refund_id: str
    amount: str
    reason: str


@event_type
@dataclass(frozen=True)
class PaymentIdentified:
    """A person said whose a payment is."""

    name: ClassVar[str] = "payment.identified"
    payment_id: str
    member_id: str
    reason: str


@event_type
@dataclass(frozen=True)
class PaymentFailed:
    """A try to pay failed at Stripe: a card declined, a bank debit that came back. No money moved."""

    name: ClassVar[str] = "payment.failed"
    reference: str
    member_id: str
    amount: str
    purchase_ref: str
    invoice_ref: str
    code: str
    message: str


@event_type
@dataclass(frozen=True)
class PaymentRefunded:
    """What must be taken back in credits, as totals of the charge, in USD; a total falls when a refund failed later.

    Neither total holds refunds asked for here, nor what went back before anything was minted.
    """

    name: ClassVar[str] = "payment.refunded"
    payment_id: str
    member_id: str
    charge_id: str
    refunded: str
    disputed_lost: str


@event_type
@dataclass(frozen=True)
class PaymentRefundSettled:
    """A refund asked for here has reached the payer. USD."""

    name: ClassVar[str] = "payment.refund_settled"
    payment_id: str
    refund_id: str
    amount: str


@event_type
@dataclass(frozen=True)
class PaymentRefundFailed:
    """A refund asked for here did not arrive, or came back later. USD."""

    name: ClassVar[str] = "payment.refund_failed"
    payment_id: str
    refund_id: str
    amount: str


@event_type
@dataclass(frozen=True)
class PaymentDisputeOpened:
    """The payer contests the charge at their bank. USD."""

    name: ClassVar[str] = "payment.dispute_opened"
    payment_id: str
    member_id: str
    dispute_id: str
    amount: str
    reason: str


@event_type
@dataclass(frozen=True)
class PaymentDisputeClosed:
    """`outcome` is won or lost. USD."""

    name: ClassVar[str] = "payment.dispute_closed"
    payment_id: str
    member_id: str
    dispute_id: str
    amount: str
    outcome: str


@event_type
@dataclass(frozen=True)
class CheckoutCompleted:
    """The payer went through Stripe's page; `payment_status` unpaid means that a bank debit is still on its way."""

    name: ClassVar[str] = "checkout.completed"
    session_id: str
    payment_status: str
    reference: str
    subscription_id: str
    member_id: str
    purchase_ref: str
    invoice_ref: str


@event_type
@dataclass(frozen=True)
class CheckoutExpired:
    """Stripe's page closed unpaid, or its bank debit failed (`failed` true)."""

    name: ClassVar[str] = "checkout.expired"
    session_id: str
    failed: bool
    member_id: str
    purchase_ref: str
    invoice_ref: str


@event_type
@dataclass(frozen=True)
class SubscriptionChanged:
    """A subscription as Stripe has it now; `amount` in USD a period."""

    name: ClassVar[str] = "subscription.changed"
    subscription_id: str
    customer_id: str
    member_id: str
    purchase_ref: str
    status: str
    paused: bool
    cancel_at_period_end: bool
    amount: str
    interval: str


@event_type
@dataclass(frozen=True)
class StripeSwept:
    """A walk along Stripe's balance transactions: how many, which of them webhooks had missed, which failed."""

    name: ClassVar[str] = "stripe.swept"
    since: str
    movements: int
    mended: list[str]
    failed: list[str]
    reason: str


@event_type
@dataclass(frozen=True)
class BankMatchConfirmed:
    """Bank lines stand for facts: `targets` are `kind:id`. `amount` is what moved at the bank, USD, signed."""

    name: ClassVar[str] = "bank.matched"
    match_id: str
    kind: str
    line_ids: list[str]
    targets: list[str]
    amount: str
    journal_entry_id: str | None


@event_type
@dataclass(frozen=True)
class BankMatchUndone:
    """They no longer do; what was posted for it is reversed."""

    name: ClassVar[str] = "bank.unmatched"
    match_id: str
    kind: str
    line_ids: list[str]
    targets: list[str]
    reason: str


@event_type
@dataclass(frozen=True)
class BankLineChanged:
    """The bank says something else of a line it had posted; `match_id` is the match that is questioned by it."""

    name: ClassVar[str] = "bank.line_changed"
    line_id: str
    version: int
    status: str
    amount: str
    match_id: str | None


@event_type
@dataclass(frozen=True)
class BankAccountAssigned:
    """A person said what a bank account stands for."""

    name: ClassVar[str] = "bank.account_assigned"
    account_id: str
    ledger_code: str
    is_backing: bool
    reason: str


@event_type
@dataclass(frozen=True)
class BillRecorded:
    """The cooperative owes it; USD."""

    name: ClassVar[str] = "bill.recorded"
    bill_id: str
    kind: str
    supplier: str
    number: str
    amount: str
    due_on: str


@event_type
@dataclass(frozen=True)
class BillPaid:
    """A bank line paid it."""

    name: ClassVar[str] = "bill.paid"
    bill_id: str
    match_id: str


@event_type
@dataclass(frozen=True)
class BillVoided:
    """It is not owed after all; its entry is reversed."""

    name: ClassVar[str] = "bill.voided"
    bill_id: str
    reason: str


@event_type
@dataclass(frozen=True)
class BackingChecked:
    """The ratio was computed. Amounts are USD; `ratio` is a percentage, null when nothing is required."""

    name: ClassVar[str] = "backing.checked"
    check_id: str
    as_of: str
    band: str
    required: str
    held: str
    ratio: str | None


@event_type
@dataclass(frozen=True)
class MintingSuspended:
    """From now on no credits are minted; payments are still taken. `flag` is the one that went off."""

    name: ClassVar[str] = "minting.suspended"
    flag: str
    reason: str


@event_type
@dataclass(frozen=True)
class MintingResumed:
    """Both flags are on again: what waits is minted, oldest first. `flag` is the one that came on."""

    name: ClassVar[str] = "minting.resumed"
    flag: str
    reason: str
