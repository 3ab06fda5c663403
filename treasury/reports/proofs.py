"""Proves the books from scratch: each invariant of the journal as one query over all rows, snapshots not used."""

from django.db import connection

from habitat.controls.policies.proofs import Proof, ProofResult
from treasury.models import ReconciliationException, ReconciliationRun
from treasury.policies.reconciliation import ExceptionState, RunKind, findings, written


def entries_balance() -> ProofResult:
    """Every entry has two lines or more, and equal sides."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_journalentry",
        finding="""
        SELECT e.id
          FROM treasury_journalentry e
          LEFT JOIN treasury_journalline l ON l.entry_id = e.id
         GROUP BY e.id
        HAVING count(l.id) < 2 OR sum(CASE WHEN l.side = 'D' THEN l.amount ELSE -l.amount END) <> 0
         ORDER BY e.id LIMIT 1""",
        good="every entry has at least two lines and balances",
        bad="entry {} has fewer than two lines or does not balance",
    )


def ledgers_balance() -> ProofResult:
    """Σ debit = Σ credit, of the book and of the tax ledger each, by the accounts the lines stand on."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_journalline",
        finding="""
        SELECT a.ledger || ' by ' || sum(CASE WHEN l.side = 'D' THEN l.amount ELSE -l.amount END)
          FROM treasury_journalline l
          JOIN treasury_account a ON a.id = l.account_id
         GROUP BY a.ledger
        HAVING sum(CASE WHEN l.side = 'D' THEN l.amount ELSE -l.amount END) <> 0
         ORDER BY a.ledger LIMIT 1""",
        good="debits equal credits in each ledger",
        bad="debits and credits differ: {}",
    )


def entries_name_their_source() -> ProofResult:
    return _none_of(
        counting="SELECT count(*) FROM treasury_journalentry",
        finding="""
        SELECT id FROM treasury_journalentry
         WHERE btrim(source_kind) = '' OR btrim(source_ref) = '' OR btrim(posted_by) = ''
         ORDER BY id LIMIT 1""",
        good="every entry names its source and who posted it",
        bad="entry {} does not name its source or who posted it",
    )


def lines_stand_where_they_may() -> ProofResult:
    """On accounts that take lines, of the entry's own ledger."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_journalline",
        finding="""
        SELECT l.id
          FROM treasury_journalline l
          JOIN treasury_account a ON a.id = l.account_id
          JOIN treasury_journalentry e ON e.id = l.entry_id
         WHERE NOT a.is_postable OR a.ledger <> e.ledger
         ORDER BY l.id LIMIT 1""",
        good="every line stands on an account that takes lines of its ledger",
        bad="line {} stands on a parent account or in the other ledger",
    )


def entries_lie_in_their_period() -> ProofResult:
    return _none_of(
        counting="SELECT count(*) FROM treasury_journalentry",
        finding="""
        SELECT e.id
          FROM treasury_journalentry e
          LEFT JOIN treasury_period p ON p.id = e.period_id
         WHERE p.id IS NULL OR e.effective_on < p.start OR e.effective_on >= p."end"
         ORDER BY e.id LIMIT 1""",
        good="every entry lies in its period",
        bad="entry {} lies outside its period",
    )


def reversals_mirror_their_entries() -> ProofResult:
    """Original and reversal together leave every account as it was."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_journalentry WHERE reverses_id IS NOT NULL",
        finding="""
        SELECT r.id
          FROM treasury_journalentry r
          JOIN treasury_journalline l ON l.entry_id IN (r.id, r.reverses_id)
         WHERE r.reverses_id IS NOT NULL
         GROUP BY r.id, l.account_id
        HAVING sum(CASE WHEN l.side = 'D' THEN l.amount ELSE -l.amount END) <> 0
         ORDER BY r.id LIMIT 1""",
        good="every reversal mirrors its entry",
        bad="reversal {} does not mirror its entry",
    )


