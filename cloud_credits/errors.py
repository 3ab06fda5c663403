"""What the credit ledger refuses, each with a stable code and a sentence that says what to do."""

from collections.abc import Sequence

from cloud_credits.policies.governance import Problem
from cloud_credits.policies.topups import WENT_BACK
from habitat.errors import HabitatError
from habitat.workflows.errors import StepRefused


class InsufficientBalance(HabitatError):
    code = "insufficient_balance"
    status = 402
    template = "{holder} has {available} CLOUD to spend; this needs {needed}."


class SpendCapReached(HabitatError):
    code = "spend_cap_reached"
    status = 402
    template = (
        "The member's own cap is {cap} CLOUD of metered usage a month; {spent} are spent and this needs {needed}. "
        "The next month begins on {ends}; the member can raise the cap before, at /cloud/spending/."
    )


class InsufficientStake(HabitatError):
    code = "insufficient_stake"
    template = "{holder} has {available} CLOUD staked; this needs {needed}."


class SelfTransfer(HabitatError):
    code = "self_transfer"
    template = "Sender and recipient are the same member. Choose somebody else."


class UnknownMember(HabitatError):
    code = "unknown_member"
    status = 404
    template = "There is no member “{given}”. Check the name or number."


class NoCloudIdentity(HabitatError):
    code = "no_cloud_identity"
    template = "{holder} has no cloud identity yet, so no credits can be held. Operations can set one up."


class MemberNotActive(HabitatError):
    code = "member_not_active"
    template = "{holder} is {status}, so this cannot be done. Ask operations if that is a mistake."


class TechneTakesNoTransfers(HabitatError):
    code = "techne_takes_no_transfers"
    template = "Credits reach techne by invoices and grants only. Pay an invoice instead."


class TechneMakesNoTransfers(HabitatError):
    code = "techne_makes_no_transfers"
    template = "Techne gives credits by grants only, so that the books say what they were for. Make a grant instead."


class NotASystemAccount(HabitatError):
    code = "not_a_system_account"
    template = "{holder} is not one of the cooperative's own accounts. A grant starts or ends at one of them."


class NotAnInvestor(HabitatError):
    code = "not_an_investor"
    status = 403
    template = "Only member-investors may stake credits. Ask operations about becoming one."


class LockOutOfRange(HabitatError):
    code = "lock_out_of_range"
    template = "Credits are locked for 30 to 365 whole days; {given} is outside that."


class StakeAboveCap(HabitatError):
    code = "stake_above_cap"
    template = "At most {cap} % of your credits may be staked: {allowed} CLOUD more. This asks for {needed}."


class StillLocked(HabitatError):
    code = "still_locked"
    status = 409
    template = "This stake is locked until {unlock_at}. An earlier exit is a request to operations."


class PositionNotActive(HabitatError):
    code = "position_not_active"
    status = 409
    template = "This stake was already released."


class NotReversible(HabitatError):
    code = "not_reversible"
    status = 409
    template = "Transaction {transaction} cannot be reversed: {why}."


class InvalidSubname(HabitatError):
    code = "invalid_subname"
    template = "“{given}” cannot be a name: use 1 to 63 of a–z, 0–9 and hyphens, no hyphen at either end, no “xn--”."


class ReservedSubname(HabitatError):
    code = "reserved_subname"
    template = "“{given}” is kept for the cooperative. Choose another name."


class SubnameTaken(HabitatError):
    code = "subname_taken"
    status = 409
    template = "“{given}.habitat.eth” is or was somebody's name and is never issued again. Choose another."


class InvalidAddress(HabitatError):
    code = "invalid_address"
    template = (
        "“{given}” is not an Ethereum address: 0x and 40 hexadecimal digits, with a right checksum if mixed case."
    )


class AddressTaken(HabitatError):
    code = "address_taken"
    status = 409
    template = "The address {given} already belongs to another member."


class AlreadyInitialized(HabitatError):
    code = "already_initialized"
    status = 409
    template = "{holder} already has the cloud identity {name}."


class MissingField(HabitatError):
    code = "missing_field"
    template = "“{name}” is missing. A usage event needs it."


