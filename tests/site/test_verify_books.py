"""`verify_books`: it holds on a cooperative made by the verbs, and names each break that is forced on it."""

# ruff: noqa: E501 - each break is one line of SQL

import pytest

from habitat.controls.models import Alert
from habitat.members.policies.actors import SYSTEM
from habitat.site.reports.verification import proofs
from habitat.site.workflows import verification
from habitat.workflows.policies.sagas import SagaDefinition, SagaStep
from tests.site.cooperative import behind_the_guards, broken, make_cooperative, verify_books
from tests.workflows.toy import known

pytestmark = pytest.mark.django_db(transaction=True)

_FIRST_ENTRY = "(SELECT min(id) FROM treasury_journalentry)"
_UNPOSTED = (
    "ALTER TABLE cloud_credits_cloudtransaction DROP CONSTRAINT transaction_one_sided_posts;"
    "UPDATE cloud_credits_cloudtransaction SET journal_entry_id = NULL WHERE type = 'redemption'"
)
_SAGA = (
    "WITH saga AS (INSERT INTO workflows_execution (saga, version, key, input, signals, acting, state, finished_at)"
    " VALUES ('verify', 1, '1', '{}', '{}', 'system:0', 'completed', now()) RETURNING id)"
)
# A card like the first, adopted after it by no vote.
_SECOND_CARD = (
    "CREATE TEMP TABLE another AS SELECT * FROM cloud_credits_ratecard WHERE version = 1;"
    "UPDATE another SET id = 99, version = 2, effective_date = '{effective}', opens_at = '2026-03-02', proposed_at = '2026-02-01',"
    " notice_date = '2026-02-01', closes_at = '2026-03-10', approved_at = '2026-03-10', state = 'approved';"
    "INSERT INTO cloud_credits_ratecard OVERRIDING SYSTEM VALUE SELECT * FROM another"
)
# A vote on the first card, by two members who both said yes; `ballots` and `passed` are what its outcome claims.
_VOTE = (
    "INSERT INTO cloud_credits_ratecardelector (card_id, version, member_id, at_opening) SELECT c.id, 1, m.id, true"
    " FROM cloud_credits_ratecard c, (SELECT id FROM members_member ORDER BY id LIMIT 2) m;"
    "INSERT INTO cloud_credits_ratecardballot (card_id, elector_id, choice, reason, cast_at)"
    " SELECT card_id, id, 'yes', '', '2026-04-02 00:00:00+00' FROM cloud_credits_ratecardelector;"
    "INSERT INTO cloud_credits_ratecardoutcome (card_id, version, closed_at, is_emergency, electorate, ballots, yes, no,"
    " abstain, electors, quorum_met, bar, passed, reason)"
    " SELECT min(card_id), 1, '2026-04-03', false, jsonb_agg(jsonb_build_object('member', member_id) ORDER BY member_id),"
    " {ballots}, 2, 0, 0, 2, true, 'x', {passed}, 'x' FROM cloud_credits_ratecardelector"
)
_CAST = (
    "jsonb_agg(jsonb_build_object('member', member_id, 'choice', 'yes', 'reason', '',"
    " 'castAt', '2026-04-02T00:00:00+00:00') ORDER BY member_id)"
)
# One break a proof, by a superuser with triggers and foreign keys switched off: (proof, SQL).
BREAKS = [
    ("entries balance", f"UPDATE treasury_journalline SET amount = amount + 1 WHERE entry_id = {_FIRST_ENTRY} AND side = 'D'"),
    ("ledgers balance", f"UPDATE treasury_journalline SET account_id = (SELECT id FROM treasury_account WHERE ledger = 'tax' LIMIT 1) WHERE entry_id = {_FIRST_ENTRY} AND side = 'D'"),
    (
        "entries name their source",
        "ALTER TABLE treasury_journalentry DROP CONSTRAINT entry_names_its_source;"
        f"UPDATE treasury_journalentry SET source_ref = ' ' WHERE id = {_FIRST_ENTRY}",
    ),
    ("lines stand where they may", f"UPDATE treasury_journalline SET account_id = (SELECT id FROM treasury_account WHERE code = '1000') WHERE entry_id = {_FIRST_ENTRY} AND side = 'D'"),
    ("entries lie in their period", f"UPDATE treasury_journalentry SET effective_on = '2001-01-01' WHERE id = {_FIRST_ENTRY}"),
    ("reversals mirror their entries", f"UPDATE treasury_journalentry SET reverses_id = {_FIRST_ENTRY} WHERE id = (SELECT max(id) FROM treasury_journalentry)"),
    ("snapshots equal lines", "UPDATE treasury_accountday SET debit = debit + 1"),
    (
        "reconciliations follow from their inputs",
        "INSERT INTO treasury_reconciliationrun (kind, as_of, inputs, result, found, started_by)"
        " SELECT kind, as_of + interval '1 day', inputs, '[]', 1, started_by FROM treasury_reconciliationrun WHERE kind = 'bank'",
    ),
    (
        "open exceptions stand in their runs",
        "WITH r AS (SELECT id FROM treasury_reconciliationrun LIMIT 1) INSERT INTO treasury_reconciliationexception"
        " (run_kind, kind, cause, message, since, opened_run_id, last_run_id, state)"
        " SELECT 'bank', 'line_changed', 'match:0', 'x', now(), r.id, r.id, 'open' FROM r",
    ),
    (
        "bank matches agree",
        "INSERT INTO treasury_bankmatch (kind, state, rule, score, why, digest, created_by, decided_by, decided_at, reason, question, undone_by, undo_reason)"
        " VALUES ('payout', 'confirmed', 'x', 1, 'x', 'x', 'x', 'x', now(), '', '', '', '')",
    ),
    (
        "bills stand as they are matched",
        "INSERT INTO treasury_bill (kind, account, supplier, number, amount, billed_on, due_on, state, note, idempotency_key, journal_entry_id, recorded_by, voided_by, void_reason)"
        " VALUES ('tax', '6510', 'IRS', '1', 1, now(), now(), 'paid', '', 'x', 1, 'x', '', '')",
    ),
    (
        "the latest backing check = the books",
        "INSERT INTO treasury_backingcheck (as_of, trigger, outstanding, in_flight, required, held, settled_held, band, terms, snapshot)"
        " VALUES (now(), 'x', 1, 0, 1, 1, 1, 'low', '[]', pg_current_snapshot()::text)",
    ),
    ("mint flags = their last change", "UPDATE treasury_mintswitch SET manual = false"),
    ("events have their deliveries", "UPDATE events_event SET subscribers = '{treasury}' WHERE id = (SELECT min(id) FROM events_event)"),
    ("deliveries have their event", "INSERT INTO events_delivery (event_id, subscriber) VALUES (999999, 'treasury')"),
    ("every transaction's balances-after = their replay", "UPDATE cloud_credits_cloudtransaction SET to_liquid_after = to_liquid_after + 1 WHERE type = 'transfer'"),
    ("sequences 1…n, booked_at never backwards", "UPDATE cloud_credits_cloudtransaction SET booked_at = booked_at - interval '1 year' WHERE type = 'stake'"),
    ("no transaction is booked later than now", "UPDATE cloud_credits_cloudtransaction SET booked_at = booked_at + interval '1 hour' WHERE type = 'stake'"),
    ("every balance = its replay", "UPDATE cloud_credits_cloudbalance SET liquid = liquid + 1 WHERE staked > 0"),
    (
        "no negative balance",
        "ALTER TABLE cloud_credits_cloudbalance DROP CONSTRAINT balance_liquid_not_negative;"
        "UPDATE cloud_credits_cloudbalance SET liquid = -1 WHERE staked > 0",
    ),
    ("2220 = 10 × outstanding, digit for digit", "UPDATE cloud_credits_cloudbalance SET liquid = liquid + 0.00000001 WHERE staked > 0"),
    ("1130 = 10 × techne's balance", "UPDATE cloud_credits_cloudbalance SET liquid = liquid + 0.00000001 WHERE member_id = (SELECT id FROM members_member WHERE system_code = 'techne')"),
    ("1310 = 10 × what members owe", "UPDATE treasury_journalline SET account_id = (SELECT id FROM treasury_account WHERE code = '1310') WHERE account_id = (SELECT id FROM treasury_account WHERE code = '5930')"),
    ("every transaction that must post has its entry", _UNPOSTED),
    ("every entry on 2220 or 1130 has its transaction", _UNPOSTED),
    ("every entry moves 2220 as its transactions do", f"UPDATE treasury_journalline SET amount = amount + 10 WHERE entry_id = {_FIRST_ENTRY}"),
    ("active positions = staked", "UPDATE cloud_credits_stakingposition SET amount = amount + 1"),
    ("every transaction is covered by one event", "DELETE FROM events_event WHERE name = 'cloud.transferred'"),
    (
        "every told range of redemptions is what its rows say",
        "UPDATE events_event SET payload = jsonb_set(payload, '{ranges,0,balance_after}', '\"1\"') WHERE name = 'cloud.redeemed'",
    ),
    (
        "every paid or refunded invoice has its transfers",
        "UPDATE cloud_credits_invoice SET total = 1 WHERE state = 'paid'",
    ),
    (
        "every transfer for an invoice has its invoice",
        "UPDATE cloud_credits_invoice SET state = 'sent', paid_at = NULL, payment_transaction_id = NULL WHERE state = 'paid'",
    ),
    ("every invoice is the sum of its lines", "DELETE FROM cloud_credits_invoiceline"),
    ("invoices are numbered 1…n and due in thirty days", "UPDATE cloud_credits_invoice SET number = number + 1"),
    ("hash chain intact", "UPDATE cloud_credits_cloudtransaction SET description = 'something else' WHERE type = 'stake'"),
    ("usage is priced by the card in force", "UPDATE cloud_credits_resourceusage SET rate = 2, cost = quantity * 2"),
    ("usage is redeemed", "UPDATE cloud_credits_resourceusage SET member_id = member_id + 1"),
    (
        "metering events are unique",
        "ALTER TABLE cloud_credits_resourceusage DROP CONSTRAINT usage_event_once;"
        "UPDATE cloud_credits_resourceusage SET event_id = 'the same'",
    ),
    (
        "every outcome is its ballots counted again",
        "INSERT INTO cloud_credits_ratecardoutcome (card_id, version, closed_at, is_emergency, electorate, ballots, yes, no,"
        " abstain, electors, quorum_met, bar, passed, reason)"
        " SELECT id, 1, now(), false, '[]', '[]', 2, 0, 0, 2, true, 'x', true, 'x' FROM cloud_credits_ratecard",
    ),
    ("every outcome is its ballots counted again", _VOTE.format(ballots=_CAST, passed="false")),
    ("every outcome is its ballots counted again", _VOTE.format(ballots="'[]'", passed="true")),
    (
        "every adopted rate card was voted for",
        _SECOND_CARD.format(effective="2027-03-01"),
    ),
    ("every rate card has its hash", "UPDATE cloud_credits_ratecard SET justification = 'Something else.'"),
    ("adopted rate cards take effect in order", _SECOND_CARD.format(effective="2026-03-31")),
    (
        "every stake is what its transactions say",
        "UPDATE cloud_credits_stakingposition SET staked_at = staked_at - interval '10 days',"
        " unlock_at = unlock_at - interval '10 days'",
    ),
    (
        "every reversal undoes its transaction whole",
        "UPDATE cloud_credits_cloudtransaction SET state = 'reversed' WHERE type = 'transfer'",
    ),
    (
        "every minted payment is one mint of its dollars",
        "INSERT INTO cloud_credits_paymentmint (payment_id, transaction_id, amount)"
        " SELECT 999999, id, amount FROM cloud_credits_cloudtransaction WHERE type = 'transfer' LIMIT 1;"
        "INSERT INTO treasury_payment (provider, reference, amount, method, charge_id, customer_id, purchase_ref,"
        " invoice_ref, problem, state, minted, journal_entry_id, occurred_at)"
        " VALUES ('stripe', 'pi_x', 10, '', '', '', '', '', '', 'minted', 10, 1, now())",
    ),
    (
        "2240 = money that waits or goes back",
        "INSERT INTO treasury_payment (provider, reference, amount, method, charge_id, customer_id, purchase_ref,"
        " invoice_ref, problem, state, minted, journal_entry_id, occurred_at)"
        " VALUES ('stripe', 'pi_x', 10, '', '', '', '', '', '', 'received', 0, 1, now())",
    ),
    (
        "every clawback was burned or is owed",
        "INSERT INTO treasury_payment (id, provider, reference, amount, method, charge_id, customer_id, purchase_ref,"
        " invoice_ref, problem, state, minted, journal_entry_id, occurred_at) OVERRIDING SYSTEM VALUE"
        " VALUES (999999, 'stripe', 'pi_x', 10, '', '', '', '', '', '', 'refunded', 0, 1, now());"
        "INSERT INTO cloud_credits_clawback (payment_id, member_id, total, burned)"
        " SELECT 999999, id, 1, 1 FROM members_member LIMIT 1",
    ),
    (
        "every refund has its burn, every failed one its credits back",
        "INSERT INTO cloud_credits_refundrequest (payment_id, member_id, amount, reason, asked_by, key, state, burn_id)"
        " SELECT 999999, id, 1, 'x', 'system:0', 'x', 'burned',"
        " (SELECT id FROM cloud_credits_cloudtransaction WHERE type = 'transfer' LIMIT 1) FROM members_member LIMIT 1",
    ),
    (
        "what is settled of a debt was burned, paid or written off for it",
        "INSERT INTO cloud_credits_receivable (member_id, amount, settled, origin_id, journal_entry_id)"
        " SELECT to_member_id, 1, 1, id, (SELECT min(id) FROM treasury_journalentry)"
        " FROM cloud_credits_cloudtransaction WHERE type = 'transfer' LIMIT 1",
    ),
    (
        "self-metering adds up",
        "INSERT INTO cloud_credits_selfmeterremainder (member_id, primitive, amount, settled)"
        " SELECT id, 'compute', 0, 5 FROM members_member LIMIT 1",
    ),
    (
        "self-metering charges are usage",
        "INSERT INTO cloud_credits_selfmetercharge (member_id, primitive, window_start, window_end, quantity, state,"
        " due_at, attempts, refusal_code, refusal, meter_id, cost, charged_at)"
        " SELECT id, 'compute', now(), now(), 1, 'charged', now(), 1, '', '', 999999, 1, now() FROM members_member LIMIT 1",
    ),
    (
        "spend caps count what was metered",
        "INSERT INTO cloud_credits_spendcap (member_id, monthly_cap, month, spent, set_at)"
        " SELECT id, 10, '2026-04-01', 0.00000001, now() FROM members_member LIMIT 1",
    ),
    (
        "ended sagas left nothing open",
        f"{_SAGA} INSERT INTO workflows_step (execution_id, name, direction, state, key, input)"
        " SELECT id, 'only', 'forward', 'calling', 'k', '{}' FROM saga",
    ),
    (
        "completed sagas took every step",
        "INSERT INTO workflows_execution (saga, version, key, input, signals, acting, state, finished_at)"
        " VALUES ('verify', 1, '1', '{}', '{}', 'system:0', 'completed', now())",
    ),
    (
        "sagas undo only what was done",
        f"{_SAGA} INSERT INTO workflows_step (execution_id, name, direction, state, key, input, output, recorded_at)"
        " SELECT id, 'only', 'backward', 'recorded', 'k', '{}', '{}', now() FROM saga",
    ),
]  # fmt: skip
# (proof, SQL, what the line must name)
GUARDS_BROKEN = [
    (
        "roles hold exactly what the floors list",
        "INSERT INTO auth_group_permissions (group_id, permission_id) SELECT g.id, p.id FROM auth_group g,"
        " auth_permission p WHERE g.name = 'member' AND p.codename = 'mint_credits'",
        "1 wrong, the first: member cloud_credits.mint_credits",
    ),
    (
        "roles hold exactly what the floors list",
        "WITH u AS (INSERT INTO members_user (password, is_superuser, email, is_active, is_staff, joined_at)"
        " VALUES ('!', false, 'x@example.org', true, false, now()) RETURNING id)"
        " INSERT INTO members_user_user_permissions (user_id, permission_id)"
        " SELECT u.id, p.id FROM u, auth_permission p WHERE p.codename = 'mint_credits'",
        "cloud_credits.mint_credits",
    ),
    (
        "every trigger is present and enabled",
        "ALTER TABLE treasury_journalline DISABLE TRIGGER journalline_guard",
        "trigger journalline_guard on treasury_journalline is disabled",
    ),
    (
        "every trigger is present and enabled",
        "ALTER TABLE cloud_credits_cloudbalance ENABLE REPLICA TRIGGER balance_moves",
        "trigger balance_moves on cloud_credits_cloudbalance is disabled",
    ),
    (
        "every trigger is present and enabled",
        "DROP TRIGGER transaction_born ON cloud_credits_cloudtransaction",
        "trigger transaction_born on cloud_credits_cloudtransaction is missing",
    ),
    (
        "every trigger is present and enabled",
        "ALTER TABLE cloud_credits_resourceusage DISABLE TRIGGER ALL",
        "foreign key cloud_credits_resour_approval_id",
    ),
    (
        "every trigger is present and enabled",
        "DO $$ BEGIN EXECUTE (SELECT format('DROP TRIGGER %I ON members_member', tgname) FROM pg_trigger"
        " WHERE tgrelid = 'members_member'::regclass AND tgname LIKE 'pgtrigger_update%' LIMIT 1); END $$",
        "on members_member is missing (it stops: a change without its history)",
    ),
    (
        "every constraint is present and validated",
        "ALTER TABLE cloud_credits_cloudbalance DROP CONSTRAINT balance_staked_not_negative",
        "constraint balance_staked_not_negative on cloud_credits_cloudbalance is missing",
    ),
    (
        "every constraint is present and validated",
        "ALTER TABLE cloud_credits_cloudbalance DROP CONSTRAINT balance_staked_not_negative,"
        " ADD CONSTRAINT balance_staked_not_negative CHECK (staked >= 0) NOT VALID",
        "constraint balance_staked_not_negative on cloud_credits_cloudbalance is not validated",
    ),
    (
        "every constraint is present and validated",
        "DROP INDEX entry_reversed_once",
        "constraint entry_reversed_once on treasury_journalentry is missing",
    ),
    (
        "the application role lacks what it must lack",
        "GRANT DELETE ON treasury_journalentry TO habitat_app",
        "habitat_app holds DELETE on treasury_journalentry",
    ),
    (
        "the application role lacks what it must lack",
        "GRANT UPDATE ON events_event TO PUBLIC",
        "habitat_app holds UPDATE on events_event",
    ),
    (
        "the application role lacks what it must lack",
        "GRANT UPDATE (amount) ON cloud_credits_cloudtransaction TO habitat_app",
        "habitat_app holds UPDATE on cloud_credits_cloudtransaction column amount",
    ),
    (
        "the application role is an ordinary one",
        "GRANT TRUNCATE ON members_member TO habitat_app",
        "habitat_app holds TRUNCATE on members_member",
    ),
    (
        "the application role is an ordinary one",
        "ALTER TABLE controls_alert OWNER TO habitat_app",
        "habitat_app may act as the owner of controls_alert",
    ),
    (
        "the application role is an ordinary one",
        "GRANT CREATE ON SCHEMA public TO habitat_app",
        "habitat_app may create tables and functions",
    ),
    (
        "the house's clock is the database's own",
        "CREATE OR REPLACE FUNCTION habitat_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
        " $$ SELECT current_setting('habitat.now')::timestamptz $$",
        "habitat_now() is something else",
    ),
    (
        "no trigger is unlisted",
        "CREATE TRIGGER sleeper BEFORE INSERT ON treasury_journalline FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger sleeper on treasury_journalline is on no list",
    ),
]


