"""What the database itself refuses of usage that is old, not yet, or under an approval that is not its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, transaction

from cloud_credits.actions import metering, movements
from cloud_credits.actions.metering import request_late_usage
from cloud_credits.actions.redemptions import redemption
from cloud_credits.models import ResourceUsage
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.controls.reports.service_keys import actor_of
from habitat.members.policies.actors import SYSTEM
from tests.cloud_credits.ledger import holds
from tests.cloud_credits.metered import body, event, make_key, meter, send
from tests.factories import actor, make_member

pytestmark = pytest.mark.django_db

ADMIT = metering.LATE_USAGE_PERMISSION
OLD = "2026-05-01T12:00:00Z"


def stopped(attempt) -> str:
    """The database refuses the usage, and none is written; what it says."""
    before = ResourceUsage.objects.count()
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        attempt()
    assert ResourceUsage.objects.count() == before
    return str(caught.value)


def ago(**span: float) -> str:
    return (datetime.now(tz=UTC) - timedelta(**span)).isoformat()


@pytest.fixture
def unjudged(monkeypatch):
    """Metering that asks of no age, as somebody at the application's connection would."""
    monkeypatch.setattr(metering, "require_not_late", lambda *_, **__: None)
    monkeypatch.setattr(metering, "require_not_ahead", lambda *_, **__: None)
    monkeypatch.setattr(metering, "is_late", lambda *_, **__: False)


@pytest.mark.parametrize(
    ("span", "guard"),
    [({"days": 35, "seconds": 1}, "usage_old_is_late"), ({"minutes": -6}, "usage_not_ahead")],
)
def test_usage__of_another_time_is_refused(span, guard, unjudged):
    member, key = make_member(credits="100"), make_key()
    assert guard in stopped(lambda: meter(member, key, timestamp=ago(**span)))


def test_usage__up_to_the_edges_is_let_in(unjudged):
    member, key = make_member(credits="100"), make_key()
    meter(member, key, timestamp=ago(days=35, seconds=-30))
    meter(member, key, timestamp=ago(minutes=-4))
    assert ResourceUsage.objects.count() == 2


SHIFTS = [timedelta(minutes=2), timedelta(minutes=-61), timedelta(days=-100)]


@pytest.mark.parametrize("shift", SHIFTS)
def test_usage__received_at_another_time_than_the_houses_is_refused(shift, monkeypatch, unjudged):
    member, key = make_member(credits="100"), make_key()
    known = metering._known
    monkeypatch.setattr(metering, "_known", lambda *asked: replace(known(*asked), at=datetime.now(tz=UTC) + shift))
    sent = (datetime.now(tz=UTC) + min(shift, timedelta(0))).isoformat()
    assert "was not received then" in stopped(lambda: meter(member, key, timestamp=sent))


def late(member, key, *, granted: bool, **fields):
    """An old event, and the approval asked for it."""
    asking, granting = actor(make_member(), ADMIT), actor(make_member(), ADMIT)
    sent = event(member, timestamp=OLD, **fields)
    asked = request_late_usage(event=sent, key_id=key.pk, reason="the meter was offline", acting=asking)
    if granted:
        approvals.grant(approval=asked, reason="seen in the logs", acting=granting)
    return sent, asked


def charge(sent, key, approval: Approval):
    return lambda: metering._charge(sent, key_id=key.pk, approval_id=approval.pk, acting=actor_of(key))


def test_late__under_an_approval_nobody_granted_is_refused():
    member, key = make_member(credits="100"), make_key()
    sent, asked = late(member, key, granted=False)
    assert "was not let in by two persons" in stopped(charge(sent, key, asked))


