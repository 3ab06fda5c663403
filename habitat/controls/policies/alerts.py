"""The catalogue of alerts (domain §6): what each means, how bad it is, and what closes it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from habitat.controls.errors import AlertUnknown


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


FIRST: Final = AlertState.OPEN
# An alert that nobody looked at may close by itself when its rule holds again.
EDGES: Final[dict[AlertState, frozenset[AlertState]]] = {
    AlertState.OPEN: frozenset({AlertState.ACKNOWLEDGED, AlertState.RESOLVED}),
    AlertState.ACKNOWLEDGED: frozenset({AlertState.RESOLVED}),
    AlertState.RESOLVED: frozenset(),
}
UNRESOLVED: Final = (AlertState.OPEN, AlertState.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class AlertDefinition:
    """`closing_rule` says when the alert resolves by itself."""

    code: str
    severity: Severity
    title: str
    help: str
    closing_rule: str


CATALOGUE: Final = (
    AlertDefinition(
        "treasury_backing_shortfall",
        Severity.CRITICAL,
        "Credits are not fully backed",
        "The money in the backing accounts is less than what outstanding credits stand for. Automatic minting stops.",
        "A later check finds the backing ratio at 100 % or above.",
    ),
    AlertDefinition(
        "backing_low",
        Severity.WARNING,
        "Backing is low",
        "Credits are covered, but less than 105 % of what is owed is held. Purchases are limited meanwhile.",
        "A later check finds the backing ratio at 105 % or above.",
    ),
    AlertDefinition(
        "reading_stale",
        Severity.WARNING,
        "A balance reading is too old",
        "The bank or Stripe has not answered for longer than the setting allows, so the ratio rests on an old figure.",
        "A fresh reading arrives.",
    ),
    AlertDefinition(
        "stripe_clearing_drift",
        Severity.WARNING,
        "Stripe and the books disagree",
        "Account 1115 and the balance that Stripe reports differ by more than the setting allows.",
        "A later reconciliation finds them equal within the limit.",
    ),
    AlertDefinition(
        "webhook_failed",
        Severity.CRITICAL,
        "A webhook of Stripe's could not be processed",
        "Something that Stripe told is not in the books, after every attempt. The nightly sweep tries another way.",
        "The webhook is processed again and succeeds.",
    ),
    AlertDefinition(
        "stripe_mirror_incomplete",
        Severity.WARNING,
        "The mirror of Stripe is incomplete",
        "What Stripe showed could not be kept among customers, cards and receipts. The books are not touched by it.",
        "The mirror of the customer is rebuilt (`manage.py rebuild_stripe_mirror`) and a person settles the alert.",
    ),
    AlertDefinition(
        "stripe_movement_unknown",
        Severity.WARNING,
        "Stripe moved money the books do not know",
        "A balance transaction is of a kind, or in a currency, that the books have no rule for. Nothing was booked.",
        "A person books it by an adjusting entry and settles the alert.",
    ),
    AlertDefinition(
        "bank_unmatched",
        Severity.WARNING,
        "A bank line has no entry",
        "A line of the bank statement has waited for its match for longer than the setting allows.",
        "Every line older than the limit is matched or explained.",
    ),
    AlertDefinition(
        "refund_uncovered",
        Severity.CRITICAL,
        "A refund exceeds what the payer holds",
        "A refund or dispute took more money than the payer has credits; the rest stands as a receivable.",
        "The receivable is paid or written off.",
    ),
    AlertDefinition(
        "refund_failed",
        Severity.CRITICAL,
        "A payment could not be sent back",
        "Stripe refused or could not deliver the refund of a payment that cannot become credits. Its money waits.",
        "The money is with its payer, whoever sent it, or became credits after all.",
    ),
    AlertDefinition(
        "topup_stopped",
        Severity.INFO,
        "An automatic top-up stopped",
        "A member's automatic purchase failed or reached its limit and will not be tried again by itself.",
        "The member starts it again or switches it off.",
    ),
    AlertDefinition(
        "sync_diverged",
        Severity.CRITICAL,
        "The public mirror differs",
        "A balance on the chain differs from the database by more than 0.01 CLOUD.",
        "A later comparison at one block finds them equal, or a person overrides with a reason.",
    ),
    AlertDefinition(
        "stream_deviation",
        Severity.WARNING,
        "A stream's sum is off",
        "The sampled amount of a stream differs from what the token contract reports.",
        "A later sample agrees with the contract.",
    ),
    AlertDefinition(
        "stream_missing",
        Severity.WARNING,
        "A stream stopped or vanished",
        "A stream that the books expect was not found when it was sampled.",
        "The stream is found again or closed in the books.",
    ),
    AlertDefinition(
        "price_stale",
        Severity.WARNING,
        "No fresh token price",
        "Every price source is older than an hour. Samples wait for a price; none is booked at zero.",
        "A fresh price arrives or a person enters one.",
    ),
    AlertDefinition(
        "staking_ratio",
        Severity.WARNING,
        "Much of the credit is staked",
        "More than 50 % of outstanding credits are staked; above 60 % for two quarters asks for legal review.",
        "The ratio falls to 50 % or below.",
    ),
    AlertDefinition(
        "redemption_rate",
        Severity.WARNING,
        "Few credits are used",
        "Less than 25 % of the credits minted in a quarter were redeemed in it.",
        "A later quarter reaches 25 %.",
    ),
    AlertDefinition(
        "outbox_stuck",
        Severity.CRITICAL,
        "Events are not being delivered",
        "An event has waited for its subscriber, or queued usage for its charge, for longer than the limit, "
        "or a delivery is dead.",
        "No delivery is dead or older than the limit.",
    ),
    AlertDefinition(
        "webhook_disabled",
        Severity.WARNING,
        "Webhooks to a service are switched off",
        "The service's endpoint answered that it is gone, or took nothing for days. It hears nothing until then.",
        "Somebody switches the endpoint on again, or removes it.",
    ),
    AlertDefinition(
        "webhook_backlog",
        Severity.WARNING,
        "A service does not keep up with its webhooks",
        "More messages wait for its endpoint than the setting allows, and the oldest were given up. Ask the service, "
        "or switch the endpoint off; once it takes messages again, those that are dead can be sent again.",
        "Half as many as may wait do, or the endpoint is removed.",
    ),
    AlertDefinition(
        "saga_stuck",
        Severity.CRITICAL,
        "A process across systems is stuck",
        "A step failed for good or does not end, and the process needs a person.",
        "The process completes, is compensated or is cancelled.",
    ),
    AlertDefinition(
        "books_broken",
        Severity.CRITICAL,
        "A proof of the books fails",
        "verify_books found an invariant that does not hold, or a guard of the database that is missing.",
        "verify_books passes from first to last line.",
    ),
)

_DEFINITIONS: dict[str, AlertDefinition] = {definition.code: definition for definition in CATALOGUE}


def definition_of(code: str) -> AlertDefinition:
    """Raises AlertUnknown."""
    try:
        return _DEFINITIONS[code]
    except KeyError:
        raise AlertUnknown(code_given=code) from None
