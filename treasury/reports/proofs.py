"""Proves the books from scratch: each invariant of the journal as one query over all rows, snapshots not used."""

from django.db import connection

from habitat.controls.policies.proofs import Proof, ProofResult


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


PROOFS = (
    Proof("entries balance", entries_balance),
    Proof("ledgers balance", ledgers_balance),
    Proof("entries name their source", entries_name_their_source),
    Proof("lines stand where they may", lines_stand_where_they_may),
    Proof("entries lie in their period", entries_lie_in_their_period),
    Proof("reversals mirror their entries", reversals_mirror_their_entries),
    Proof("snapshots equal lines", snapshots_equal_lines),
    Proof("bank matches agree", bank_matches_agree),
    Proof("bills stand as they are matched", bills_stand_as_they_are_matched),
)