def test_verify_books__holds_on_what_the_verbs_made():
    make_cooperative()

    code, output = verify_books()

    assert (code, broken(output)) == (0, [])
    lines = [line for line in output.splitlines() if line.startswith("ok")]
    assert len(lines) == len(proofs())
    assert output.endswith(f"All {len(lines)} hold.\n")
    counts = {" ".join(line.split()[3:]).partition(":")[0]: int(line.split()[1].replace(",", "")) for line in lines}
    assert counts["usage is redeemed"] == 2
    assert counts["active positions = staked"] == 5
    assert counts["every transaction that must post has its entry"] == 9
    assert not Alert.objects.exists()


def test_every_proof_is_broken_by_a_test():
    tried = {name for name, _sql in BREAKS} | {name for name, _sql, _said in GUARDS_BROKEN}

    assert {proof.name for _floor, proof in proofs()} == tried


@pytest.mark.parametrize(("proof", "sql"), BREAKS, ids=[name for name, _ in BREAKS])
def test_break__is_named_and_raises_an_alert(proof, sql, superuser_dsn):
    make_cooperative()
    with behind_the_guards(superuser_dsn) as connection:
        connection.execute(sql)

    with known(SagaDefinition("verify", 1, "Verify", "One step.", (SagaStep("only"),))):
        code, output = verify_books("--all")

    assert code == 1
    assert [line for line in broken(output) if f"{proof}:" in line], output
    assert Alert.objects.filter(code="books_broken", state="open", cause__endswith=proof).exists()


