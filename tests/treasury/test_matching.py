"""Which lines stand for which facts: the rules by themselves, then decisions with what they post and refuse."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.models import Event
from habitat.members.policies.actors import SYSTEM
from tests.cloud_credits.test_concurrency import at_once, codes
from tests.treasury.banking import NOBODY, OLGA, deposit, make_bill, make_payout, read, the_line
from treasury.actions import bank_matches, refunds
from treasury.actions.journal import post_many
from treasury.errors import (
    LineNotPosted,
    LineTaken,
    MatchInWrongState,
    MatchKindWrong,
    MatchOutOfDate,
    SumsDiffer,
    TargetTaken,
    TargetUnknown,
)
from treasury.models import BankMatch, Bill, JournalEntry, Payment, Payout
from treasury.policies.bank import BillKind, MatchKind, TargetKind
from treasury.policies.journal import Draft, Line, Source
from treasury.policies.matching import BillFact, LineFact, Nature, PayoutFact, RefundFact, Target, nature, suggest
from treasury.reports.accounts import account_balance

DAY = date(2026, 6, 15)


def line(amount: str, text: str = "", **facts) -> LineFact:
    given = {
        "id": 1, "account_id": 1, "ledger_code": "1110", "amount": Decimal(amount), "posted_on": DAY, "kind": "",
        "counterparty": "", "text": text,
    }  # fmt: skip
    return LineFact(**(given | facts))


def payout(amount: str, number: int = 1, arrival_on: date | None = DAY) -> PayoutFact:
    return PayoutFact(number, f"po_{number}", Decimal(amount), arrival_on)


def bill(amount: str, pk: int = 1, **facts) -> BillFact:
    given = {
        "id": pk, "is_tax": False, "supplier": "Hetzner", "number": f"R-{pk}", "amount": Decimal(amount),
        "billed_on": date(2026, 6, 1), "due_on": date(2026, 6, 30),
    }  # fmt: skip
    return BillFact(**(given | facts))


# --- the rules by themselves


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (line("10", "WIRE FROM ADA"), Nature.DEPOSIT),
        (line("10", "STRIPE TRANSFER"), Nature.STRIPE),
        (line("10", "Payment po_1A2b"), Nature.STRIPE),
        (line("-10", "stripe"), Nature.STRIPE),
        (line("10", "PINSTRIPED SUITS LLC"), Nature.DEPOSIT),
        (line("10", kind="internalTransfer"), Nature.TRANSFER),
        (line("-10", kind="treasuryTransfer"), Nature.TRANSFER),
        (line("10", kind="interestPayment"), Nature.INTEREST),
        (line("-10", "Interest charged"), Nature.OUTGOING),
        (line("0"), Nature.NOTHING),
    ],
)
def test_nature__is_read_from_kind_and_words(given, expected):
    assert nature(given) is expected


@pytest.mark.parametrize(
    ("lines", "facts", "expected"),
    [
        # (rule, score, kind, target ids)
        ([line("97.1", "STRIPE po_1")], {"payouts": [payout("97.1")]}, [("payout_id", 100, "payout", ["1"])]),
        ([line("97.1", "STRIPE po_1", ledger_code="1120")], {"payouts": [payout("97.1")]},
         [("payout_id_elsewhere", 100, "payout", ["1"])]),
        ([line("97.2", "STRIPE po_1")], {"payouts": [payout("97.1")]}, []),
        ([line("97.1", "STRIPE")], {"payouts": [payout("97.1")]}, [("payout_amount_day", 80, "payout", ["1"])]),
        ([line("5", "STRIPE")], {"payouts": [payout("5"), payout("5", 2)]},
         [("payout_amount_day", 60, "payout", ["1"]), ("payout_amount_day", 60, "payout", ["2"])]),
        ([line("5", "STRIPE")], {"payouts": [payout("5", 1, DAY - timedelta(days=6))]}, []),
        ([line("5", "STRIPE")], {"payouts": [payout("5", 1, DAY - timedelta(days=5))]},
         [("payout_amount_day", 80, "payout", ["1"])]),
        ([line("12", "STRIPE")], {"payouts": [payout("5"), payout("7", 2)]},
         [("payouts_of_day", 60, "payout", ["1", "2"])]),
        ([line("12", "STRIPE po_1 po_2")], {"payouts": [payout("5"), payout("7", 2)]},
         [("payout_ids", 90, "payout", ["1", "2"])]),
        ([line("-8", "STRIPE po_3")], {"payouts": [payout("-8", 3)]}, [("payout_id", 100, "stripe_debit", ["3"])]),
        ([line("-120", "HETZNER R-1")], {"bills": [bill("120")]}, [("bill_number", 95, "bill", ["1"])]),
        ([line("-120", "Hetzner Online")], {"bills": [bill("120")]}, [("bill_supplier", 80, "bill", ["1"])]),
        ([line("-120", "??")], {"bills": [bill("120")]}, [("bill_amount", 50, "bill", ["1"])]),
        ([line("-120", "??", posted_on=date(2026, 5, 31))], {"bills": [bill("120")]}, []),
        ([line("-200", "Hetzner")], {"bills": [bill("120"), bill("80", 2)]},
         [("bills_of_supplier", 75, "bill", ["1", "2"])]),
        ([line("-9", "IRS USATAXPYMT 1040")], {"bills": [bill("9", is_tax=True, supplier="IRS", number="1040")]},
         [("bill_number", 95, "tax", ["1"])]),
        ([line("-50", "wire back re_7")], {"refunds": [RefundFact(7, "re_7", Decimal(50))]},
         [("refund_reference", 95, "refund", ["7"])]),
        ([line("-50", "wire")], {"refunds": [RefundFact(7, "re_7", Decimal(50))]},
         [("refund_amount", 50, "refund", ["7"])]),
        ([line("3", kind="interestPayment")], {}, [("interest", 90, "interest", ["4910"])]),
        ([line("-40", kind="internalTransfer"),
          line("40", kind="internalTransfer", id=2, account_id=2, ledger_code="1120")],
         {}, [("transfer_pair", 90, "transfer", [])]),
        ([line("-40", kind="internalTransfer")], {}, [("transfer_alone", 40, "transfer", ["1120"])]),
        ([line("5", "ADA"), line("5", "ADA", id=2)], {}, [("same_day_same_words", 40, "duplicate", ["1"])]),
        ([line("5", "ADA"), line("5", "BOB", id=2)], {}, []),
        ([line("10", "WIRE")], {"payouts": [payout("10")], "bills": [bill("10")]}, []),
    ],
)  # fmt: skip
def test_rule__suggests_with_its_score(lines, facts, expected):
    found = suggest(lines=lines, **facts)

    assert [(s.rule, s.score, s.kind.value, [t.id for t in s.targets]) for s in found] == expected
    assert all(s.why for s in found)


def test_suggestions__agree_to_the_digit_always():
    lines = [line("12", "STRIPE"), line("-200", "Hetzner", id=2), line("-40", kind="internalTransfer", id=3)]
    found = suggest(
        lines=lines, payouts=[payout("5"), payout("7", 2)], bills=[bill("120"), bill("80", 2), bill("200", 3)]
    )
    amounts = {one.id: one.amount for one in lines}

    assert len(found) == 3
    for one in found:
        assert sum(amounts[i] for i in one.line_ids) == sum(target.amount for target in one.targets)


# --- decisions, through the sandbox bank


def suggested(kind: str) -> BankMatch:
    return BankMatch.objects.get(kind=kind, state="suggested")


@pytest.mark.django_db
def test_payout_named_by_its_id__confirms_itself(mercury_sandbox):
    out = make_payout("970.70", "po_abc")
    deposit(mercury_sandbox, "970.70", "STRIPE TRANSFER po_abc", counterpartyName="Stripe")

    read(mercury_sandbox)

    match = BankMatch.objects.get()
    assert (match.state, match.rule, match.decided_by) == ("confirmed", "payout_id", "system:0")
    assert (account_balance("1110"), account_balance("1115")) == (Decimal("970.70"), Decimal("-970.70"))
    out.refresh_from_db()
    assert out.matched_at == datetime(2026, 6, 15, 10, tzinfo=UTC)
    assert match.journal_entry.effective_on == DAY
    told = Event.objects.get(name="bank.matched").payload
    assert (told["kind"], told["targets"], told["amount"]) == ("payout", [f"payout:{out.pk}"], "970.7")
    read(mercury_sandbox)
    assert (BankMatch.objects.count(), JournalEntry.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_payout_that_only_fits__waits_for_a_person(mercury_sandbox):
    make_payout("97.1")
    deposit(mercury_sandbox, "97.1", "STRIPE", counterpartyName="Stripe")
    read(mercury_sandbox)
    match = suggested("payout")
    assert (match.score, JournalEntry.objects.count()) == (80, 0)

    for changes, refusal in (({"reason": " "}, ReasonRequired), ({"acting": NOBODY}, NotAllowed)):
        with pytest.raises(refusal):
            bank_matches.confirm(**({"match": match, "reason": "Seen", "acting": OLGA} | changes))
    assert JournalEntry.objects.count() == 0
    bank_matches.confirm(match=match, reason="Same day", acting=OLGA)

    assert account_balance("1110") == Decimal("97.1")
    with pytest.raises(MatchInWrongState):
        bank_matches.confirm(match=match, reason="Again", acting=OLGA)
    assert JournalEntry.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("make", "amount", "facts", "moved"),
    [
        (lambda: make_payout("-8", "po_neg"), "-8", {"text": "STRIPE po_neg"}, {"1110": "-8", "1115": "8"}),
        (lambda: make_bill("120", number="R-99"), "-120", {"text": "Hetzner R-99"},
         {"1110": "-120", "2110": "0", "5510": "120"}),
        (
            lambda: make_bill("300", kind=BillKind.TAX, account="6510", supplier="IRS", number="941-Q2"),
            "-300", {"text": "USATAXPYMT 941-Q2"}, {"1110": "-300", "2120": "0", "6510": "300"},
        ),
        (lambda: None, "3.21", {"kind": "interestPayment"}, {"1110": "3.21", "4910": "3.21"}),
        (lambda: None, "-500", {"kind": "internalTransfer"}, {"1110": "-500", "1120": "500"}),
    ],
    ids=["stripe debit", "bill", "tax", "interest", "to savings"],
)  # fmt: skip
def test_confirmation__posts_the_row_of_the_posting_table(mercury_sandbox, make, amount, facts, moved):
    make()
    given = dict(facts)
    deposit(mercury_sandbox, amount, given.pop("text", "x"), **given)
    read(mercury_sandbox)
    match = BankMatch.objects.get()
    if match.state == "suggested":
        match = bank_matches.confirm(match=match, reason="Right", acting=OLGA)

    assert match.state == "confirmed"
    assert {code: account_balance(code) for code in moved} == {code: Decimal(value) for code, value in moved.items()}


@pytest.mark.django_db
def test_transfer_seen_on_both_accounts__is_one_entry(mercury_sandbox):
    mercury_sandbox.control("accounts", id="a1", name="Operating")
    mercury_sandbox.control("accounts", id="a2", name="Reserve", kind="savings")
    deposit(mercury_sandbox, "-500", accountId="a1", kind="internalTransfer")
    deposit(mercury_sandbox, "500", accountId="a2", kind="internalTransfer")
    read(mercury_sandbox)

    bank_matches.confirm(match=BankMatch.objects.get(rule="transfer_pair"), reason="Ours", acting=OLGA)

    assert (account_balance("1110"), account_balance("1120")) == (-500, 500)
    assert JournalEntry.objects.count() == 1


@pytest.mark.django_db
def test_refund_by_wire__is_settled_by_its_line(mercury_sandbox):
    deposit(mercury_sandbox, "50")
    read(mercury_sandbox)
    payment = Payment.objects.get()
    refunds.begin(payment=payment, amount=Decimal(50), acting=SYSTEM)
    refunds.record_sent(payment=payment, refund_id="wire_77", amount=Decimal(50), acting=SYSTEM)
    deposit(mercury_sandbox, "-50", "WIRE OUT wire_77", createdAt=datetime.now(UTC).isoformat())
    read(mercury_sandbox)

    match = bank_matches.confirm(match=suggested("refund"), reason="Sent it", acting=OLGA)

    payment.refresh_from_db()
    assert (payment.state, match.journal_entry_id) == ("refunded", payment.refunds.get().journal_entry_id)
    assert (account_balance("1110"), account_balance("2240")) == (0, 0)
    with pytest.raises(MatchKindWrong):
        bank_matches.unmatch(match=match, reason="x", acting=OLGA)


@pytest.mark.django_db
def test_unmatch__reverses_the_entry_and_frees_both_sides(mercury_sandbox):
    out = make_payout("97.1", "po_abc")
    line_id = deposit(mercury_sandbox, "97.1", "STRIPE po_abc")
    read(mercury_sandbox)
    match = BankMatch.objects.get()
    with pytest.raises(ReasonRequired):
        bank_matches.unmatch(match=match, reason="", acting=OLGA)

    bank_matches.unmatch(match=match, reason="Wrong day", acting=OLGA)

    assert (account_balance("1110"), account_balance("1115")) == (0, 0)
    out.refresh_from_db()
    assert (out.matched_at, BankMatch.objects.get().state) == (None, "undone")
    read(mercury_sandbox)
    assert BankMatch.objects.count() == 1
    by_hand(MatchKind.PAYOUT, [line_id], [Target(TargetKind.PAYOUT, str(out.pk), Decimal("97.1"))])
    assert account_balance("1110") == Decimal("97.1")


def by_hand(kind, line_ids, targets, key: str = "k1", **changes) -> BankMatch:
    given = {
        "kind": kind,
        "lines": [the_line(line_id) for line_id in line_ids],
        "targets": targets,
        "reason": "Seen on the statement",
        "idempotency_key": key,
        "acting": OLGA,
    }
    return bank_matches.match_by_hand(**(given | changes))


def to_payout(row: Payout, amount: str = "") -> Target:
    return Target(TargetKind.PAYOUT, str(row.pk), Decimal(amount) if amount else row.amount)


def to_bill(row: Bill) -> Target:
    return Target(TargetKind.BILL, str(row.pk), -row.amount)


@pytest.mark.django_db
def test_by_hand__one_line_for_many_and_many_for_one(mercury_sandbox):
    bills = [make_bill("30", supplier="A"), make_bill("12.34", supplier="B")]
    together = deposit(mercury_sandbox, "-42.34", "batch")
    halves = [deposit(mercury_sandbox, "-60", "first"), deposit(mercury_sandbox, "-40", "second")]
    large = make_bill("100", supplier="C")
    read(mercury_sandbox)

    by_hand(MatchKind.BILL, [together], [to_bill(row) for row in bills], "k1")
    by_hand(MatchKind.BILL, halves, [to_bill(large)], "k2")

    assert set(Bill.objects.values_list("state", flat=True)) == {"paid"}
    assert (account_balance("1110"), account_balance("2110")) == (Decimal("-142.34"), 0)


@pytest.mark.django_db
def test_by_hand__the_same_key_is_one_match(mercury_sandbox):
    row = make_bill("30")
    line_id = deposit(mercury_sandbox, "-30", "x")
    read(mercury_sandbox)

    first = by_hand(MatchKind.BILL, [line_id], [to_bill(row)])

    assert by_hand(MatchKind.BILL, [line_id], [to_bill(row)]) == first
    assert account_balance("1110") == -30


@pytest.mark.django_db
def test_by_hand__what_does_not_fit_is_refused_and_nothing_is_left(mercury_sandbox):
    out, debit, owed = make_payout("10"), make_payout("-10"), make_bill("10")
    into = deposit(mercury_sandbox, "10", "STRIPE", createdAt="2026-01-02T00:00:00Z")
    pending = deposit(mercury_sandbox, "10", "STRIPE", status="pending")
    read(mercury_sandbox)
    entries, matches = JournalEntry.objects.count(), BankMatch.objects.count()

    for kind, lines, targets, refusal in (
        (MatchKind.PAYOUT, [into], [to_payout(out, "9.99")], SumsDiffer),
        (MatchKind.PAYOUT, [into], [to_payout(debit)], TargetUnknown),
        (MatchKind.PAYOUT, [into], [Target(TargetKind.PAYOUT, "999999", Decimal(10))], TargetUnknown),
        (MatchKind.PAYOUT, [into], [to_bill(owed)], MatchKindWrong),
        (MatchKind.PAYOUT, [into], [], MatchKindWrong),
        (MatchKind.PAYOUT, [], [to_payout(out)], MatchKindWrong),
        (MatchKind.PAYOUT, [pending], [to_payout(out)], LineNotPosted),
        (MatchKind.BILL, [into], [to_bill(owed)], SumsDiffer),
        (MatchKind.TAX, [into], [to_bill(owed)], TargetUnknown),
        (MatchKind.DEPOSIT, [into], [Target(TargetKind.PAYMENT, "1", Decimal(10))], MatchKindWrong),
        (MatchKind.INTEREST, [into], [Target(TargetKind.ACCOUNT, "5930", Decimal(10))], TargetUnknown),
        (MatchKind.TRANSFER, [into], [Target(TargetKind.ACCOUNT, "1110", Decimal(10))], MatchKindWrong),
        (MatchKind.TRANSFER, [into], [], SumsDiffer),
    ):
        with pytest.raises(refusal):
            by_hand(kind, lines, targets)
        assert (JournalEntry.objects.count(), BankMatch.objects.count()) == (entries, matches)


@pytest.mark.django_db
def test_line_and_fact__are_held_by_one_match(mercury_sandbox):
    out = make_payout("10", "po_one")
    first = deposit(mercury_sandbox, "10", "STRIPE po_one")
    second = deposit(mercury_sandbox, "10", "STRIPE other")
    read(mercury_sandbox)

    with pytest.raises(LineTaken):
        bank_matches.ignore(line=the_line(first), reason="x", idempotency_key="a", acting=OLGA)
    with pytest.raises(TargetTaken):
        by_hand(MatchKind.PAYOUT, [second], [to_payout(out)])

    assert account_balance("1110") == 10


@pytest.mark.django_db
def test_duplicate_and_ignored__post_nothing(mercury_sandbox):
    first, second = deposit(mercury_sandbox, "-10", "fee"), deposit(mercury_sandbox, "-10", "fee")
    read(mercury_sandbox)
    match = bank_matches.confirm(match=suggested("duplicate"), reason="Reported twice", acting=OLGA)
    pair = {the_line(first), the_line(second)}
    (kept,) = pair - {match.match_lines.get().line}
    bank_matches.ignore(line=kept, reason="Test of the bank", idempotency_key="b", acting=OLGA)

    assert JournalEntry.objects.count() == 0
    assert sorted(BankMatch.objects.values_list("kind", "state")) == [
        ("duplicate", "confirmed"),
        ("ignored", "confirmed"),
    ]
    with pytest.raises(MatchKindWrong):
        bank_matches.mark_duplicate(
            line=the_line(second), of=the_line(second), reason="x", idempotency_key="c", acting=OLGA
        )


@pytest.mark.django_db
def test_suggestion__that_was_dismissed_is_not_made_again(mercury_sandbox):
    make_bill("30", number="R-77")
    deposit(mercury_sandbox, "-30", "R-77")
    read(mercury_sandbox)
    bank_matches.dismiss(match=suggested("bill"), reason="Another payment", acting=OLGA)

    read(mercury_sandbox)

    assert BankMatch.objects.get().state == "dismissed"
    assert account_balance("2110") == 30


@pytest.mark.django_db
def test_suggestion__whose_line_changed_is_out_of_date(mercury_sandbox):
    make_bill("30", number="R-78")
    now = datetime.now(UTC).isoformat()
    line_id = deposit(mercury_sandbox, "-30", "R-78", createdAt=now)
    read(mercury_sandbox)
    mercury_sandbox.control(f"transactions/{line_id}", amount="-31")
    read(mercury_sandbox)

    with pytest.raises(MatchOutOfDate):
        bank_matches.confirm(match=suggested("bill"), reason="x", acting=OLGA)

    assert account_balance("1110") == 0


@pytest.mark.django_db
def test_questioned_match__may_be_undone(mercury_sandbox):
    make_payout("10", "po_q")
    line_id = deposit(mercury_sandbox, "10", "STRIPE po_q", createdAt=datetime.now(UTC).isoformat())
    read(mercury_sandbox)
    mercury_sandbox.control(f"transactions/{line_id}/remove")
    read(mercury_sandbox)
    match = BankMatch.objects.get()
    assert match.state == "questioned"

    bank_matches.unmatch(match=match, reason="The bank took it back", acting=OLGA)

    assert (account_balance("1110"), account_balance("1115"), Payout.objects.get().matched_at) == (0, 0, None)


# --- what the database refuses, whoever asks


FORGED = """
WITH m AS (
    INSERT INTO treasury_bankmatch (kind, state, rule, score, why, digest, created_by, decided_by, reason, question,
                                    undone_by, undo_reason)
    VALUES ('{kind}', 'suggested', 'x', 1, 'x', 'forged', 'x', '', '', '', '', '') RETURNING id
), l AS (
    INSERT INTO treasury_bankmatchline (match_id, line_id, version_id, amount)
    SELECT m.id, l.id, l.current_id, {amount} FROM m, treasury_bankline l WHERE l.id = {line}
)
INSERT INTO treasury_bankmatchtarget (match_id, kind, target_id, amount)
SELECT m.id, 'payout', '{payout}', {target} FROM m
"""
STEP = (
    "UPDATE treasury_bankmatch SET state = 'confirmed', decided_at = now(), decided_by = 'x',"
    " journal_entry_id = {entry} WHERE digest = 'forged'"
)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"target": "11"},
        {"amount": "11", "target": "11"},
        {"entry": "NULL"},
        {"entry": "(SELECT min(id) FROM treasury_journalentry)"},
        {"kind": "ignored"},
        {"held": True},
        {"payout": "held"},
    ],
    ids=["sums", "other amount", "no entry", "other entry", "explained with entry", "line held", "fact held"],
)
def test_confirmed_match__that_does_not_agree_is_refused_by_the_database(mercury_sandbox, changes):
    held_payout = make_payout("20", "po_held")
    held = deposit(mercury_sandbox, "20", "STRIPE po_held")
    free = deposit(mercury_sandbox, "10", "STRIPE")
    read(mercury_sandbox)
    good = post_many(drafts=[_draft("10")], acting=SYSTEM)[0].pk
    given = {
        "kind": "payout", "amount": "10", "target": "10", "payout": "77", "entry": str(good),
        "line": str(the_line(held if changes.get("held") else free).pk),
    } | changes  # fmt: skip
    if given["payout"] == "held":
        given["payout"] = str(held_payout.pk)
    if changes.get("held"):
        given |= {"amount": "20", "target": "20", "entry": str(post_many(drafts=[_draft("20")], acting=SYSTEM)[0].pk)}

    with pytest.raises(DatabaseError, match="bank match"), transaction.atomic():
        _at_once(FORGED.format(**given), STEP.format(**given))
    assert not BankMatch.objects.filter(digest="forged").exists()


@pytest.mark.django_db
def test_forged_match__that_agrees_is_let_through_so_the_others_fail_for_their_own_reason(mercury_sandbox):
    free = deposit(mercury_sandbox, "10", "STRIPE")
    read(mercury_sandbox)
    good = post_many(drafts=[_draft("10")], acting=SYSTEM)[0].pk
    given = {"kind": "payout", "amount": "10", "target": "10", "payout": "77", "entry": good, "line": the_line(free).pk}

    _at_once(FORGED.format(**given), STEP.format(**given))

    assert BankMatch.objects.get(digest="forged").state == "confirmed"


def _draft(amount: str) -> Draft:
    return Draft(
        lines=[Line.debit("1110", Decimal(amount)), Line.credit("1115", Decimal(amount))],
        occurred_at=datetime(2026, 6, 15, tzinfo=UTC),
        source=Source("test", "1"),
        description="forged",
        idempotency_key=f"forged:{amount}",
    )


def _at_once(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db(transaction=True)
def test_two_operators__confirm_one_match_or_rivals_at_once_and_one_entry_stands(mercury_sandbox):
    make_payout("97.1", "po_abc"), make_payout("97.1", "po_def")
    deposit(mercury_sandbox, "97.1", "STRIPE")
    read(mercury_sandbox)
    first, second = BankMatch.objects.filter(state="suggested").order_by("pk")
    results = at_once(
        *(
            lambda m=match: bank_matches.confirm(match=m, reason="It is", acting=OLGA)
            for match in (first, first, second, second)
        )
    )
    assert codes(results)["done"] == 1
    assert (JournalEntry.objects.count(), account_balance("1110")) == (1, Decimal("97.1"))
