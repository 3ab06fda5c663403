"""What treasury refuses, by name: a stable code, a sentence for people, and the numbers in it."""

from habitat.errors import HabitatError


class TooFewLines(HabitatError):
    code = "too_few_lines"
    template = "A journal entry needs at least two lines; this one has {count}."


class EntryUnbalanced(HabitatError):
    code = "entry_unbalanced"
    template = "Debits and credits must be equal: debits are {debit}, credits are {credit}."


class UnknownAccount(HabitatError):
    code = "unknown_account"
    template = "There is no account {code} in the chart."


class AccountTakesNoLines(HabitatError):
    code = "account_takes_no_lines"
    template = "Account {code} only sums up its sub-accounts. Post to one of them."


class AccountInactive(HabitatError):
    code = "account_inactive"
    template = "Account {code} is no longer in use."


class AccountOfOtherLedger(HabitatError):
    code = "account_of_other_ledger"
    template = "Account {code} belongs to the {account_ledger} ledger; this entry is of the {ledger} ledger."


class AccountTakesNoSubAccounts(HabitatError):
    code = "account_takes_no_sub_accounts"
    template = "Account {code} takes lines itself, so it cannot have sub-accounts."


class AccountCodeMalformed(HabitatError):
    code = "account_code_malformed"
    template = "“{code}” is not an account code: four digits, or a parent's four digits, a hyphen and a name."


class AccountCodeTaken(HabitatError):
    code = "account_code_taken"
    status = 409
    template = "There is already an account {code}."


class SourceMissing(HabitatError):
    code = "source_missing"
    template = "Every entry names its source: what kind of thing it comes from, and which one."


class TextTooLong(HabitatError):
    code = "text_too_long"
    template = "The {what} may have {longest} characters; this one has {count}."


class NoPeriod(HabitatError):
    code = "no_period"
    template = (
        "{on} lies in no accounting period, or every period from then on is closed. "
        "Operations can open the next one; then try again."
    )


class PeriodClosed(HabitatError):
    code = "period_closed"
    status = 409
    template = "{on} lies in period {period}, which is {state}: nothing more can be dated there."


class AlreadyReversed(HabitatError):
    code = "already_reversed"
    status = 409
    template = "Entry {entry} was already reversed, by entry {reversal}."


class PeriodOverlaps(HabitatError):
    code = "period_overlaps"
    status = 409
    template = "A period from {start} to {end} would overlap one that exists, or its name is taken."


class PeriodDatesWrong(HabitatError):
    code = "period_dates_wrong"
    template = "A period starts before it ends, and right where the one before it ends ({expected})."


class PeriodInWrongState(HabitatError):
    code = "period_in_wrong_state"
    status = 409
    template = "Period {period} is {state}; this needs it to be {needed}."


class PeriodOutOfOrder(HabitatError):
    code = "period_out_of_order"
    status = 409
    template = "Period {other} stands in the way: it is {state}. Periods close in order and reopen in reverse."


class NextPeriodMissing(HabitatError):
    code = "next_period_missing"
    status = 409
    template = "Open the period that follows {period} first: new facts need a place to go."


class PeriodNotOver(HabitatError):
    code = "period_not_over"
    status = 409
    template = "Period {period} runs until {end}; it can be closed from that day on."


class RangeBackwards(HabitatError):
    code = "range_backwards"
    template = "The range ends ({end}) before it starts ({start})."


class ExceptionSettled(HabitatError):
    code = "exception_settled"
    status = 409
    template = "Exception {number} is resolved already."


class OwnerMustBeMember(HabitatError):
    code = "owner_must_be_member"
    status = 403
    template = "Only a person can look after an exception."


class MintingSuspended(HabitatError):
    code = "minting_suspended"
    status = 409
    template = "No credits are made at present: {why} What was paid stays safe and becomes credits on resumption."


class BackingWouldBreak(HabitatError):
    code = "backing_would_break"
    status = 409
    template = (
        "{held} USD are held for {required} USD of credits and payments. Another {more} USD of credits without new "
        "money would not be covered. This waits until they are."
    )


class SwitchAlreadySo(HabitatError):
    code = "switch_already_so"
    status = 409
    template = "The manual flag is already {state}."


class BankUnavailable(HabitatError):
    code = "bank_unavailable"
    status = 503
    template = "The bank does not answer as it should ({what}). It is asked again by itself; nothing was changed."


class BankRefused(HabitatError):
    code = "bank_refused"
    status = 502
    template = "The bank refuses the request with status {answer}: {what}."


class BankAnswerMalformed(HabitatError):
    code = "bank_answer_malformed"
    status = 502
    template = "The bank's answer cannot be read: {field_name} is {problem}."


class BankNotConfigured(HabitatError):
    code = "bank_not_configured"
    status = 503
    template = "No bank is connected: set {setting}."


class BankAccountBooked(HabitatError):
    code = "bank_account_booked"
    status = 409
    template = "Lines of {account} are booked on {code} already; it cannot stand for another account now."


class LineNotPosted(HabitatError):
    code = "bank_line_not_posted"
    status = 409
    template = "Line {line} is {state} at the bank. Only a posted line stands for money."


class LineTaken(HabitatError):
    code = "bank_line_taken"
    status = 409
    template = "Line {line} is matched already, by match {match}. Undo that one first."


class TargetTaken(HabitatError):
    code = "bank_target_taken"
    status = 409
    template = "{target} is matched already, by match {match}. Undo that one first."