class EventIdInvalid(HabitatError):
    code = "event_id_invalid"
    template = "An event id has 1 to 200 visible characters, made once by the service and sent again on a retry."


class ServiceNameInvalid(HabitatError):
    code = "service_name_invalid"
    template = "A service name has 1 to 100 visible characters."


class UnknownPrimitive(HabitatError):
    code = "unknown_primitive"
    template = "“{given}” is not metered here. Send compute, transfer, ltm or stm."


class WrongUnit(HabitatError):
    code = "wrong_unit"
    template = "{primitive} is measured in {unit}, not in “{given}”."


class QuantityNotPositive(HabitatError):
    code = "quantity_not_positive"
    template = "A quantity must be more than zero; it was {given}."


class TimeInvalid(HabitatError):
    code = "time_invalid"
    template = "“{given}” is not a moment. Write it like 2026-04-01T12:00:00Z, with its time zone."


class StartAfterEnd(HabitatError):
    code = "start_after_end"
    template = "The usage would start at {start}, after it ends at {end}."


class EventInFuture(HabitatError):
    code = "event_in_future"
    template = (
        "The usage ends at {given}, which is more than {minutes} minutes ahead of now. Check the service's clock."
    )


class EventTooLate(HabitatError):
    code = "event_too_late"
    template = (
        "The usage ended at {given}, more than {days} days ago. "
        "Operations can let it in with a reason and a second person."
    )


class NoCardInForce(HabitatError):
    code = "no_card_in_force"
    template = (
        "No rate card was in force on {day}, so this usage has no price. "
        "Check its time; the days from which there are prices stand at /api/rate-cards/."
    )


class MeteredMemberUnknown(HabitatError):
    code = "unknown_member"
    template = "There is no member {given}. Send the member number; it stands on the member's own pages."


class EventConflict(HabitatError):
    code = "event_conflict"
    status = 409
    template = (
        "The event “{event_id}” was already recorded with other content. An id names one usage, for ever: "
        "if this is another usage, send it under an id of its own."
    )


class ImportFileChanged(HabitatError):
    code = "import_file_changed"
    status = 409
    template = (
        "{name} is not the file this import began with: what was read of it changed. Import it under another name."
    )


class ImportBusy(HabitatError):
    code = "import_busy"
    status = 409
    template = "Another import of {name} is running. Wait for it, or stop it first."


class ImportFormUnknown(HabitatError):
    code = "import_form_unknown"
    template = "{name} is neither CSV nor NDJSON. Its name must end in .csv, .ndjson or .jsonl."


class RowTooLong(HabitatError):
    code = "row_too_long"
    template = "This row is longer than {largest} bytes; an event never is."


class RowUnreadable(HabitatError):
    code = "row_unreadable"
    template = "This row cannot be read: {why}."


class BatchTooLarge(HabitatError):
    code = "batch_too_large"
    status = 413
    template = "A batch has at most {events} events in {bytes} bytes. Send the rest in another one."


class BatchEmpty(HabitatError):
    code = "batch_empty"
    template = "There is no event in this batch."


class BatchUnreadable(HabitatError):
    code = "batch_unreadable"
    status = 400
    template = "The body is neither a JSON array of events nor one JSON event a line: {why}."


class BatchBusy(HabitatError):
    code = "batch_busy"
    status = 503
    template = "Other requests with the same events kept this one from being written. Nothing was; send it again."


class TermsNotAccepted(HabitatError):
    code = "terms_not_accepted"
    status = 403
    template = "Read and accept version {version} of the terms of service first: they are at /terms/."


class CardNotSaved(HabitatError):
    code = "card_not_saved"
    template = "Choose a card that you saved and that has not expired. A purchase can save one."


class TooManyTopUps(HabitatError):
    code = "too_many_top_ups"
    template = "Between 1 and {most} automatic top-ups a day are possible, not {given}."


class TopUpAboveDailyLimit(HabitatError):
    code = "top_up_above_daily_limit"
    template = "At most {limit} USD may be loaded a day; this asks for {asked} at a time."


