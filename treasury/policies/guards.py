"""What the database itself refuses on this floor; `verify_books` looks for each in the catalogue."""

from typing import Final

from habitat.controls.policies.guards import Guard, withheld
from treasury.policies.bank_guards import BANK_GUARDS
from treasury.policies.mirror_guards import MIRROR_GUARDS
from treasury.policies.payment_guards import PAYMENT_GUARDS
from treasury.policies.reconciliation_guards import RECONCILIATION_GUARDS

GUARDS: Final = (
    Guard(
        "treasury_journalline", "journalline_guard", "trigger", "lines unequal, alone, added later, on a wrong account"
    ),
    Guard("treasury_journalline", "journalline_append_only", "trigger", "a line changed, moved, deleted"),
    Guard("treasury_journalline", "line_amount_positive", "constraint", "a line of zero or less"),
    Guard("treasury_journalline", "line_side_known", "constraint", "a line on no side"),
    *withheld("treasury_journalline", "the application role: lines rewritten", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("treasury_journalentry", "journalentry_guard", "trigger", "an entry back-dated, or with a forged clock"),
    Guard("treasury_journalentry", "journalentry_has_lines", "trigger", "an entry without lines, a crooked reversal"),
    Guard("treasury_journalentry", "journalentry_append_only", "trigger", "an entry changed or deleted"),
    Guard("treasury_journalentry", "entry_names_its_source", "constraint", "an entry from nowhere"),
    Guard("treasury_journalentry", "entry_reversed_once", "constraint", "an entry reversed twice"),
    Guard("treasury_journalentry", "entry_ledger_known", "constraint", "a ledger of one's own"),
    *withheld("treasury_journalentry", "the application role: entries rewritten", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("treasury_period", "period_state", "trigger", "a period born closed, off its edges, or with other days"),
    Guard("treasury_period", "period_kept", "trigger", "a period deleted"),
    Guard("treasury_period", "period_next_exists", "trigger", "a period closing while no later one exists"),
    Guard("treasury_period", "period_told", "trigger", "a period's step without its record"),
    Guard("treasury_period", "period_no_overlap", "constraint", "a day that lies in two periods"),
    Guard("treasury_period", "period_starts_before_it_ends", "constraint", "a period without days"),
    *withheld("treasury_period", "the application role: periods deleted", "DELETE", "TRUNCATE"),
    Guard("treasury_periodchange", "periodchange_append_only", "trigger", "the record of a close rewritten"),
    *withheld("treasury_periodchange", "the application role: records rewritten", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("treasury_account", "account_guard", "trigger", "an account that turns into another, or fits no parent"),
    Guard("treasury_account", "account_kept", "trigger", "an account deleted"),
    *withheld("treasury_account", "the application role: accounts deleted", "DELETE", "TRUNCATE"),
    Guard("treasury_accountday", "accountday_unseals", "trigger", "a snapshot row missing from a sealed day"),
    Guard("treasury_accountday", "accountday_no_truncate", "trigger", "snapshots emptied unnoticed"),
    *BANK_GUARDS,
    *RECONCILIATION_GUARDS,
    *MIRROR_GUARDS,
    *PAYMENT_GUARDS,
    Guard("treasury_mintswitch", "mintswitch_kept", "trigger", "the switch taken away"),
    Guard("treasury_mintswitch", "mintswitch_told", "trigger", "a flag moved without the record that says why"),
    Guard("treasury_mintswitch", "mintswitch_one_row", "constraint", "a second switch"),
    *withheld("treasury_mintswitch", "the application role: a switch of its own", "INSERT", "DELETE", "TRUNCATE"),
    Guard("treasury_mintswitchchange", "mintswitchchange_append_only", "trigger", "the record of a flag rewritten"),
    Guard("treasury_mintswitchchange", "mintswitchchange_has_reason", "constraint", "a flag moved for no reason"),
    Guard("treasury_mintswitchchange", "mintswitchchange_flag_known", "constraint", "a third flag"),
    *withheld("treasury_mintswitchchange", "the application role: records rewritten", "UPDATE", "DELETE", "TRUNCATE"),
    Guard("treasury_backingcheck", "backingcheck_append_only", "trigger", "a check rewritten"),
    Guard("treasury_backingcheck", "backingcheck_required_adds_up", "constraint", "a sum that is not its parts"),
    Guard("treasury_backingcheck", "backingcheck_band_known", "constraint", "a band of one's own"),
    *withheld("treasury_backingcheck", "the application role: checks rewritten", "UPDATE", "DELETE", "TRUNCATE"),
)
