"""Reconciliation: what is found, kept, opened, refreshed, closed; who may, and what the database refuses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from habitat.controls.models import Alert
from habitat.errors import NotAllowed, ReasonRequired
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.members.people import acting_as, active, trusted
from treasury.actions import reconciliation
from treasury.errors import ExceptionSettled, OwnerMustBeMember
from treasury.models import ExceptionNote, ReconciliationException, ReconciliationRun
from treasury.policies.reconciliation import (
    AccountSide,
    BackingInputs,
    BackingTerm,
    BankInputs,
    LineSide,
    MovementSide,
    RunKind,
    StripeInputs,
    Trouble,
    findings,
    missing_of,
    written,
)

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BANK = BankInputs(
    as_of=MIDNIGHT,
    days=3,
    payout_days=3,
    accounts=(AccountSide("1110", "Checking", Decimal(1000), Decimal(1000), Decimal(0), MIDNIGHT),),
    unbooked=(),
    changed=(),
    duplicates=(),
    aside=(),
    payouts=(),
)
STRIPE = StripeInputs(
    as_of=MIDNIGHT,
    ledger=Decimal("970.70"),
    available=Decimal("500.70"),
    pending=Decimal(300),
    read_at=MIDNIGHT,
    in_transit=Decimal(150),
    refunds=Decimal(20),
    limit=Decimal(0),
    unbooked=(),
    unknown=(),
    failed_events=(),
    warn_hours=26,
)
BACKING = BackingInputs(
    as_of=MIDNIGHT,
    band="healthy",
    required=Decimal(1000),
    held=Decimal(1070),
    ratio=Decimal(107),
    terms=(BackingTerm("Mercury", Decimal(1070), "Mercury", MIDNIGHT),),
    warn_hours=26,
)


def line(amount: str, *, days: float, number: int = 7, why: str = "") -> LineSide:
    return LineSide(number, "1110", Decimal(amount), MIDNIGHT - days * DAY, "A payer", why)


def held(amount: str | None) -> tuple[AccountSide, ...]:
    return (replace(BANK.accounts[0], held=None if amount is None else Decimal(amount)),)


def causes(kind: RunKind, inputs: object) -> list[tuple[str, str, Decimal | None]]:
    return [(f.kind.value, f.cause, f.amount) for f in findings(kind, written(inputs))]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        # A line that waits explains its difference, and is nobody's trouble until it is too old.
        ({"accounts": held("1050"), "unbooked": (line("50", days=1),)}, []),
        ({"accounts": held("1050"), "unbooked": (line("50", days=3),)}, []),
        (
            {"accounts": held("1050"), "unbooked": (line("50", days=3.01),)},
            [("line_unmatched", "line:7", Decimal(50))],
        ),
        ({"accounts": held("1050"), "unbooked": (line("50", days=30, why="a test of the bank's"),)}, []),
        ({"accounts": held("1000.01")}, [("bank_balance_differs", "account:1110", Decimal("-0.01"))]),
        ({"accounts": held("999.99")}, [("bank_balance_differs", "account:1110", Decimal("0.01"))]),
        ({"accounts": held(None)}, [("reading_missing", "account:1110", Decimal(1000))]),
        (
            {"payouts": (Trouble("po_1", "", MIDNIGHT - 4 * DAY, Decimal(150)),)},
            [("payout_not_seen", "payout:po_1", Decimal(150))],
        ),
        ({"payouts": (Trouble("po_1", "", MIDNIGHT - 3 * DAY, Decimal(150)),)}, []),
        ({"changed": (Trouble("4", "It says 3", MIDNIGHT),)}, [("line_changed", "match:4", None)]),
        ({"duplicates": (Trouble("5", "Twins", MIDNIGHT),)}, [("line_duplicate", "twin:5", None)]),
        ({"aside": (Trouble("6", "No amount", MIDNIGHT),)}, [("bank_row_unreadable", "row:6", None)]),
    ],
)
def test_bank__finds(changes, expected):
    assert causes(RunKind.BANK, replace(BANK, **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"ledger": Decimal("970.71")}, [("stripe_balance_differs", "account:1115", Decimal("0.01"))]),
        ({"in_transit": Decimal(0)}, [("stripe_balance_differs", "account:1115", Decimal(150))]),
        ({"refunds": Decimal(0)}, [("stripe_balance_differs", "account:1115", Decimal(20))]),
        ({"ledger": Decimal("970.71"), "limit": Decimal("0.01")}, []),
        ({"available": Decimal("-100"), "ledger": Decimal(370)}, []),
        (
            {"read_at": None, "available": None, "pending": None},
            [("reading_missing", "reading:stripe", Decimal("970.70"))],
        ),
        ({"read_at": MIDNIGHT - timedelta(hours=26, seconds=1)}, [("reading_stale", "reading:stripe", None)]),
        (
            {"unbooked": (MovementSide("txn_1", "charge", Decimal(9), MIDNIGHT, "the books know no payment of it"),)},
            [("movement_not_booked", "movement:txn_1", Decimal(9))],
        ),
        (
            {"unknown": (Trouble("pi_1", "Gone", MIDNIGHT, Decimal(10)),)},
            [("payment_not_at_stripe", "payment:pi_1", Decimal(10))],
        ),
        ({"failed_events": (Trouble("evt_1", "It failed", MIDNIGHT),)}, [("webhook_failed", "event:evt_1", None)]),
    ],
)
def test_stripe__finds(changes, expected):
    assert causes(RunKind.STRIPE, replace(STRIPE, **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"band": "excess"}, []),
        ({"band": "shortfall", "held": Decimal(950)}, [("backing_shortfall", "backing:shortfall", Decimal(-50))]),
        ({"band": "low", "held": Decimal(1020)}, [("backing_low", "backing:low", Decimal(20))]),
        ({"band": "unknown", "ratio": None}, [("backing_unknown", "backing:unknown", Decimal(70))]),
        (
            {"terms": (BackingTerm("Mercury", Decimal(1070), "Mercury", MIDNIGHT - timedelta(hours=27)),)},
            [("reading_stale", "reading:Mercury:Mercury", Decimal(1070))],
        ),
    ],
)
def test_backing__finds(changes, expected):
    assert causes(RunKind.BACKING, replace(BACKING, **changes)) == expected


@pytest.mark.parametrize(
    ("kind", "fee", "found", "has_entry", "missing"),
    [
        ("charge", "29.30", {"payment"}, True, ""),
        ("charge", "29.30", {"payment"}, False, "its fee is not booked"),
        ("charge", "0", {"payment"}, False, ""),
        ("payment", "0", set(), False, "the books know no payment of it"),
        ("refund", "0", {"refund"}, False, ""),
        ("refund", "0", set(), True, "the books know no refund of it"),
        ("payout", "0", {"payout"}, False, ""),
        ("payout", "0", set(), False, "the books know no payout of it"),
        ("adjustment", "15", {"dispute"}, False, ""),
        ("adjustment", "15", set(), True, ""),
        ("adjustment", "15", set(), False, "no entry books it"),
        ("stripe_fee", "0", set(), True, ""),
        ("something_new", "0", set(), False, "no entry books it"),
    ],
)
def test_movement__must_be_found_in_the_books(kind, fee, found, has_entry, missing):
    assert missing_of(type=kind, fee=Decimal(fee), found=frozenset(found), has_entry=has_entry) == missing


# --- runs and exceptions


pytestmark = pytest.mark.django_db

DIFFERS = replace(BANK, accounts=held("1000.01"))


def keep(inputs: BankInputs = DIFFERS, *, at: datetime = MIDNIGHT) -> ReconciliationRun:
    return reconciliation.keep(kind=RunKind.BANK, as_of=at, inputs=replace(inputs, as_of=at), acting=SYSTEM)


@pytest.fixture
def operator():
    return acting_as(trusted(Role.OPERATIONS))


def test_keep__stores_inputs_and_result_and_opens_one_exception_a_cause():
    run = keep()

    assert (run.found, run.result[0]["cause"], run.result[0]["amount"]) == (1, "account:1110", "-0.01")
    assert run.inputs["accounts"][0]["held"] == "1000.01"
    opened = ReconciliationException.objects.get()
    assert (opened.state, opened.times, opened.opened_run, opened.last_run) == ("open", 1, run, run)
    assert opened.amount == Decimal("-0.01")
    assert opened.message == (
        "1110 stands at 1000.00 USD, the bank holds 1000.01 USD; 0 lines not booked explain 0.00 USD, "
        "-0.01 USD is not explained."
    )
    assert opened.remedy.startswith("Look for an entry without a bank line")


def test_keep__found_again_is_the_same_exception_with_newer_figures():
    first = keep()
    second = keep(replace(BANK, accounts=held("1002")), at=MIDNIGHT + DAY)

    row = ReconciliationException.objects.get()
    assert (row.times, row.opened_run, row.last_run, row.amount) == (2, first, second, Decimal(-2))


def test_keep__gone_closes_by_itself_and_comes_back_as_a_new_one():
    keep()
    agreed = keep(BANK, at=MIDNIGHT + DAY)

    row = ReconciliationException.objects.get()
    assert (row.state, row.resolved_by, row.resolution) == ("resolved", "Habitat", reconciliation.GONE)
    assert row.resolved_run == agreed

    keep(at=MIDNIGHT + 2 * DAY)
    assert list(ReconciliationException.objects.order_by("id").values_list("state", flat=True)) == ["resolved", "open"]


def test_keep__an_earlier_moment_changes_no_exception():
    keep(at=MIDNIGHT + DAY)
    keep(BANK, at=MIDNIGHT)

    assert ReconciliationException.objects.get().state == "open"
    keep(replace(BANK, accounts=held(None)), at=MIDNIGHT)
    assert ReconciliationException.objects.count() == 1
    assert ReconciliationRun.objects.count() == 3


def test_keep__leaves_exceptions_of_other_kinds_alone():
    keep()
    reconciliation.keep(kind=RunKind.STRIPE, as_of=MIDNIGHT + DAY, inputs=STRIPE, acting=SYSTEM)

    assert ReconciliationException.objects.get().state == "open"


def test_keep__raises_and_closes_the_alert_of_a_drift():
    drifted = replace(STRIPE, in_transit=Decimal(0))
    reconciliation.keep(kind=RunKind.STRIPE, as_of=MIDNIGHT, inputs=drifted, acting=SYSTEM)
    assert set(Alert.objects.values_list("code", "state")) == {("stripe_clearing_drift", "open")}

    reconciliation.keep(kind=RunKind.STRIPE, as_of=MIDNIGHT + DAY, inputs=STRIPE, acting=SYSTEM)
    assert set(Alert.objects.values_list("state", flat=True)) == {"resolved"}


def test_keep__asks_for_the_permission():
    with pytest.raises(NotAllowed):
        reconciliation.keep(kind=RunKind.BANK, as_of=MIDNIGHT, inputs=BANK, acting=acting_as(active()))

    assert not ReconciliationRun.objects.exists()


def test_exception__is_owned_noted_and_resolved_with_a_reason(all_roles, operator):
    keep()
    exception = ReconciliationException.objects.get()

    reconciliation.own(exception=exception, acting=operator)
    reconciliation.note(exception=exception, text=" The bank was called. ", acting=operator)
    reconciliation.resolve(exception=exception, reason="The bank corrects it tomorrow", acting=operator)

    exception.refresh_from_db()
    assert (exception.owner_id, exception.state, exception.resolved_by) == (operator.id, "resolved", operator.name)
    assert exception.resolution == "The bank corrects it tomorrow"
    assert list(ExceptionNote.objects.values_list("text", "author")) == [("The bank was called.", operator.label)]
    with pytest.raises(ExceptionSettled):
        reconciliation.resolve(exception=exception, reason="again", acting=operator)
    with pytest.raises(ExceptionSettled):
        reconciliation.own(exception=exception, acting=operator)
    reconciliation.note(exception=exception, text="It came.", acting=operator)


def test_exception__refusals_change_nothing(all_roles, operator):
    keep()
    exception = ReconciliationException.objects.get()

    with pytest.raises(OwnerMustBeMember):
        reconciliation.own(exception=exception, acting=SYSTEM)
    with pytest.raises(ReasonRequired):
        reconciliation.resolve(exception=exception, reason=" ", acting=operator)
    with pytest.raises(ReasonRequired):
        reconciliation.note(exception=exception, text="", acting=operator)
    plain = acting_as(active())
    for verb in (
        lambda: reconciliation.own(exception=exception, acting=plain),
        lambda: reconciliation.note(exception=exception, text="x", acting=plain),
        lambda: reconciliation.resolve(exception=exception, reason="x", acting=plain),
    ):
        with pytest.raises(NotAllowed):
            verb()

    exception.refresh_from_db()
    assert (exception.state, exception.owner_id, exception.notes.count()) == ("open", None, 0)


@pytest.fixture
def all_roles():
    """Every floor's permissions in the groups."""
    from habitat.members.actions import roles
    from habitat.site.workflows.roles import grants

    roles.sync(grants())


