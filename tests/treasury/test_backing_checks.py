"""Checks and the switch: what a check keeps, which flag it moves, whom it tells, and what the database refuses."""

from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from habitat.controls.actions import settings as runtime_settings
from habitat.controls.models import Alert
from habitat.errors import ReasonRequired
from habitat.events.models import Event
from habitat.members.policies.actors import SYSTEM
from tests.factories import actor, make_member
from tests.treasury.money_in import received
from tests.treasury.reserves import ago, bank_read, check, flags, owe, paid_by_card, payout, stripe_read
from treasury.actions import backing as actions
from treasury.errors import MintingSuspended, SwitchAlreadySo
from treasury.models import BackingCheck, BackingRequest, BankReading, MintSwitchChange
from treasury.policies.backing import Band
from treasury.policies.settings import READING_SUSPENDS
from treasury.reports import backing as reports
from treasury.reports.proofs import latest_check_agrees_with_the_books, mint_flags_equal_their_last_change
from treasury.workflows import backing as workflow

pytestmark = pytest.mark.django_db


def told(prefix: str) -> list[str]:
    return list(Event.objects.filter(name__startswith=prefix).order_by("id").values_list("name", flat=True))


def open_alerts() -> set[tuple[str, str]]:
    return set(Alert.objects.exclude(state="resolved").values_list("code", "cause"))