class TopUpNotOn(HabitatError):
    code = "top_up_not_on"
    status = 409
    template = "The automatic top-up is not switched on."


class TopUpCardChanged(HabitatError):
    code = "top_up_card_changed"
    status = 409
    template = "Another card was chosen since: this one is not charged."


class TopUpAmountChanged(HabitatError):
    code = "top_up_amount_changed"
    status = 409
    template = "It buys {wished} CLOUD at a time since: the card is not charged for {begun}."


class TopUpNotDue(HabitatError):
    """`why` is the judgement's own sentence (policies/topups)."""

    code = "top_up_not_due"
    status = 409
    template = "{why}"


class TopUpMoneyWentBack(HabitatError):
    code = "top_up_money_went_back"
    status = 409
    template = WENT_BACK


class TopUpDecided(HabitatError):
    code = "top_up_decided"
    status = 409
    template = "Purchase {purchase} is {state} already: no card is charged for it any more."


class ChargeWithdrawn(StepRefused):
    """No bank refused it: the house did not ask, because it is not wished any more."""

    code = "charge_withdrawn"


class TermsOutdated(HabitatError):
    code = "terms_outdated"
    status = 409
    template = "Version {given} of the terms is not the one that stands now. Read version {version} and accept that."


class TermsEmpty(HabitatError):
    code = "terms_empty"
    template = "Terms have a title and a text. Write both."


class WholeCentsOnly(HabitatError):
    code = "whole_cents_only"
    template = "{given} CLOUD is not a whole number of cents. Buy with at most three decimals: 0.001 CLOUD is one cent."


class PurchaseTooSmall(HabitatError):
    code = "purchase_too_small"
    template = "The smallest purchase is {smallest} CLOUD; this was {given}."


class DailyLimitReached(HabitatError):
    code = "daily_limit_reached"
    template = (
        "You can buy for {left} USD more today, UTC; this would cost {asked}. "
        "Unpaid checkouts count until they expire. {why}"
    )


class PurchaseNotOpen(HabitatError):
    code = "purchase_not_open"
    status = 409
    template = "Purchase {purchase} is {state}: only an open checkout can be closed."


class PurchaseNotPaid(HabitatError):
    code = "purchase_not_paid"
    status = 409
    template = "Nobody has paid purchase {purchase}, so there is nothing to send back."


class CheckoutWaits(HabitatError):
    code = "checkout_waits"
    status = 503
    template = (
        "Stripe did not answer yet. Purchase {purchase_id} is kept and its checkout opens by itself: "
        "ask again with the same key, or read the purchase."
    )


class CheckoutClosed(HabitatError):
    code = "checkout_closed"
    status = 409
    template = "Purchase {purchase_id} is {state}, so there is nothing to pay for it. Buy again with a new key."


class TooLittleForInvoice(HabitatError):
    code = "too_little_for_invoice"
    template = "{invoice} needs {needed} CLOUD more than you have; this would buy {given}."


class RecurringPaused(HabitatError):
    code = "recurring_paused"
    status = 409
    template = "Recurring purchases pause while the reserve is low. Buy once, or come back later."


class IdempotencyKeyReserved(HabitatError):
    code = "idempotency_key_reserved"
    status = 400
    template = "Keys that begin with “{prefix}” are the house's own. Send another one."


class RecurringRunning(HabitatError):
    code = "recurring_running"
    status = 409
    template = "A recurring purchase is running already. Cancel it first."


class RecurringNotPossible(HabitatError):
    code = "recurring_not_possible"
    status = 409
    template = "This recurring purchase is {state}, so it cannot {change}."


class PaymentNotMinted(HabitatError):
    code = "payment_not_minted"
    status = 409
    template = "Payment {payment} is {state}: only the money of a minted payment is refunded by taking credits back."


class RefundAboveReach(HabitatError):
    code = "refund_above_reach"
    template = "Of this payment {left} CLOUD can still be refunded; this asks for {asked}."


class RefundAtTheBank(HabitatError):
    code = "refund_at_the_bank"
    status = 409
    template = "Payment {payment} came by wire. Send the money back at the bank and match the line; Stripe cannot."