TABLES = ("reconciliationrun", "reconciliationexception", "exceptionnote")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE treasury_reconciliationrun SET found = 0",
        "DELETE FROM treasury_reconciliationrun",
        "UPDATE treasury_reconciliationexception SET cause = 'another'",
        "UPDATE treasury_reconciliationexception SET opened_run_id = opened_run_id + 1",
        "DELETE FROM treasury_reconciliationexception",
        "UPDATE treasury_reconciliationexception SET state = 'open', resolved_at = NULL, resolution = '',"
        " resolved_by = '' WHERE state = 'resolved'",
        "UPDATE treasury_reconciliationexception SET resolution = 'never mind' WHERE state = 'resolved'",
        "UPDATE treasury_reconciliationexception SET state = 'resolved' WHERE state = 'open'",
        "UPDATE treasury_exceptionnote SET text = 'another'",
        "DELETE FROM treasury_exceptionnote",
        "INSERT INTO treasury_exceptionnote (exception_id, text, author, author_name)"
        " SELECT id, '  ', 'x', 'x' FROM treasury_reconciliationexception LIMIT 1",
    ],
)
def test_rewriting__is_refused(sql):
    keep(replace(DIFFERS, changed=(Trouble("4", "It says 3", MIDNIGHT),)))
    first = ReconciliationException.objects.order_by("id").first()
    reconciliation.note(exception=first, text="Seen", acting=SYSTEM)
    reconciliation.resolve(exception=first, reason="Explained", acting=SYSTEM)
    before = snapshot()

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert snapshot() == before


def test_one_cause__is_open_once():
    run = keep()
    row = ReconciliationException.objects.get()
    row.pk = None
    row._state.adding = True

    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()

    assert ReconciliationException.objects.get().opened_run == run


def snapshot() -> list[list[tuple]]:
    rows = []
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM treasury_{table} ORDER BY id")
            rows.append(cursor.fetchall())
    return rows