class TargetUnknown(HabitatError):
    code = "bank_target_unknown"
    template = "There is no {target} that this could stand for."


class SumsDiffer(HabitatError):
    code = "bank_sums_differ"
    template = "The lines come to {lines} USD and what they stand for to {targets} USD. They must be equal to the cent."


class MatchInWrongState(HabitatError):
    code = "bank_match_in_wrong_state"
    status = 409
    template = "Match {match} is {state}; this needs it to be {needed}."


class MatchOutOfDate(HabitatError):
    code = "bank_match_out_of_date"
    status = 409
    template = "Line {line} has changed at the bank since this was suggested. Dismiss it and match again."


class MatchKindWrong(HabitatError):
    code = "bank_match_kind_wrong"
    template = "Lines and facts of this kind cannot be matched: {why}."


class DepositBooked(HabitatError):
    code = "bank_deposit_booked"
    status = 409
    template = "Payment {payment} came in with this line. Refund the payment; its match stays."


class BillInWrongState(HabitatError):
    code = "bill_in_wrong_state"
    status = 409
    template = "Bill {bill} is {state}; this needs it to be {needed}."


class BillRecorded(HabitatError):
    code = "bill_recorded"
    status = 409
    template = "Bill {number} of {supplier} is recorded already."


class BillAccountWrong(HabitatError):
    code = "bill_account_wrong"
    template = "A bill for {kind} stands on {allowed}, not on {account}."


class BillDatesWrong(HabitatError):
    code = "bill_dates_wrong"
    template = "A bill is due on the day it is dated ({billed_on}) or later; {due_on} lies before."


class PaymentNotApplicable(HabitatError):
    code = "payment_not_applicable"
    status = 409
    template = "Payment {payment} cannot pay this debt: {why}."


class WireOnly(HabitatError):
    code = "wire_only"
    status = 409
    template = "Payment {payment} came through Stripe. Its refund is asked of Stripe, not sent at the bank."


class StripeUnavailable(HabitatError):
    code = "stripe_unavailable"
    status = 503
    template = "Stripe did not answer for certain ({said}). It is asked again; nothing happens twice."


class StripeRefused(HabitatError):
    code = "stripe_refused"
    template = "Stripe refused this ({stripe_code}): {said}"


class WebhookSignatureInvalid(HabitatError):
    code = "signature_invalid"
    status = 400
    template = "The signature does not fit the body, or is older than five minutes. Nothing was stored."


class WebhookBodyInvalid(HabitatError):
    code = "webhook_body_invalid"
    status = 400
    template = "The body is no event: it must be UTF-8 JSON as Stripe sends it."


class WebhookTooLarge(HabitatError):
    code = "webhook_too_large"
    status = 413
    template = "The body is larger than {largest} bytes."


class WebhookOfOtherMode(HabitatError):
    code = "webhook_of_other_mode"
    status = 400
    template = "This event is of the {theirs} mode; the books are kept in the {ours} mode."


class PaymentUnknown(HabitatError):
    code = "payment_unknown"
    status = 404
    template = "There is no payment {reference} in the books."


class PaymentInWrongState(HabitatError):
    code = "payment_in_wrong_state"
    status = 409
    template = "Payment {payment} is {state}; this needs it to be {needed}."


class PaymentNotMintable(HabitatError):
    code = "payment_not_mintable"
    status = 409
    template = "Payment {payment} can never become credits ({problem}). Its money goes back."


class PaymentContested(HabitatError):
    code = "payment_contested"
    status = 409
    template = "Payment {payment} has a dispute that is open, or a refund on its way. Wait for its end."


class PaymentAmountWrong(HabitatError):
    code = "payment_amount_wrong"
    status = 409
    template = "Of payment {payment} exactly {left} USD can be used, not {asked}."


class PaymentMemberUnknown(HabitatError):
    code = "payment_member_unknown"
    template = "There is no member with the number “{given}”."


class PaymentIdentified(HabitatError):
    code = "payment_identified"
    status = 409
    template = "Payment {payment} belongs to a member already."


class RefundTooLarge(HabitatError):
    code = "refund_too_large"
    template = "Of payment {payment} {left} USD are left to refund; {asked} were asked for."


class RefundUnknown(HabitatError):
    code = "refund_unknown"
    status = 404
    template = "There is no refund {refund} in the books."


class RefundInWrongState(HabitatError):
    code = "refund_in_wrong_state"
    status = 409
    template = "Refund {refund} is {state}; this needs it to be {needed}."


class RefundOfOtherPayment(HabitatError):
    code = "refund_of_other_payment"
    status = 409
    template = "Refund {refund} is recorded for another payment or another amount."


class ClawbackTooLarge(HabitatError):
    code = "clawback_too_large"
    status = 409
    template = "Of payment {payment} {left} USD are left to take back or to give back; {asked} were asked for."


class StripeEventInWrongState(HabitatError):
    code = "stripe_event_in_wrong_state"
    status = 409
    template = "Event {event} is {state}; only a failed one is processed again."


class ForeignSettlement(HabitatError):
    code = "foreign_settlement"
    status = 409
    template = "Stripe settles {what} in {currency}; the books are kept in USD."


class MovementAwaited(HabitatError):
    code = "movement_awaited"
    status = 409
    template = "Stripe has not said yet what {what} is in USD."


class MirrorIncomplete(HabitatError):
    code = "mirror_incomplete"
    status = 409
    template = "{what} of Stripe's names {missing}, which the mirror does not know."
