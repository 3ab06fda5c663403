"""Members' own limits: a cap on metered usage a UTC month, counted with each charge; a low balance told once a fall."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, connections, transaction

from cloud_credits.actions import metering, spending
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import InsufficientBalance, NoCloudIdentity, SpendCapReached
from cloud_credits.models import LowBalanceWarning, ResourceUsage, SpendCap
from cloud_credits.policies.spending import Allowance, month_of, next_month
from cloud_credits.reports.spending import spending_of, spent_in
from habitat import clock as house
from habitat.controls.actions import approvals
from habitat.errors import HabitatError, NotAllowed
from habitat.events.models import Event
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from habitat.notifications.models import Notification
from tests.cloud_credits.ledger import Clock, broken_proofs, holds
from tests.cloud_credits.metered import answers, body, event, make_key, meter, refusals, rows, send, statuses
from tests.faces.people import api, browser, reader
from tests.factories import actor, fund, key, make_member

pytestmark = pytest.mark.django_db
THIS_MONTH = month_of(datetime.now(tz=UTC))


def limited(cap=None, low=None, *, credits="100", member=None):
    member = member or make_member(credits=credits)
    limit(member, cap, low)
    return member


def limit(member, cap=None, low=None):
    return spending.set_limits(
        member=member,
        monthly_cap=cloud(cap) if cap else None,
        low_balance=cloud(low) if low else None,
        acting=actor(member),
    )


def spent(member):
    return SpendCap.objects.values_list("month", "spent").get(member=member)


# --- the month


@pytest.mark.parametrize(
    ("at", "month", "following"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), date(2026, 12, 1), date(2027, 1, 1)),
        (datetime(2027, 1, 1, tzinfo=UTC), date(2027, 1, 1), date(2027, 2, 1)),
        (datetime.fromisoformat("2026-05-01T01:00:00+02:00"), date(2026, 4, 1), date(2026, 5, 1)),
    ],
)
def test_month__is_utc_and_begins_at_midnight(at, month, following):
    assert (month_of(at), next_month(month_of(at))) == (month, following)


@pytest.mark.parametrize(
    ("cap", "used", "left"),
    [("5", "2.5", "2.5"), ("5", "4.99999999", "0.00000001"), ("5", "6", "0"), (None, "6", None)],
)
def test_allowance__leaves_the_rest_and_never_less_than_nothing(cap, used, left):
    allowance = Allowance(Decimal(cap) if cap else None, Decimal(used), date(2026, 4, 1))
    assert allowance.left == (Decimal(left) if left else None)


# --- the cap


@pytest.mark.parametrize(
    ("cap", "used", "cost", "taken"),
    [
        ("5", "2.5", "2.5", True),
        ("5", "2.5", "2.50000001", False),
        ("1", "6", "0.00000001", False),
        (None, "6", "1000", True),
    ],
)
def test_count__takes_to_the_last_digit_and_writes_nothing_of_the_rest(cap, used, cost, taken):
    member, other, now = limited(None), limited("5"), datetime.now(tz=UTC)
    spending.count({member.pk: Decimal(used)}, at=now)
    limit(member, cap)
    if taken:
        spending.count({member.pk: Decimal(cost), other.pk: Decimal(5)}, at=now)
    else:
        with pytest.raises(SpendCapReached) as caught, transaction.atomic():
            spending.count({member.pk: Decimal(cost), other.pk: Decimal(5)}, at=now)
        assert (caught.value.details["spent"], caught.value.details["needed"]) == (used, cost)
    assert spent(member)[1] == Decimal(used) + (Decimal(cost) if taken else 0)
    assert spent(other)[1] == (5 if taken else 0)


def test_cap__takes_what_fits_exactly_and_refuses_the_next():
    member, service = limited("5"), make_key()
    meter(member, service, quantity="2.5")
    meter(member, service, quantity="2.5")
    assert spent(member) == (THIS_MONTH, Decimal(5))
    before = rows()

    with pytest.raises(SpendCapReached) as caught:
        meter(member, service, quantity="0.000001")

    refusal = caught.value
    assert (refusal.status, refusal.code) == (402, "spend_cap_reached")
    assert refusal.details == {
        "cap": "5",
        "spent": "5",
        "needed": "0.000001",
        "ends": next_month(THIS_MONTH).isoformat(),
    }
    assert rows() | {"Event": 0} == before | {"Event": 0}
    assert holds(member) == (Decimal(95), Decimal(0))
    assert spent(member) == (THIS_MONTH, Decimal(5))
    assert refusals()[-1] == ("spend_cap_reached", "")


def test_cap__a_refused_event_may_come_again_and_a_smaller_one_fits():
    member, service = limited("5"), make_key()
    with pytest.raises(SpendCapReached):
        meter(member, service, eventId="big", quantity="6")
    meter(member, service, quantity="5")
    limit(member, "11")
    assert meter(member, service, eventId="big", quantity="6").replayed is False
    assert spent(member)[1] == Decimal(11)


def test_cap__replays_are_answered_and_not_counted_again():
    member, service = limited("5"), make_key()
    sent = event(member, quantity="5")
    for replayed in (False, True, True):
        outcome = metering.record(event=sent, key_id=service.pk, acting=SYSTEM)
        assert outcome.replayed is replayed
    assert spent(member)[1] == Decimal(5)


def test_cap__too_little_balance_comes_first():
    member, service = limited("5", credits="3"), make_key()
    with pytest.raises(InsufficientBalance):
        meter(member, service, quantity="6")
    assert spent(member)[1] == 0


def test_cap__set_amid_a_month_counts_what_was_used_before_it():
    member, service = make_member(credits="100"), make_key()
    meter(member, service, quantity="4")
    limit(member, "5")
    assert spent(member) == (THIS_MONTH, Decimal(4))
    with pytest.raises(SpendCapReached):
        meter(member, service, quantity="2")
    assert broken_proofs() == []


def test_cap__below_what_is_spent_stops_everything_and_taken_away_nothing():
    member, service = limited("5"), make_key()
    meter(member, service, quantity="4")
    limit(member, "1")
    with pytest.raises(SpendCapReached):
        meter(member, service, quantity="0.000001")
    limit(member, None)
    meter(member, service, quantity="50")
    assert spent(member)[1] == Decimal(54)
    assert broken_proofs() == []


def test_cap__of_another_member_is_untouched():
    member, other, service = limited("5"), limited("5"), make_key()
    meter(member, service, quantity="5")
    assert spent(other)[1] == 0
    assert meter(other, service, quantity="5").replayed is False


def test_cap__counts_metered_usage_only():
    member = limited("5")
    transfer(sender=member, recipient=make_member(), amount=cloud("50"), idempotency_key=key(), acting=actor(member))
    assert spent(member)[1] == 0


@pytest.mark.django_db(transaction=True)
def test_cap__a_new_month_counts_from_nothing_by_when_usage_was_booked(superuser_dsn):
    """Usage of the last day of a month that arrives on the first of the next counts in the next."""
    with Clock(superuser_dsn) as clock:
        member, service = limited("5"), make_key()
        meter(member, service, quantity="5")
        turn = datetime.combine(next_month(THIS_MONTH), datetime.min.time(), UTC)
        clock.forward(seconds=(turn - datetime.now(tz=UTC)).total_seconds() + 60)
        meter(member, service, quantity="3", timestamp=(turn - timedelta(minutes=5)).isoformat())
        assert spent(member) == (next_month(THIS_MONTH), Decimal(3))
        with pytest.raises(SpendCapReached) as caught:
            meter(member, service, quantity="2.000001")
        assert caught.value.details["ends"] == next_month(next_month(THIS_MONTH)).isoformat()
        assert spent_in(member.pk, THIS_MONTH) == Decimal(5)
        assert [proof for proof in broken_proofs() if "spend cap" in proof] == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("quantity", ["1", "3"])
def test_batch__that_began_before_the_turn_of_a_month_is_capped_and_counted_after_it(
    superuser_dsn, quantity, monkeypatch
):
    """Another charge has moved the cap on to the new month while this batch, begun in the old one, waited."""
    turn = datetime.combine(next_month(THIS_MONTH), datetime.min.time(), UTC)
    with Clock(superuser_dsn) as clock:
        member, service = limited("5"), make_key()
        meter(member, service, quantity="4")
        sent = body(member, quantity=quantity)
        clock.forward(seconds=(turn - datetime.now(tz=UTC)).total_seconds() + 60)
        meter(member, service, quantity="3", timestamp=(turn - timedelta(minutes=5)).isoformat())
        with monkeypatch.context() as patch:
            patch.setattr(house, "now", lambda: turn - timedelta(seconds=1))
            outcome = send(service, sent | {"timestamp": (turn - timedelta(minutes=1)).isoformat()})
        fits = quantity == "1"
        assert statuses(outcome) == ["accepted" if fits else "rejected"]
        assert spent(member) == (next_month(THIS_MONTH), Decimal(4) if fits else Decimal(3))
        if not fits:
            assert answers(outcome)[0]["code"] == "spend_cap_reached"
            told = Event.objects.get(name="spending.cap_reached").payload
            ends = next_month(next_month(THIS_MONTH)).isoformat()
            assert (told["spent"], told["ends_on"]) == ("3", ends)
            assert ends in answers(outcome)[0]["reason"]
        assert [proof for proof in broken_proofs() if "spend cap" in proof] == []


def test_cap__what_was_booked_before_its_month_counts_nowhere():
    """Our clock ran ahead of the database's when the cap was set, across a month's end."""
    member = limited("5")
    last_month = datetime.combine(THIS_MONTH, datetime.min.time(), UTC) - timedelta(microseconds=1)
    spending.count({member.pk: Decimal(100)}, at=last_month)
    assert spent(member) == (THIS_MONTH, Decimal(0))


def test_late_usage__let_in_by_two_persons_counts_in_no_month():
    member, service = limited("1"), make_key()
    late = event(member, quantity="2.5", timestamp=(datetime.now(tz=UTC) - timedelta(days=40)).isoformat())
    asker = actor(make_member(), metering.LATE_USAGE_PERMISSION)
    second = actor(make_member(), metering.LATE_USAGE_PERMISSION)
    asked = metering.request_late_usage(event=late, key_id=service.pk, reason="found", acting=asker)
    approvals.grant(approval=asked, reason="right", acting=second)
    assert ResourceUsage.objects.filter(member=member, is_late=True).count() == 1
    assert spent(member)[1] == 0
    assert broken_proofs() == []


@pytest.mark.django_db(transaction=True)
def test_race__two_charges_never_pass_a_cap_together():
    member, service = limited("5"), make_key()
    answers, start = [], threading.Barrier(6)

    def charge(number):
        try:
            start.wait(10)
            meter(member, service, eventId=f"race-{number}", quantity="2")
            answers.append("taken")
        except HabitatError as refusal:
            answers.append(refusal.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=charge, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(answers) == ["spend_cap_reached"] * 4 + ["taken"] * 2
    assert spent(member)[1] == Decimal(4)
    assert holds(member) == (Decimal(96), Decimal(0))


def test_batch__takes_what_the_cap_leaves_and_says_so_of_the_rest():
    """In list order, each alone: what fits under balance and cap is taken; a later, smaller one too."""
    member, other, service = limited("5", credits="8"), make_member(credits="100"), make_key()
    asked = ((member, "3"), (other, "50"), (member, "2.5"), (member, "2"), (member, "0.5"), (member, "9"))
    outcome = send(service, *[body(who, quantity=quantity) for who, quantity in asked])
    assert statuses(outcome) == ["accepted", "accepted", "rejected", "accepted", "rejected", "rejected"]
    told = answers(outcome)
    ends = next_month(THIS_MONTH).isoformat()
    assert (told[2]["code"], told[2]["reason"]) == (
        "spend_cap_reached",
        "The member's own cap is 5 CLOUD of metered usage a month; 3 are spent and this needs 2.5. "
        f"The next month begins on {ends}; the member can raise the cap before, at /cloud/spending/.",
    )
    assert "5 are spent and this needs 0.5" in told[4]["reason"]
    assert told[5]["code"] == "insufficient_balance"
    assert told[5]["reason"].endswith("has 3 CLOUD to spend; this needs 9.")
    assert spent(member) == (THIS_MONTH, Decimal(5))
    assert Event.objects.filter(name="spending.cap_reached").count() == 1
    assert broken_proofs() == []


def test_batch__of_members_without_caps_counts_nothing_and_with_one_only_theirs():
    member, other, service = limited(None), make_member(credits="100"), make_key()
    send(service, body(member, quantity="4"), body(other, quantity="7"))
    assert spent(member) == (THIS_MONTH, Decimal(4))
    assert SpendCap.objects.count() == 1


def test_nobody__sets_somebody_elses_and_none_without_an_identity():
    member = make_member()
    for acting in (actor(make_member()), SYSTEM):
        with pytest.raises(NotAllowed):
            spending.set_limits(member=member, monthly_cap=cloud("1"), low_balance=None, acting=acting)
    nobody = make_member(identity=False)
    with pytest.raises(NoCloudIdentity):
        limit(nobody, "1")
    assert (SpendCap.objects.count(), LowBalanceWarning.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE cloud_credits_spendcap SET spent = spent - 1",
        "UPDATE cloud_credits_spendcap SET month = month - interval '1 month'",
        "UPDATE cloud_credits_spendcap SET month = '2030-01-02'",
        "UPDATE cloud_credits_spendcap SET monthly_cap = 0",
        "DELETE FROM cloud_credits_spendcap",
        "DELETE FROM cloud_credits_lowbalancewarning",
        "UPDATE cloud_credits_lowbalancewarning SET threshold = 0",
    ],
)
def test_database__refuses_a_count_that_goes_back(sql):
    member = limited("9", "1")
    meter(member, make_key(), quantity="4")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert spent(member) == (THIS_MONTH, Decimal(4))


NEXT = "month = (month + interval '1 month')::date"


@pytest.mark.parametrize("change", ["spent = 5.00000001", f"{NEXT}, spent = 5.00000001", f"{NEXT}, spent = 9"])
def test_database__refuses_a_count_beyond_the_cap(change):
    member = limited("5")
    meter(member, make_key(), quantity="4")
    with (
        pytest.raises(DatabaseError, match="is beyond it") as caught,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE cloud_credits_spendcap SET {change}")
    assert caught.value.__cause__.diag.constraint_name == "spend_cap_holds"
    assert spent(member) == (THIS_MONTH, Decimal(4))


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ("spent = 5", (THIS_MONTH, Decimal(5))),
        (f"{NEXT}, spent = 5", (next_month(THIS_MONTH), Decimal(5))),
        ("monthly_cap = NULL, spent = 50", (THIS_MONTH, Decimal(50))),
        ("monthly_cap = 1", (THIS_MONTH, Decimal(4))),
        ("monthly_cap = 1, told_for = month", (THIS_MONTH, Decimal(4))),
    ],
)
def test_database__takes_what_is_within_the_cap_and_a_cap_below_what_is_spent(change, counted):
    member = limited("5")
    meter(member, make_key(), quantity="4")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE cloud_credits_spendcap SET {change}")
    assert spent(member) == counted


# --- told once


def drain():
    queue.drain("deliveries")


def told(member, kind):
    return list(Notification.objects.filter(member=member, type=kind).order_by("id").values_list("text", flat=True))


@pytest.mark.django_db(transaction=True)
def test_cap_reached__is_told_once_a_month():
    member, service = limited("5"), make_key()
    for _ in range(3):
        with pytest.raises(SpendCapReached):
            meter(member, service, quantity="6")
    drain()
    [text] = told(member, "spend_cap")
    assert text.startswith("0 of 5 CLOUD of metered usage are spent")
    assert Event.objects.filter(name="spending.cap_reached").count() == 1


@pytest.mark.django_db(transaction=True)
def test_low_balance__is_told_once_a_fall_and_again_only_after_it_rose():
    member, service = limited(None, "10", credits="20"), make_key()
    drain()
    meter(member, service, quantity="9")
    drain()
    assert told(member, "low_balance") == []
    meter(member, service, quantity="2")
    drain()
    meter(member, service, quantity="1")
    drain()
    assert told(member, "low_balance") == ["You can spend 9 CLOUD. You asked to be told below 10 CLOUD."]
    fund(member, "2")
    drain()
    assert LowBalanceWarning.objects.get(member=member).is_below is False
    meter(member, service, quantity="0.000001")
    drain()
    assert told(member, "low_balance")[1:] == ["You can spend 9.999999 CLOUD. You asked to be told below 10 CLOUD."]


@pytest.mark.django_db(transaction=True)
def test_low_balance__already_low_when_set_is_seen_on_the_page_and_not_told():
    member = limited(None, "10", credits="5")
    drain()
    assert told(member, "low_balance") == []
    assert LowBalanceWarning.objects.get(member=member).is_below is True


@pytest.mark.django_db(transaction=True)
def test_low_balance__is_told_for_transfers_too():
    member = limited(None, "10", credits="20")
    transfer(sender=member, recipient=make_member(), amount=cloud("15"), idempotency_key=key(), acting=actor(member))
    drain()
    assert len(told(member, "low_balance")) == 1


# --- page and API


def test_api__put_sets_both_and_get_tells_the_month():
    member, service = reader("10"), make_key()
    meter(member, service, quantity="2.5")
    client = api(member)

    put = client.put("/api/spending", {"monthlyCap": "4", "lowBalance": "8"}, format="json")

    month = f"{THIS_MONTH:%Y-%m}"
    expected = {
        "memberId": str(member.pk),
        "monthlyCap": "4",
        "spent": "2.5",
        "left": "1.5",
        "month": month,
        "endsOn": next_month(THIS_MONTH).isoformat(),
        "lowBalance": "8",
        "isLow": True,
        "liquid": "7.5",
    }
    assert (put.status_code, put.json()) == (200, expected)
    assert client.get("/api/spending").json() == expected
    cleared = client.put("/api/spending", {"monthlyCap": None, "lowBalance": None}, format="json").json()
    assert (cleared["monthlyCap"], cleared["left"], cleared["lowBalance"], cleared["spent"]) == (
        None,
        None,
        None,
        "2.5",
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"monthlyCap": "0", "lowBalance": None}, "amount_not_positive"),
        ({"monthlyCap": "-1", "lowBalance": None}, "amount_not_positive"),
        ({"monthlyCap": "1.000000001", "lowBalance": None}, "too_many_decimals"),
        ({"monthlyCap": None, "lowBalance": "x"}, "amount_not_a_number"),
        ({"monthlyCap": "1"}, "invalid"),
        ({}, "invalid"),
    ],
)
def test_api__refuses_what_is_no_amount_and_changes_nothing(body, code):
    member = reader("10")
    response = api(member).put("/api/spending", body, format="json")
    assert response.status_code in (400, 422)
    if code != "invalid":
        assert response.json()["code"] == code
    assert SpendCap.objects.count() == 0


def test_api__another_members_month_is_not_found__operations_see_it():
    member = reader("10")
    path = f"/api/spending?member={member.pk}"
    assert api(reader()).get(path).status_code == 404
    assert api(reader("0", "cloud_credits.view_spendcap")).get(path).json()["spent"] == "0"


def test_page__keeps_limits_and_shows_the_month():
    member, service = reader("10"), make_key()
    client = browser(member)
    assert "No cap is set" in client.get("/cloud/spending/").content.decode()
    kept = client.post("/cloud/spending/", {"monthly_cap": "5", "low_balance": "2"})
    assert (kept.status_code, kept["Location"]) == (302, "/cloud/spending/")
    meter(member, service, quantity="2.5")
    page = client.get("/cloud/spending/").content.decode()
    assert '<progress class="gauge" max="100" value="50"' in page
    assert "2.5 of 5 CLOUD left until" in page
    assert 'value="5"' in page
    meter(member, service, quantity="2.5")
    assert "Your cap of 5 CLOUD is reached." in client.get("/cloud/spending/").content.decode()


def test_page__shows_the_refusal_beside_its_field_and_keeps_nothing():
    member = reader("10")
    response = browser(member).post("/cloud/spending/", {"monthly_cap": "5,5", "low_balance": ""})
    assert response.status_code == 422
    assert "is not a number" in response.content.decode()
    assert response.context["form"].errors.keys() == {"monthly_cap"}
    long = browser(member).post("/cloud/spending/", {"monthly_cap": "9" * 70, "low_balance": ""})
    assert long.status_code == 422
    assert SpendCap.objects.count() == 0


def test_page__hides_no_fault_of_the_verb(monkeypatch):
    def broken(**_given):
        raise KeyError("lost")

    monkeypatch.setattr(spending, "set_limits", broken)
    with pytest.raises(KeyError, match="lost"):
        browser(reader("10")).post("/cloud/spending/", {"monthly_cap": "5", "low_balance": ""})


def test_report__without_a_cap_sums_the_usage_itself():
    member, service = make_member(credits="10"), make_key()
    meter(member, service, quantity="2.5")
    now = spending_of(member.pk, at=datetime.now(tz=UTC))
    assert (now.allowance.cap, now.allowance.spent, now.low_balance, now.is_low) == (None, Decimal("2.5"), None, False)