@pytest.mark.parametrize("changed", [{"quantity": "4"}, {"primitive": "stm", "unit": "gigabyte-hours"}, {}])
def test_late__under_another_usages_approval_is_refused(changed):
    member, key = make_member(credits="100"), make_key()
    _, asked = late(member, key, granted=True)
    ResourceUsage.objects.get()
    other = event(member, timestamp=OLD, **changed)
    assert "usage_approval_once" in stopped(charge(other, key, asked))
    sent, waiting = late(member, key, granted=False, eventId="its-own")
    Approval.objects.filter(pk=waiting.pk).update(
        state="granted", decided_by="member:0", decided_by_name="x", decided_at=datetime.now(tz=UTC)
    )
    more = event(member, timestamp=OLD, **{"eventId": sent.event_id, "quantity": "3"} | changed)
    assert "was not let in by two persons" in stopped(charge(more, key, waiting))


# --- usage before its redemption: what the database asks for at COMMIT


def lying(monkeypatch, sql: str, instead: str) -> None:
    assert sql in movements._REDEEM
    monkeypatch.setattr(movements, "_REDEEM", movements._REDEEM.replace(sql, instead))


def _of_another_sum(monkeypatch, earlier) -> None:
    lying(monkeypatch, "SELECT s.*, b.id AS balance_id", "SELECT s.*, b.id AS balance_id, 2 * s.cost AS doubled")
    monkeypatch.setattr(movements, "_REDEEM", movements._REDEEM.replace("sum(s.cost)", "sum(2 * s.cost)"))
    monkeypatch.setattr(
        movements, "_REDEEM", movements._REDEEM.replace("member_id, cost, 'red", "member_id, doubled, 'red")
    )


def _as_a_burn(monkeypatch, earlier) -> None:
    lying(monkeypatch, "SELECT id, 'redemption', 'completed'", "SELECT id, 'burn', 'completed'")


def _in_another_entry(monkeypatch, earlier) -> None:
    lying(monkeypatch, "%(entry)s::bigint,", f"{earlier.journal_entry_id}::bigint,")


def _not_at_all(monkeypatch, earlier) -> None:
    nothing = movements.Redeemed(earlier.journal_entry_id, earlier.received_at, earlier.received_at, overtaken=0)
    monkeypatch.setattr(movements, "redeem_staged", lambda *_, **__: nothing)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("redeem", [_of_another_sum, _as_a_burn, _in_another_entry, _not_at_all])
def test_usage__written_first_and_then_not_redeemed_as_it_says_is_refused_at_commit(redeem, monkeypatch):
    member, key = make_member(credits="100"), make_key()
    earlier = ResourceUsage.objects.get(pk=meter(member, key).meter_id)
    redeem(monkeypatch, earlier)

    with pytest.raises(IntegrityError, match="usage_is_redeemed"):
        send(key, body(member))

    assert ResourceUsage.objects.get() == earlier
    assert holds(member)[0] == 100 - earlier.cost


@pytest.mark.django_db(transaction=True)
def test_usage__whose_redemption_another_connection_books_with_another_sum_is_refused_at_commit(app_connection):
    """Neither sees the other when it writes; the reference sees both."""
    member, key = make_member(credits="100"), make_key()
    meter(member, key)
    app_connection.execute("BEGIN")
    [number] = app_connection.execute("SELECT nextval('cloud_credits_cloudtransaction_id_seq')").fetchone()
    app_connection.execute(
        "INSERT INTO cloud_credits_resourceusage (member_id, primitive, quantity, unit, rate, cost, rate_card_id,"
        " service_key_id, service_name, event_id, digest, metered_at, received_at, is_late, transaction_id,"
        " journal_entry_id) SELECT member_id, primitive, quantity, unit, rate, cost, rate_card_id, service_key_id,"
        " service_name, 'other', digest, metered_at, received_at, is_late, %s, journal_entry_id"
        " FROM cloud_credits_resourceusage",
        [number],
    )
    less = redemption(member_id=member.pk, quantity=Decimal(1), description="")
    movements.apply([less], ids=[number], acting=SYSTEM)
    with pytest.raises(psycopg.IntegrityError, match="usage_is_redeemed"):
        app_connection.execute("COMMIT")