def snapshots_equal_lines() -> ProofResult:
    """Each sealed day's sums are those of its lines below its horizon: none wrong, none missing, none too many."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_accountday",
        finding="""
        SELECT coalesce(kept.day, real.day) || ' account ' || coalesce(kept.account_id, real.account_id)
          FROM (SELECT day, account_id, debit, credit FROM treasury_accountday) kept
          FULL JOIN (
                SELECT e.effective_on AS day, l.account_id,
                       coalesce(sum(l.amount) FILTER (WHERE l.side = 'D'), 0) AS debit,
                       coalesce(sum(l.amount) FILTER (WHERE l.side = 'C'), 0) AS credit
                  FROM treasury_journalentry e
                  JOIN treasury_sealedday s ON s.day = e.effective_on AND e.transaction < s.horizon
                  JOIN treasury_journalline l ON l.entry_id = e.id
                 GROUP BY e.effective_on, l.account_id) real
            ON real.day = kept.day AND real.account_id = kept.account_id
         WHERE kept.debit IS DISTINCT FROM real.debit OR kept.credit IS DISTINCT FROM real.credit
         ORDER BY 1 LIMIT 1""",
        good="every snapshot equals its lines",
        bad="the snapshot of {} differs from its lines",
    )


def _none_of(*, counting: str, finding: str, good: str, bad: str) -> ProofResult:
    with connection.cursor() as cursor:
        cursor.execute(counting)
        (counted,) = cursor.fetchone()
        cursor.execute(finding)
        broken = cursor.fetchone()
    return ProofResult(ok=broken is None, counted=counted, message=bad.format(broken[0]) if broken else good)


def runs_follow_from_their_inputs() -> ProofResult:
    """The newest run of each kind and every run that an open exception names: its result is worked out again."""
    named = ReconciliationException.objects.filter(state=ExceptionState.OPEN.value)
    newest = ReconciliationRun.objects.order_by("kind", "-id").distinct("kind").values_list("pk", flat=True)
    numbers = {*newest, *named.values_list("opened_run", flat=True), *named.values_list("last_run", flat=True)}
    for run in ReconciliationRun.objects.filter(pk__in=numbers).order_by("pk"):
        again = [written(finding) for finding in findings(RunKind(run.kind), run.inputs)]
        if again != run.result or run.found != len(run.result):
            return ProofResult(ok=False, counted=len(numbers), message=f"run {run.pk} does not follow from its inputs")
    return ProofResult(ok=True, counted=len(numbers), message="every run follows from its inputs")


def exceptions_have_their_run() -> ProofResult:
    """An open exception stands in the results of the run that opened it and of the newest run of its kind."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_reconciliationexception WHERE state = 'open'",
        finding="""
        SELECT e.id
          FROM treasury_reconciliationexception e
          JOIN treasury_reconciliationrun o ON o.id = e.opened_run_id
          JOIN treasury_reconciliationrun l ON l.id = e.last_run_id
         WHERE e.state = 'open'
           AND (o.kind <> e.run_kind OR l.kind <> e.run_kind
                OR NOT o.result @> jsonb_build_array(jsonb_build_object('kind', e.kind, 'cause', e.cause))
                OR NOT l.result @> jsonb_build_array(jsonb_build_object('kind', e.kind, 'cause', e.cause)))
         ORDER BY e.id LIMIT 1""",
        good="every open exception stands in its runs",
        bad="exception {} does not stand in the runs it names",
    )


def bank_matches_agree() -> ProofResult:
    """Each match that holds its lines: both sides equal, and its entry moves the bank by what the lines say."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_bankmatch WHERE state IN ('confirmed', 'questioned')",
        finding="""
        SELECT m.id
          FROM treasury_bankmatch m
         CROSS JOIN LATERAL (SELECT count(*) AS lines, coalesce(sum(l.amount), 0) AS amount
                               FROM treasury_bankmatchline l WHERE l.match_id = m.id) said
         WHERE m.state IN ('confirmed', 'questioned')
           AND (said.lines = 0
                OR EXISTS (SELECT FROM treasury_bankmatchline l
                             JOIN treasury_bankmatchline o ON o.line_id = l.line_id AND o.match_id <> l.match_id
                             JOIN treasury_bankmatch other ON other.id = o.match_id
                            WHERE l.match_id = m.id AND other.state IN ('confirmed', 'questioned'))
                OR (m.kind IN ('ignored', 'duplicate') AND m.journal_entry_id IS NOT NULL)
                OR (m.kind NOT IN ('ignored', 'duplicate')
                    AND (m.journal_entry_id IS NULL
                         OR said.amount <> coalesce((SELECT sum(t.amount) FROM treasury_bankmatchtarget t
                                                      WHERE t.match_id = m.id), 0)
                         OR EXISTS (
                             SELECT code FROM (
                                 SELECT a.ledger_code AS code, l.amount
                                   FROM treasury_bankmatchline l
                                   JOIN treasury_bankline b ON b.id = l.line_id
                                   JOIN treasury_bankaccount a ON a.id = b.account_id
                                  WHERE l.match_id = m.id
                                 UNION ALL
                                 SELECT t.target_id, -t.amount FROM treasury_bankmatchtarget t
                                  WHERE t.match_id = m.id AND t.kind = 'account' AND t.target_id IN ('1110', '1120')
                                 UNION ALL
                                 SELECT a.code, CASE j.side WHEN 'D' THEN -j.amount ELSE j.amount END
                                   FROM treasury_journalline j JOIN treasury_account a ON a.id = j.account_id
                                  WHERE j.entry_id = m.journal_entry_id AND a.code IN ('1110', '1120')) moved
                              GROUP BY code HAVING sum(amount) <> 0))))
         ORDER BY m.id LIMIT 1""",
        good="every confirmed bank match agrees with its facts and its entry",
        bad="bank match {} does not agree with its facts or its entry",
    )


def bills_stand_as_they_are_matched() -> ProofResult:
    """Paid exactly when a match that holds says so."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_bill",
        finding="""
        SELECT b.id
          FROM treasury_bill b
         WHERE (b.state = 'paid') <> EXISTS (
               SELECT FROM treasury_bankmatchtarget t JOIN treasury_bankmatch m ON m.id = t.match_id
                WHERE t.kind = 'bill' AND t.target_id = b.id::text AND m.state IN ('confirmed', 'questioned'))
         ORDER BY b.id LIMIT 1""",
        good="every paid bill has its bank match and no open one has any",
        bad="bill {} and its bank match disagree",
    )