def commit(sql: str) -> None:
    """Runs it with what COMMIT would check."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def suspended() -> bool:
    return isinstance(reports.mint_allowed(new_cash=True, amount=Decimal(1)), MintingSuspended)


def test_check__keeps_every_term_with_source_and_time():
    owe("1000")
    bank_read("900")
    stripe_read("100", "60")
    paid_by_card("40", 5)
    payout("30", 3)
    kept = check()
    assert (kept.outstanding, kept.in_flight, kept.required) == (Decimal(1000), Decimal(40), Decimal(1040))
    assert (kept.held, kept.settled_held) == (Decimal(1100), Decimal(1000))
    assert (kept.ratio, kept.settled_ratio, kept.band) == (Decimal("105.7692"), Decimal("96.1538"), "healthy")
    assert {(term["name"], term["amount"]) for term in kept.terms} == {
        ("bank", "900"),
        ("bank_since", "0"),
        ("stripe_available", "100"),
        ("stripe_pending", "60"),
        ("stripe_since", "10"),
        ("payouts_in_transit", "30"),
    }
    assert all(term["source"] and term["read_at"] for term in kept.terms)
    assert told("backing.") == ["backing.checked"]
    assert latest_check_agrees_with_the_books().ok


def test_proof_of_the_latest_check__knows_its_own_transactions_later_entries(superuser_dsn):
    owe("1000")
    with psycopg.connect(superuser_dsn, autocommit=True) as elsewhere:
        # A later transaction ends first: a snapshot taken now has it, and so reaches beyond our own number.
        elsewhere.execute("SELECT pg_current_xact_id()")
    bank_read("2000")
    check()
    owe("500")
    assert latest_check_agrees_with_the_books().ok


def test_shortfall__suspends_and_tells__and_a_later_check_resumes_by_itself():
    owe("1000")
    bank_read("950")
    assert check().band == "shortfall"
    assert flags() == (False, True)
    assert suspended()
    assert open_alerts() == {("treasury_backing_shortfall", "backing")}
    paid_by_card("500", 2)
    check()
    bank_read("1100", minutes=0)
    stripe_read("0", "500", minutes=0)
    assert check().band == "healthy"
    assert flags() == (True, True)
    assert not suspended()
    assert open_alerts() == set()
    assert told("minting.") == ["minting.suspended", "minting.resumed"]
    assert mint_flags_equal_their_last_change().ok


def test_payments_in_a_shortfall__do_not_cure_it():
    owe("1000")
    bank_read("950")
    stripe_read("0")
    for _ in range(3):
        paid_by_card("1000", 1)
    assert check().band == "shortfall"
    assert flags() == (False, True)


def test_low__warns_and_mints_on():
    owe("1000")
    bank_read("1000")
    assert check().band == "low"
    assert (flags(), open_alerts()) == ((True, True), {("backing_low", "backing")})
    bank_read("1050", minutes=0)
    check()
    assert open_alerts() == set()


@pytest.mark.parametrize(
    ("hours", "alerts", "automatic"),
    [(25, set(), True), (27, {("reading_stale", "bank")}, True), (49, {("reading_stale", "bank")}, False)],
)
def test_age_of_a_reading__warns_then_suspends(hours, alerts, automatic):
    owe("1000", 60 * 24 * 4)
    bank_read("2000", minutes=hours * 60)
    assert check().band == "excess"
    assert (open_alerts(), flags()) == (alerts, (automatic, True))
    bank_read("2000", minutes=0)
    check()
    assert (open_alerts(), flags()) == (set(), (True, True))


def test_age_of_a_reading__follows_the_setting():
    bank_read("2000", minutes=180)
    runtime_settings.change(key=READING_SUSPENDS, value=2, reason="x", acting=SYSTEM)
    check()
    assert flags() == (False, True)


def test_nothing_ever_read__nothing_is_minted():
    kept = check()
    assert kept.band == Band.HEALTHY
    assert kept.ratio is None
    assert flags() == (False, True)
    owe("10")
    assert check().band == Band.UNKNOWN


MANUAL_STEPS = [
    # what happens, automatic, manual, told in total
    ("shortfall", False, True, ["minting.suspended"]),
    ("by hand off", False, False, ["minting.suspended"]),
    ("restored", True, False, ["minting.suspended"]),
    ("shortfall", False, False, ["minting.suspended"]),
    ("by hand on", False, True, ["minting.suspended"]),
    ("restored", True, True, ["minting.suspended", "minting.resumed"]),
    ("by hand off", True, False, ["minting.suspended", "minting.resumed", "minting.suspended"]),
    ("restored", True, False, ["minting.suspended", "minting.resumed", "minting.suspended"]),
]


def test_two_flags__neither_clears_the_other():
    owe("1000")
    for what, automatic, manual, events in MANUAL_STEPS:
        if what == "shortfall":
            bank_read("900", minutes=0)
            check()
        elif what == "restored":
            bank_read("2000", minutes=0)
            check()
        elif what == "by hand off":
            actions.suspend_minting(reason="audit", acting=SYSTEM)
        else:
            actions.resume_minting(reason="audit done", acting=SYSTEM)
        assert flags() == (automatic, manual), what
        assert told("minting.") == events, what
        assert suspended() is not (automatic and manual)
    assert mint_flags_equal_their_last_change().ok


def test_by_hand__needs_right_reason_and_another_state():
    member = make_member()
    for attempt in (
        lambda: actions.suspend_minting(reason="x", acting=actor(member)),
        lambda: actions.suspend_minting(reason=" ", acting=actor(member, "treasury.switch_minting")),
        lambda: actions.resume_minting(reason="x", acting=actor(member, "treasury.switch_minting")),
    ):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - judged below
            attempt()
        assert caught.type.__name__ in {"NotAllowed", ReasonRequired.__name__, SwitchAlreadySo.__name__}
    assert (flags(), MintSwitchChange.objects.count()) == ((True, True), 0)


def test_check_of_an_earlier_moment__moves_and_alerts_nothing():
    owe("1000", 60 * 24 * 3)
    bank_read("2000", minutes=0)
    check()
    BankReading.objects.create(account=BankReading.objects.get().account, available=1, current=1, read_at=ago(60 * 24))
    kept = actions.record_check(trigger="daily", acting=SYSTEM, as_of=ago(60 * 24 + 1))
    assert kept.band == "shortfall"
    assert (flags(), open_alerts()) == ((True, True), set())


def test_requests__however_many__are_answered_by_one_check():
    bank_read("1")
    for _ in range(5):
        actions.request_check(trigger="cloud.minted", acting=SYSTEM)
    assert workflow.drain() == 5
    assert (BackingCheck.objects.count(), BackingRequest.objects.count()) == (1, 0)
    assert workflow.drain() == 0
    assert BackingCheck.objects.count() == 1


def test_turn__over_asks_for_another(monkeypatch):
    bank_read("1")
    woken: list[str] = []
    monkeypatch.setattr(workflow.queue, "wake", woken.append)
    actions.request_check(trigger="cloud.minted", acting=SYSTEM)
    monkeypatch.setattr(workflow, "TURN_SECONDS", 0)
    assert (workflow.drain(), woken) == (0, [workflow.QUEUE])
    monkeypatch.setattr(workflow, "TURN_SECONDS", 10)
    assert (workflow.drain(), woken) == (1, [workflow.QUEUE])


def test_daily_check__is_made_once():
    bank_read("1")
    due = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    workflow.check_of_the_day(due)
    workflow.check_of_the_day(due)
    [kept] = BackingCheck.objects.all()
    assert (kept.as_of, kept.books_until, kept.trigger) == (due, due.date(), "daily")


def test_recheck__only_while_minting_is_off():
    bank_read("1")
    workflow.recheck(timezone.now())
    assert BackingCheck.objects.count() == 0
    owe("1000")
    check()
    bank_read("3000", minutes=0)
    workflow.recheck(timezone.now())
    assert flags() == (True, True)


def test_history__has_the_last_check_of_each_day():
    bank_read("10", minutes=60 * 24 * 4)
    days = [timezone.now() - timedelta(days=back) for back in (2, 1, 0)]
    for day in days:
        for minutes in (2, 1):
            actions.record_check(trigger="test", acting=SYSTEM, as_of=day - timedelta(seconds=minutes))
    found = reports.history(end=timezone.now(), days=30)
    assert [row.as_of for row in found][-1] == days[-1] - timedelta(seconds=1)
    assert len({row.as_of.date() for row in found}) == len(found)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE treasury_mintswitch SET manual = false",
        "UPDATE treasury_mintswitch SET automatic = true",
        "DELETE FROM treasury_mintswitch",
        "INSERT INTO treasury_mintswitch (id) VALUES (2)",
        "UPDATE treasury_mintswitchchange SET reason = 'other'",
        "DELETE FROM treasury_mintswitchchange",
        "UPDATE treasury_backingcheck SET band = 'healthy'",
        "DELETE FROM treasury_backingcheck",
    ],
)
def test_database__refuses_what_no_verb_does(sql):
    bank_read("1")
    owe("10")
    check()
    with pytest.raises(DatabaseError), transaction.atomic():
        commit(sql)
    assert flags() == (False, True)


def test_proof_of_the_latest_check__counts_no_later_entry_of_its_own_transaction(owner_connection):
    """Once anybody else has committed, a transaction's own number counts as visible in the snapshots it takes."""
    received("10")
    owner_connection.execute("SELECT pg_current_xact_id()")
    actions.record_check(trigger="test", acting=SYSTEM)
    received("20")
    assert latest_check_agrees_with_the_books().ok