class PaymentNotRefundable(HabitatError):
    code = "payment_not_refundable"
    status = 409
    template = "Payment {payment} is {state}, so it cannot be sent back whole."


class RefundNotRecorded(HabitatError):
    code = "refund_not_recorded"
    status = 409
    template = "A refund of payment {payment} is on its way and has no number here yet."


class NothingOwed(HabitatError):
    code = "nothing_owed"
    status = 409
    template = "Nothing of this debt is left."


class SettlesTooMuch(HabitatError):
    code = "settles_too_much"
    template = "{left} CLOUD of this debt are left; this asks for {asked}."


class InvoiceWithoutLines(HabitatError):
    code = "invoice_without_lines"
    template = "An invoice has at least one line: quantity, price and what it is for."


class TooManyInvoiceLines(HabitatError):
    code = "too_many_invoice_lines"
    template = "An invoice has at most {most} lines; this one would have {given}."


class InvoiceLineInvalid(HabitatError):
    code = "invoice_line_invalid"
    template = "Line {position}: {why}."


class InvoiceTitleInvalid(HabitatError):
    code = "invoice_title_invalid"
    template = "A title has 1 to {longest} characters."


class NotInvoiceable(HabitatError):
    code = "not_invoiceable"
    template = "{holder} is one of the cooperative's own accounts. Invoices go to members."


class InvoiceNotDraft(HabitatError):
    code = "invoice_not_draft"
    status = 409
    template = "{invoice} is {state}: only a draft can be changed or sent. Void it and write a new one."


class InvoiceNotPayable(HabitatError):
    code = "invoice_not_payable"
    status = 409
    template = "{invoice} is {state}, so there is nothing to pay."


class InvoiceNotVoidable(HabitatError):
    code = "invoice_not_voidable"
    status = 409
    template = "{invoice} is {state} and can no longer be voided. A paid invoice is refunded."


class InvoiceNotRefundable(HabitatError):
    code = "invoice_not_refundable"
    status = 409
    template = "{invoice} is {state}: only a paid invoice is refunded."


class CardRefused(HabitatError):
    """`problems` lists each reason with its code, sentence and field."""

    code = "rate_card_refused"
    template = "{sentences}"

    def __init__(self, found: Sequence[Problem]) -> None:
        listed = [{"code": each.code, "sentence": each.sentence, "field": each.field} for each in found]
        super().__init__(
            field=next((each.field for each in found if each.field), None),
            sentences=" ".join(each.sentence for each in found),
            problems=listed,
        )

    @property
    def codes(self) -> list[str]:
        return [each["code"] for each in self.details["problems"]]


class CardUnknown(HabitatError):
    code = "rate_card_unknown"
    status = 404
    template = "There is no such rate card."


class CardNotInState(HabitatError):
    code = "rate_card_not_in_state"
    status = 409
    template = "Rate card {card} is {state}: {why}"


class DraftChanged(HabitatError):
    code = "draft_changed"
    status = 409
    template = "Draft {card} was changed after you opened it. Open it again and read what it says now."


class NotTheProposer(HabitatError):
    code = "not_the_proposer"
    status = 403
    template = "Rate card {card} was proposed by {proposer}. Only they may withdraw it."


class VoteClosed(HabitatError):
    code = "vote_closed"
    status = 409
    template = "The vote on rate card {card} closed at {closes_at}. What was cast before counts."


class VoteStillOpen(HabitatError):
    code = "vote_still_open"
    status = 409
    template = "The vote on rate card {card} is open until {closes_at}."


class NotAnElector(HabitatError):
    code = "not_an_elector"
    status = 403
    template = (
        "You are not in the electorate of rate card {card}: those vote who were active stewards at its notice and "
        "when its vote opened."
    )


class ChoiceUnknown(HabitatError):
    code = "choice_unknown"
    template = "“{given}” is no vote. Choose yes, no or abstain."


class BallotReasonTooLong(HabitatError):
    code = "ballot_reason_too_long"
    template = "The reason of a vote has at most {longest:,} characters; this has {given:,}."


class CommentEmpty(HabitatError):
    code = "comment_empty"
    template = "A comment has 1 to {longest} characters."