def latest_check_agrees_with_the_books() -> ProofResult:
    """What the latest backing check says is owed, summed again from the very entries it had seen."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_backingcheck",
        finding="""
        SELECT c.id
          FROM (SELECT * FROM treasury_backingcheck ORDER BY as_of DESC, id DESC LIMIT 1) c
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(CASE WHEN l.side = 'C' THEN l.amount ELSE -l.amount END)
                                 FILTER (WHERE a.code = '2220'), 0) AS outstanding,
                      coalesce(sum(CASE WHEN l.side = 'C' THEN l.amount ELSE -l.amount END)
                                 FILTER (WHERE a.code = '2240'), 0) AS in_flight
                 FROM treasury_account a
                 JOIN treasury_journalline l ON l.account_id = a.id
                 JOIN treasury_journalentry e ON e.id = l.entry_id
                WHERE a.code IN ('2220', '2240')
                  -- A snapshot does not count its own transaction among the running ones: that one goes by numbers.
                  AND CASE WHEN e.transaction = c.transaction THEN e.id <= c.last_entry
                           ELSE pg_visible_in_snapshot(e.transaction, c.snapshot::pg_snapshot) END
                  AND (c.books_until IS NULL OR e.effective_on < c.books_until)) real
         WHERE c.outstanding <> real.outstanding OR c.in_flight <> real.in_flight""",
        good="the latest backing check agrees with the books",
        bad="backing check {} says something else than the books it saw",
    )


def mint_flags_equal_their_last_change() -> ProofResult:
    """Each flag of the mint switch stands as its last recorded change left it; on, where there is none."""
    return _none_of(
        counting="SELECT count(*) FROM treasury_mintswitchchange",
        finding="""
        SELECT said.flag
          FROM treasury_mintswitch s
         CROSS JOIN LATERAL (VALUES ('automatic', s.automatic), ('manual', s.manual)) AS said(flag, stands)
         WHERE said.stands <> coalesce((SELECT c."on" FROM treasury_mintswitchchange c
                                         WHERE c.flag = said.flag ORDER BY c.id DESC LIMIT 1), true)
         ORDER BY 1 LIMIT 1""",
        good="both flags of the mint switch stand as their last change left them",
        bad="the {} flag of the mint switch moved without a record",
    )


PROOFS = (
    Proof("entries balance", entries_balance),
    Proof("ledgers balance", ledgers_balance),
    Proof("entries name their source", entries_name_their_source),
    Proof("lines stand where they may", lines_stand_where_they_may),
    Proof("entries lie in their period", entries_lie_in_their_period),
    Proof("reversals mirror their entries", reversals_mirror_their_entries),
    Proof("snapshots equal lines", snapshots_equal_lines),
    Proof("reconciliations follow from their inputs", runs_follow_from_their_inputs),
    Proof("open exceptions stand in their runs", exceptions_have_their_run),
    Proof("bank matches agree", bank_matches_agree),
    Proof("bills stand as they are matched", bills_stand_as_they_are_matched),
    Proof("the latest backing check = the books", latest_check_agrees_with_the_books),
    Proof("mint flags = their last change", mint_flags_equal_their_last_change),
)