@pytest.mark.parametrize(("proof", "sql", "said"), GUARDS_BROKEN, ids=[said for _, _, said in GUARDS_BROKEN])
def test_guard__missing_or_off_is_named(proof, sql, said, superuser_dsn):
    with behind_the_guards(superuser_dsn) as connection:
        connection.execute(sql)

    code, output = verify_books("--all")

    assert code == 1
    assert [line for line in broken(output) if f"{proof}:" in line and said in line], output


def test_verify_books__stops_at_the_first_break_unless_told_to_go_on(superuser_dsn):
    make_cooperative()
    with behind_the_guards(superuser_dsn) as connection:
        connection.execute("UPDATE cloud_credits_cloudbalance SET liquid = liquid + 1 WHERE staked > 0")
        connection.execute("ALTER TABLE events_event DISABLE TRIGGER events_event_append_only")

    first, told = verify_books(), verify_books("--all")

    assert (first[0], told[0]) == (1, 1)
    assert [line.partition(":")[0] for line in broken(first[1])] == ["cloud_credits every balance = its replay"]
    assert "hash chain" not in first[1]
    assert [line.partition(":")[0] for line in broken(told[1])] == [
        "cloud_credits every balance = its replay",
        "cloud_credits 2220 = 10 × outstanding, digit for digit",
        "guards every trigger is present and enabled",
    ]


