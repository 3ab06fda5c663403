"""What the database itself refuses about the bank; `policies.guards` gathers it."""

from typing import Final

from habitat.controls.policies.guards import Guard, withheld

_REWRITTEN: Final = ("UPDATE", "DELETE", "TRUNCATE")
BANK_GUARDS: Final = (
    Guard("treasury_bankreading", "bankreading_append_only", "trigger", "a reading rewritten"),
    *withheld("treasury_bankreading", "the application role: readings rewritten", *_REWRITTEN),
    Guard("treasury_bankaccount", "bankaccount_fixed", "trigger", "a bank account that turns into another"),
    Guard("treasury_bankaccount", "bankaccount_kept", "trigger", "a bank account deleted"),
    Guard("treasury_bankaccount", "bankaccount_code_known", "constraint", "a bank account off the chart"),
    *withheld("treasury_bankaccount", "the application role: bank accounts rewritten", *_REWRITTEN),
    Guard(
        "treasury_bankaccount",
        "UPDATE (name, kind, ledger_code, is_backing, read_until)",
        "columns",
        "the application turning a bank account into another",
    ),
    Guard("treasury_bankline", "UPDATE (current_id)", "columns", "the application rewriting bank lines"),
    Guard(
        "treasury_bankmatch",
        "UPDATE (state, decided_at, decided_by, reason, journal_entry_id, question, undone_at, undone_by, undo_reason)",
        "columns",
        "the application turning a match into another",
    ),
    Guard(
        "treasury_bill",
        "UPDATE (state, void_entry_id, voided_by, void_reason)",
        "columns",
        "the application changing what is owed",
    ),
    Guard("treasury_bankline", "bankline_fixed", "trigger", "a bank line that turns into another, an older version"),
    Guard("treasury_bankline", "bankline_kept", "trigger", "a bank line deleted"),
    Guard("treasury_bankline", "bankline_once", "constraint", "one bank line twice"),
    *withheld("treasury_bankline", "the application role: bank lines rewritten", *_REWRITTEN),
    Guard("treasury_banklineversion", "banklineversion_append_only", "trigger", "what the bank said rewritten"),
    Guard("treasury_banklineversion", "banklineversion_shown", "trigger", "a version that its line does not show"),
    Guard("treasury_banklineversion", "banklineversion_once", "constraint", "two versions of one number"),
    *withheld("treasury_banklineversion", "the application role: versions rewritten", *_REWRITTEN),
    Guard("treasury_bankrowaside", "bankrowaside_append_only", "trigger", "an unreadable row rewritten"),
    *withheld("treasury_bankrowaside", "the application role: unreadable rows rewritten", *_REWRITTEN),
    Guard("treasury_bankmatch", "bankmatch_state", "trigger", "a match born decided, or off its edges"),
    Guard("treasury_bankmatch", "bankmatch_settled", "trigger", "who decided a match, why, and its entry rewritten"),
    Guard("treasury_bankmatch", "bankmatch_agrees", "trigger", "a confirmed match whose sides or entry differ"),
    Guard("treasury_bankmatch", "bankmatch_kept", "trigger", "a match deleted"),
    Guard("treasury_bankmatch", "bankmatch_decided_whole", "constraint", "a decision nobody took"),
    Guard("treasury_bankmatch", "bankmatch_undone_with_reason", "constraint", "a match undone without a reason"),
    *withheld("treasury_bankmatch", "the application role: matches rewritten", *_REWRITTEN),
    Guard("treasury_bankmatchline", "bankmatchline_append_only", "trigger", "a line of a match rewritten"),
    Guard("treasury_bankmatchline", "bankmatchline_open", "trigger", "a line added to a decided match"),
    *withheld("treasury_bankmatchline", "the application role: lines of matches rewritten", *_REWRITTEN),
    Guard("treasury_bankmatchtarget", "bankmatchtarget_append_only", "trigger", "a fact of a match rewritten"),
    Guard("treasury_bankmatchtarget", "bankmatchtarget_open", "trigger", "a fact added to a decided match"),
    *withheld("treasury_bankmatchtarget", "the application role: facts of matches rewritten", *_REWRITTEN),
    Guard("treasury_bill", "bill_state", "trigger", "a bill born paid, off its edges, or with another amount"),
    Guard("treasury_bill", "bill_kept", "trigger", "a bill deleted"),
    Guard("treasury_bill", "bill_amount_positive", "constraint", "a bill of nothing"),
    Guard("treasury_bill", "bill_account_of_kind", "constraint", "a tax booked as infrastructure"),
    Guard("treasury_bill", "bill_number_once", "constraint", "one bill owed twice"),
    *withheld("treasury_bill", "the application role: bills rewritten", *_REWRITTEN),
)
