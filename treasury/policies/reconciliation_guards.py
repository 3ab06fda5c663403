"""What the database itself refuses about reconciliation; `policies.guards` gathers it."""

from typing import Final

from habitat.controls.policies.guards import Guard, withheld

_REWRITTEN: Final = ("UPDATE", "DELETE", "TRUNCATE")
RECONCILIATION_GUARDS: Final = (
    Guard("treasury_reconciliationrun", "reconciliationrun_append_only", "trigger", "a comparison rewritten"),
    Guard("treasury_reconciliationrun", "reconciliationrun_kind_known", "constraint", "a comparison of nothing known"),
    *withheld("treasury_reconciliationrun", "the application role: comparisons rewritten", *_REWRITTEN),
    Guard(
        "treasury_reconciliationexception", "reconciliationexception_state", "trigger", "an exception moved or reopened"
    ),
    Guard("treasury_reconciliationexception", "reconciliationexception_settled", "trigger", "a resolution rewritten"),
    Guard("treasury_reconciliationexception", "reconciliationexception_kept", "trigger", "an exception deleted"),
    Guard("treasury_reconciliationexception", "exception_one_open_a_cause", "constraint", "one cause open twice"),
    Guard("treasury_reconciliationexception", "exception_resolved_whole", "constraint", "resolved without a word"),
    Guard(
        "treasury_reconciliationexception",
        "UPDATE (message, amount, since, times, last_run_id, resolved_run_id, owner_id, state, resolved_at,"
        " resolved_by, resolution)",
        "columns",
        "the application moving an exception to another cause or run",
    ),
    *withheld("treasury_reconciliationexception", "the application role: exceptions deleted", "DELETE", "TRUNCATE"),
    Guard("treasury_exceptionnote", "exceptionnote_append_only", "trigger", "a note rewritten"),
    Guard("treasury_exceptionnote", "exceptionnote_has_text", "constraint", "an empty note"),
    *withheld("treasury_exceptionnote", "the application role: notes rewritten", *_REWRITTEN),
)