def test_constraint_on_no_list__is_told_but_breaks_nothing(superuser_dsn):
    with behind_the_guards(superuser_dsn) as connection:
        connection.execute("ALTER TABLE treasury_account ADD CONSTRAINT short_names CHECK (length(name) < 500)")

    code, output = verify_books()

    assert code == 0
    assert "constraints on no list: short_names on treasury_account" in output


def test_alert__closes_when_the_proof_holds_again(superuser_dsn):
    with behind_the_guards(superuser_dsn) as connection:
        connection.execute("ALTER TABLE events_event DISABLE TRIGGER events_event_append_only")
        list(verification.verify(go_on=True, acting=SYSTEM))
        list(verification.verify(go_on=True, acting=SYSTEM))
        assert list(Alert.objects.values_list("state", "times")) == [("open", 2)]

        connection.execute("ALTER TABLE events_event ENABLE TRIGGER events_event_append_only")
    list(verification.verify(go_on=True, acting=SYSTEM))

    assert list(Alert.objects.values_list("state", flat=True)) == ["resolved"]


def test_proof_that_cannot_run__counts_as_broken(superuser_dsn):
    with behind_the_guards(superuser_dsn) as connection:
        connection.execute("ALTER TABLE cloud_credits_chainblock RENAME TO elsewhere")

    code, output = verify_books("--all")

    assert code == 1
    assert [line for line in broken(output) if "hash chain intact: it could not be run: relation" in line]
