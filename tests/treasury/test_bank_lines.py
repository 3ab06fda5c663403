"""Bank lines as they are read: versions, never overwritten; deposits booked once; what changes is questioned."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from habitat.controls.models import Alert
from habitat.errors import NotAllowed, ReasonRequired
from tests.factories import make_member
from tests.sandboxes import MERCURY_TOKEN
from tests.treasury.banking import NOBODY, OLGA, deposit, later, read, the_line
from treasury.actions import bank, bank_deposits, bank_matches
from treasury.errors import BankAccountBooked, BankAnswerMalformed, BankUnavailable, DepositBooked, LineTaken
from treasury.gateways.mercury import MercuryGateway
from treasury.models import (
    BankAccount,
    BankLine,
    BankLineVersion,
    BankMatch,
    BankReading,
    BankRowAside,
    JournalEntry,
    Payment,
)
from treasury.policies.references import check_digit, member_in, member_reference
from treasury.reports.accounts import account_balance
from treasury.workflows.bank import window

pytestmark = pytest.mark.django_db


def alerts(state: str = "open") -> list[str]:
    return sorted(Alert.objects.filter(code="bank_unmatched", state=state).values_list("cause", flat=True))


# --- reading


def test_reading__writes_accounts_balances_and_lines(mercury_sandbox):
    mercury_sandbox.control(
        "accounts", id="a1", name="Operating", availableBalance="20000.10", currentBalance="20000.10"
    )
    mercury_sandbox.control("accounts", id="a2", name="Reserve", kind="savings", availableBalance="5")
    deposit(mercury_sandbox, "100.25", accountId="a1", status="pending")

    synced = read(mercury_sandbox)

    assert (synced.accounts, synced.new, synced.deposits) == (2, 1, 0)
    assert list(BankAccount.objects.values_list("account_id", "ledger_code", "is_backing")) == [
        ("a1", "1110", True),
        ("a2", "1120", False),
    ]
    assert BankReading.objects.get(account__account_id="a1").available == Decimal("20000.10")
    version = BankLineVersion.objects.get()
    assert (version.number, version.amount, version.status, version.posted_at) == (
        1,
        Decimal("100.25"),
        "pending",
        None,
    )
    assert JournalEntry.objects.count() == 0


def test_reading_again__writes_nothing_but_a_reading(mercury_sandbox):
    deposit(mercury_sandbox, "100")
    read(mercury_sandbox)
    before = (BankLineVersion.objects.count(), JournalEntry.objects.count(), BankMatch.objects.count())

    synced = read(mercury_sandbox)

    assert (synced.new, synced.changed, synced.vanished, synced.deposits) == (0, 0, 0, 0)
    assert (BankLineVersion.objects.count(), JournalEntry.objects.count(), BankMatch.objects.count()) == before
    assert BankReading.objects.count() == 2


def test_pending_line__counts_when_it_is_posted_with_what_it_says_then(mercury_sandbox):
    line_id = deposit(mercury_sandbox, "100", status="pending")
    read(mercury_sandbox)
    mercury_sandbox.control(
        f"transactions/{line_id}",
        status="sent",
        amount="99.5",
        bankDescription="FINAL",
        postedAt="2026-06-17T08:00:00Z",
    )

    synced = read(mercury_sandbox)

    assert (synced.changed, synced.deposits) == (1, 1)
    said = list(the_line(line_id).versions.values_list("number", "status", "amount", "description"))
    assert said == [(1, "pending", Decimal(100), "WIRE IN"), (2, "sent", Decimal("99.5"), "FINAL")]
    assert (account_balance("1110"), account_balance("2240")) == (Decimal("99.5"), Decimal("99.5"))
    assert JournalEntry.objects.get().effective_on.isoformat() == "2026-06-17"


def test_window__reaches_behind_the_last_reading_and_every_pending_line(mercury_sandbox):
    deposit(mercury_sandbox, "1", createdAt="2026-02-01T00:00:00Z", status="pending")
    read(mercury_sandbox)
    account = BankAccount.objects.get()

    assert window(account).isoformat() == "2026-02-01T00:00:00+00:00"
    BankLine.objects.get()
    mercury_sandbox.control(f"transactions/{BankLine.objects.get().line_id}", status="cancelled")
    read(mercury_sandbox)
    account.refresh_from_db()
    assert window(account) == account.read_until - timedelta(days=45)


def test_bank_that_fails__changes_nothing(mercury_sandbox):
    deposit(mercury_sandbox, "1")
    mercury_sandbox.control("faults", fault="500", times=4)

    with pytest.raises(BankUnavailable):
        read(mercury_sandbox)

    assert (BankAccount.objects.count(), BankLine.objects.count()) == (0, 0)


def test_lines_that_fail__are_raised_after_the_others_are_read(mercury_sandbox):
    mercury_sandbox.control("accounts", id="a1", name="Operating")
    mercury_sandbox.control("accounts", id="a2", name="Reserve", kind="savings")
    deposit(mercury_sandbox, "7", accountId="a2", status="pending")
    mercury_sandbox.control("faults", fault="malformed", path="transactions")

    with pytest.raises(BankAnswerMalformed):
        read(mercury_sandbox)

    assert BankLine.objects.get().account.account_id == "a2"
    assert BankAccount.objects.get(account_id="a1").read_until is None


def test_row_without_its_amount__is_kept_aside_and_never_taken_for_vanished(mercury_sandbox):
    now = timezone.now().isoformat()
    good = deposit(mercury_sandbox, "1", createdAt=now)
    bad = deposit(mercury_sandbox, "2", status="pending", createdAt=now)
    read(mercury_sandbox)
    mercury_sandbox.control("faults", fault="missing_field", field="amount", row=0, path="transactions")

    synced = read(mercury_sandbox)

    aside = BankRowAside.objects.get()
    assert (synced.vanished, aside.field) == (0, "amount")
    assert aside.row_id in {good, bad}
    assert alerts() == [f"bank:row:{aside.row_id}"]
    read(mercury_sandbox)
    assert alerts() == []


def test_account_without_its_balance__is_told_until_the_bank_reports_it_whole(mercury_sandbox):
    mercury_sandbox.control("accounts", id="a1", name="Operating")
    mercury_sandbox.control("faults", fault="missing_field", field="availableBalance", row=0, path="accounts")
    read(mercury_sandbox)
    assert alerts() == ["bank:row:a1"]

    read(mercury_sandbox)

    assert alerts() == []


def test_nameless_row__keeps_every_line_from_vanishing(mercury_sandbox):
    deposit(mercury_sandbox, "1", createdAt=timezone.now().isoformat())
    read(mercury_sandbox)
    mercury_sandbox.control("faults", fault="missing_field", field="id", path="transactions")

    assert read(mercury_sandbox).vanished == 0
    assert the_line(BankLine.objects.get().line_id).current.status == "sent"


# --- changes after posting


def test_vanished_line__is_a_version_and_questions_its_match(mercury_sandbox):
    line_id = deposit(mercury_sandbox, "100", createdAt=timezone.now().isoformat())
    read(mercury_sandbox)
    match = BankMatch.objects.get()
    mercury_sandbox.control(f"transactions/{line_id}/remove")

    assert read(mercury_sandbox).vanished == 1

    match.refresh_from_db()
    assert list(the_line(line_id).versions.values_list("status", flat=True)) == ["sent", "vanished"]
    assert match.state == "questioned"
    assert "was 100 USD sent and is 100 USD vanished now" in match.question
    assert alerts() == [f"bank:match:{match.pk}"]
    assert account_balance("1110") == 100


def test_line_that_comes_back__settles_the_question_by_itself(mercury_sandbox):
    line_id = deposit(mercury_sandbox, "100", createdAt=timezone.now().isoformat())
    read(mercury_sandbox)
    mercury_sandbox.control(f"transactions/{line_id}", status="pending")
    read(mercury_sandbox)
    assert BankMatch.objects.get().state == "questioned"
    mercury_sandbox.control(f"transactions/{line_id}", status="sent")

    read(mercury_sandbox)

    assert (BankMatch.objects.get().state, BankMatch.objects.get().question, alerts()) == ("confirmed", "", [])
    assert JournalEntry.objects.count() == 1


def test_other_amount__questions_the_match_other_words_do_not(mercury_sandbox):
    line_id = deposit(mercury_sandbox, "100", createdAt=timezone.now().isoformat())
    read(mercury_sandbox)
    mercury_sandbox.control(f"transactions/{line_id}", bankDescription="OTHER WORDS")
    read(mercury_sandbox)
    assert (BankMatch.objects.get().state, the_line(line_id).current.number) == ("confirmed", 2)

    mercury_sandbox.control(f"transactions/{line_id}", amount="90")
    read(mercury_sandbox)

    assert BankMatch.objects.get().state == "questioned"
    assert (Payment.objects.count(), account_balance("1110")) == (1, 100)


# --- deposits


def test_deposit_with_a_reference__is_that_members_payment(mercury_sandbox):
    member = make_member("Ada")
    line_id = deposit(mercury_sandbox, "250.00", externalMemo=f"credits {member_reference(member.pk)} thanks")

    synced = read(mercury_sandbox)

    payment = Payment.objects.get()
    assert (synced.deposits, payment.member, payment.amount, payment.reference) == (1, member, Decimal(250), line_id)
    match = BankMatch.objects.get()
    assert (match.kind, match.state, match.journal_entry) == ("deposit", "confirmed", payment.journal_entry)
    assert (account_balance("1110"), account_balance("2240")) == (250, 250)


def test_deposit_without_a_reference__is_nobodys_payment(mercury_sandbox):
    deposit(mercury_sandbox, "250")

    read(mercury_sandbox)

    assert Payment.objects.get().member is None
    assert account_balance("2240") == 250


@pytest.mark.parametrize(
    "facts",
    [
        {"bankDescription": "STRIPE TRANSFER po_9"},
        {"counterpartyName": "Stripe"},
        {"kind": "internalTransfer"},
        {"kind": "interestPayment"},
        {"amount": "-250"},
        {"status": "failed"},
        {"status": "cancelled"},
    ],
)
def test_line_that_is_no_deposit__is_not_booked(mercury_sandbox, facts):
    given = {"amount": "250"} | facts
    deposit(mercury_sandbox, given.pop("amount"), **given)

    assert read(mercury_sandbox).deposits == 0
    assert (Payment.objects.count(), JournalEntry.objects.count()) == (0, 0)


def test_same_words_on_one_day__are_a_suspected_duplicate_until_a_person_says(mercury_sandbox):
    first, second = deposit(mercury_sandbox, "50"), deposit(mercury_sandbox, "50")

    assert read(mercury_sandbox).deposits == 1

    suspected = BankMatch.objects.get(kind="duplicate")
    assert (suspected.state, the_line(first).pk != the_line(second).pk) == ("suggested", True)
    assert account_balance("2240") == 50
    bank_matches.dismiss(match=suspected, reason="Two wires indeed", acting=OLGA)
    assert read(mercury_sandbox).deposits == 1
    assert account_balance("2240") == 100


def test_deposit__goes_back_as_a_refund_and_is_never_unmatched(mercury_sandbox):
    deposit(mercury_sandbox, "50")
    read(mercury_sandbox)

    with pytest.raises(DepositBooked):
        bank_matches.unmatch(match=BankMatch.objects.get(), reason="oops", acting=OLGA)

    assert (BankMatch.objects.get().state, JournalEntry.objects.count()) == ("confirmed", 1)


def test_deposit__is_booked_once_however_often_it_is_asked(mercury_sandbox):
    line_id = deposit(mercury_sandbox, "50")
    read(mercury_sandbox)

    with pytest.raises(LineTaken):
        bank_deposits.book(line=the_line(line_id), acting=OLGA)
    assert Payment.objects.count() == 1


# --- references


@pytest.mark.parametrize("number", [1, 7, 123, 999_999, 1_000_000, 123_456_789])
def test_reference__is_read_back_however_a_bank_spells_it(number):
    reference = member_reference(number)

    for text in (
        reference,
        reference.lower(),
        reference.replace("-", ""),
        f"wire {reference.replace('-', ' ')}, thanks",
    ):
        assert member_in(text) == number


def test_reference__with_one_wrong_digit_or_two_swapped_names_nobody():
    reference = member_reference(4711)
    digits = [position for position, letter in enumerate(reference) if letter.isdigit()]
    for position in digits:
        for other in "0123456789":
            if other != reference[position]:
                assert member_in(reference[:position] + other + reference[position + 1 :]) is None
    for left, right in zip(digits, digits[1:], strict=False):
        if reference[left] != reference[right]:
            swapped = list(reference)
            swapped[left], swapped[right] = swapped[right], swapped[left]
            assert member_in("".join(swapped)) is None


def test_reference__of_two_members_names_neither():
    assert member_in(f"{member_reference(1)} {member_reference(2)}") is None
    assert member_in(f"{member_reference(1)} {member_reference(1)}") == 1
    assert member_in(f"REHAB{member_reference(1)[4:]}") is None
    assert check_digit("572") == "4"


# --- alerts and accounts


def test_line_that_waits_too_long__raises_an_alert_that_closes_by_itself(mercury_sandbox):
    line_id = deposit(mercury_sandbox, "-30", "ACME", createdAt=timezone.now().isoformat())
    read(mercury_sandbox)
    assert alerts() == []

    read(mercury_sandbox, later(4))
    assert alerts() == [f"bank:line:{the_line(line_id).pk}"]

    bank_matches.ignore(line=the_line(line_id), reason="Bank fee test", idempotency_key="i1", acting=OLGA)
    assert (alerts(), len(alerts("resolved"))) == ([], 1)
    read(mercury_sandbox, later(5))
    assert alerts() == []


def test_account__stands_for_what_a_person_says_until_it_is_booked(mercury_sandbox):
    deposit(mercury_sandbox, "5", status="pending")
    read(mercury_sandbox)
    account = BankAccount.objects.get()

    bank.assign(account=account, ledger_code="1120", is_backing=True, reason="It is the reserve", acting=OLGA)
    account.refresh_from_db()
    assert (account.ledger_code, account.is_backing) == ("1120", True)
    for changes, refusal in (({"reason": " "}, ReasonRequired), ({"acting": NOBODY}, NotAllowed)):
        given = {
            "account": account,
            "ledger_code": "1110",
            "is_backing": False,
            "reason": "x",
            "acting": OLGA,
        } | changes
        with pytest.raises(refusal):
            bank.assign(**given)
    bank.assign(account=account, ledger_code="1110", is_backing=True, reason="No", acting=OLGA)
    deposit(mercury_sandbox, "6")
    read(mercury_sandbox)
    with pytest.raises(BankAccountBooked):
        bank.assign(account=account, ledger_code="1120", is_backing=True, reason="Again", acting=OLGA)
    assert BankAccount.objects.get().ledger_code == "1110"


def test_reading__needs_its_right(mercury_sandbox):
    gateway = MercuryGateway(base=mercury_sandbox.url, token=MERCURY_TOKEN)
    with pytest.raises(NotAllowed):
        bank.record_accounts(rows=gateway.accounts().rows, read_at=timezone.now(), acting=NOBODY)


# --- what the database refuses


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE treasury_banklineversion SET amount = 1",
        "DELETE FROM treasury_banklineversion",
        "UPDATE treasury_bankreading SET available = 1",
        "UPDATE treasury_bankline SET line_id = 'x'",
        "UPDATE treasury_bankline SET current_id = NULL",
        "DELETE FROM treasury_bankline",
        "UPDATE treasury_bankaccount SET account_id = 'x'",
        "UPDATE treasury_bankaccount SET ledger_code = '1120'",
        "UPDATE treasury_bankmatch SET state = 'suggested'",
        "UPDATE treasury_bankmatch SET reason = 'other'",
        "UPDATE treasury_bankmatch SET kind = 'ignored'",
        "UPDATE treasury_bankmatchline SET amount = 1",
        "DELETE FROM treasury_bankmatchtarget",
        "INSERT INTO treasury_bankmatchtarget (match_id, kind, target_id, amount)"
        " SELECT id, 'payout', '1', 5 FROM treasury_bankmatch",
        "INSERT INTO treasury_bankmatch (kind, state, rule, score, why, digest, created_by, decided_by, reason,"
        " question, undone_by, undo_reason, decided_at)"
        " VALUES ('ignored', 'confirmed', '', 1, '', 'd', '', 'x', '', '', '', '', now())",
        "INSERT INTO treasury_banklineversion (line_id, number, amount, status, kind, counterparty, description,"
        " reference, payload, seen_at) SELECT id, 9, 5, 'pending', '', '', '', '', '{}', now() FROM treasury_bankline",
    ],
)
def test_rewriting__is_refused_by_the_database(mercury_sandbox, sql):
    deposit(mercury_sandbox, "100")
    read(mercury_sandbox)
    before = list(BankLineVersion.objects.values_list("amount", "status"))

    with pytest.raises(DatabaseError), transaction.atomic():
        _at_once(sql)

    assert list(BankLineVersion.objects.values_list("amount", "status")) == before


def _at_once(sql: str) -> None:
    """Also what is judged at commit."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
