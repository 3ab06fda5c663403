"""The house counts its own requests and pays at its own front door: exact, once, and without slowing anybody."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import httpx
import pytest
from django.db import DatabaseError, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from cloud_credits.actions.self_metering import count, mark_charged, mark_refused, settle_windows
from cloud_credits.models import (
    MeteringRefusal,
    ResourceUsage,
    SelfMeterCharge,
    SelfMeterCount,
    SelfMeterFlush,
    SelfMeterRemainder,
)
from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.self_metering import STEP, event_id, retry_after, settle, window_of
from cloud_credits.reports.self_metering import counting_now, due, pending_of
from habitat.controls.actions import settings as setting_actions
from habitat.members.models import User
from habitat.members.policies.actors import SYSTEM
from habitat.site.views import self_metering as view
from habitat.site.workflows import self_metering as workflow
from tests.cloud_credits.ledger import broken_proofs, holds
from tests.factories import fund, make_member

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def signed_in(credits: str = "0"):
    """A member with a sign-in, and that sign-in."""
    member = make_member(email=f"{uuid.uuid4().hex}@example.org", credits=credits)
    return member, User.objects.get(pk=member.user_id)


def counted(user, *, at=AT, cpu=0, size=0, process=None, sequence=1):
    counts = {(user.pk, Primitive.COMPUTE): cpu, (user.pk, Primitive.TRANSFER): size}
    return count(process=process or uuid.uuid4(), sequence=sequence, counts=counts, at=at, acting=SYSTEM)


# --- arithmetic


@pytest.mark.parametrize(
    ("primitive", "amount", "carried", "quantity", "remainder"),
    [
        (Primitive.COMPUTE, 3_600_000_000_000, 0, "1", 0),
        (Primitive.COMPUTE, 3_599_999, 0, "0", 3_599_999),
        (Primitive.COMPUTE, 1, 3_599_999, "0.000001", 0),
        (Primitive.TRANSFER, 1_000_000_000, 0, "1", 0),
        (Primitive.TRANSFER, 1_500, 600, "0.000002", 100),
        (Primitive.TRANSFER, 0, 0, "0", 0),
    ],
)
def test_settle__cuts_to_millionths_and_carries_the_rest(primitive, amount, carried, quantity, remainder):
    settled = settle(primitive, counted=amount, carried=carried)
    assert (settled.quantity, settled.remainder) == (Decimal(quantity), remainder)


@given(
    primitive=st.sampled_from(sorted(STEP)),
    amounts=st.lists(st.integers(min_value=0, max_value=10**13), min_size=1, max_size=40),
)
def test_settle__nothing_is_lost_over_any_windows(primitive, amounts):
    carried, sent = 0, Fraction(0)
    for amount in amounts:
        settled = settle(primitive, counted=amount, carried=carried)
        assert 0 <= settled.remainder < STEP[primitive]
        carried, sent = settled.remainder, sent + Fraction(settled.quantity)
    assert sent * 10**6 * STEP[primitive] + carried == sum(amounts)


def test_window__holds_its_moment_and_is_half_open():
    start, end = window_of(AT, seconds=3600)
    assert (start, end) == (AT.replace(minute=0), AT.replace(minute=0) + HOUR)
    assert window_of(start, seconds=3600)[0] == start
    assert window_of(end, seconds=3600)[0] == end
    assert window_of(end - timedelta(microseconds=1), seconds=3600)[0] == start


def test_event_id__is_the_same_for_every_attempt():
    given_id = event_id(member_id=12, window_start=AT.replace(minute=0), primitive=Primitive.COMPUTE)
    assert given_id == "self:12:20261101T090000Z:compute"


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1000, 60)])
def test_retry__waits_longer_each_time(attempts, minutes):
    assert retry_after(attempts) == timedelta(minutes=minutes)


# --- counting and settling


@pytest.mark.django_db
def test_count__adds_up_within_a_window():
    member, user = signed_in()
    counted(user, cpu=5, size=7)
    counted(user, cpu=6, size=8)
    counted(user, cpu=1, at=AT + HOUR)
    rows = SelfMeterCount.objects.filter(member=member).order_by("window_start", "primitive")
    assert [(row.primitive, row.window_start.hour, row.amount) for row in rows] == [
        ("compute", 9, 11),
        ("transfer", 9, 15),
        ("compute", 10, 1),
    ]


@pytest.mark.django_db
def test_count__a_batch_sent_again_adds_nothing():
    _, user = signed_in()
    process = uuid.uuid4()
    assert counted(user, cpu=5, process=process, sequence=1) is True
    assert counted(user, cpu=5, process=process, sequence=1) is False
    assert counted(user, cpu=5, process=process, sequence=2) is True
    assert SelfMeterCount.objects.get(primitive="compute").amount == 10


@pytest.mark.django_db
def test_count__a_sign_in_that_is_no_member_counts_nothing():
    user = User.objects.create(email="nobody@example.org")
    assert counted(user, cpu=5)
    assert not SelfMeterCount.objects.exists()


@pytest.mark.django_db
def test_settle_windows__makes_one_charge_a_window_member_and_primitive():
    member, user = signed_in()
    counted(user, cpu=3_600_000 * 4 + 9, size=2_500)
    assert settle_windows(acting=SYSTEM, at=AT) == 0
    assert settle_windows(acting=SYSTEM, at=AT + HOUR) == 2
    assert settle_windows(acting=SYSTEM, at=AT + HOUR) == 0
    charges = SelfMeterCharge.objects.order_by("primitive").values_list("member", "primitive", "quantity", "state")
    assert list(charges) == [
        (member.pk, "compute", Decimal("0.000004"), "pending"),
        (member.pk, "transfer", Decimal("0.000002"), "pending"),
    ]
    remainders = SelfMeterRemainder.objects.order_by("primitive").values_list("amount", flat=True)
    assert list(remainders) == [9, 500]
    assert not SelfMeterCount.objects.exists()
    assert broken_proofs() == []


@pytest.mark.django_db
def test_settle_windows__below_a_millionth_it_only_carries_over():
    _, user = signed_in()
    counted(user, size=999)
    assert settle_windows(acting=SYSTEM, at=AT + HOUR) == 0
    counted(user, size=1, at=AT + HOUR)
    assert settle_windows(acting=SYSTEM, at=AT + 2 * HOUR) == 1
    assert SelfMeterCharge.objects.get().quantity == Decimal("0.000001")


@pytest.mark.django_db
def test_settle_windows__a_thousand_windows_lose_nothing():
    _, user = signed_in()
    chance, total = random.Random(7), {"compute": 0, "transfer": 0}
    for number in range(1_000):
        cpu, size = chance.randrange(10_000_000), chance.randrange(5_000)
        counted(user, cpu=cpu, size=size, at=AT + number * HOUR)
        total["compute"] += cpu
        total["transfer"] += size
        if number % 50 == 49:
            settle_windows(acting=SYSTEM, at=AT + (number + 1) * HOUR)
    for primitive, all_counted in total.items():
        sent = sum(charge.quantity for charge in SelfMeterCharge.objects.filter(primitive=primitive))
        left = SelfMeterRemainder.objects.get(primitive=primitive)
        assert sent * 10**6 * STEP[primitive] + left.amount == all_counted == left.settled
    assert broken_proofs() == []


@pytest.mark.django_db
def test_settle_windows__a_count_for_a_window_already_charged_goes_to_the_next():
    member, user = signed_in()
    counted(user, size=3_000)
    settle_windows(acting=SYSTEM, at=AT + HOUR)
    counted(user, size=2_000)
    assert settle_windows(acting=SYSTEM, at=AT + HOUR) == 0
    assert SelfMeterCharge.objects.get().quantity == Decimal("0.000003")
    assert counting_now(member.pk) == {Primitive.TRANSFER: Decimal("0.000002")}
    assert settle_windows(acting=SYSTEM, at=AT + 2 * HOUR) == 1
    assert broken_proofs() == []


@pytest.mark.django_db
def test_settle_windows__a_shorter_window_from_now_on_spends_no_id_twice():
    _, user = signed_in()
    counted(user, size=3_000)
    setting_actions.change(key="metering.window_seconds", value=60, reason="shown to visitors", acting=SYSTEM)
    counted(user, size=2_000, at=AT.replace(minute=0))
    counted(user, size=2_000, at=AT)
    settle_windows(acting=SYSTEM, at=AT + 2 * HOUR)
    settle_windows(acting=SYSTEM, at=AT + 3 * HOUR)
    assert sum(charge.quantity for charge in SelfMeterCharge.objects.all()) == Decimal("0.000007")
    assert broken_proofs() == []


@pytest.mark.django_db(transaction=True)
def test_count__flushes_and_settling_at_once_lose_nothing():
    """Eight processes flush while windows are settled as if each moment were a window's end."""
    _, user = signed_in()
    stop = threading.Event()

    def flushing():
        process = uuid.uuid4()
        for number in range(1, 41):
            counted(user, size=1_501, process=process, sequence=number)
        view.connection.close()

    def settling():
        while not stop.is_set():
            settle_windows(acting=SYSTEM, at=AT + HOUR)
        view.connection.close()

    threads = [threading.Thread(target=flushing) for _ in range(8)]
    settler = threading.Thread(target=settling)
    for thread in (settler, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    settler.join()
    for hours in range(2, 12):
        settle_windows(acting=SYSTEM, at=AT + hours * HOUR)
        if not SelfMeterCount.objects.exists():
            break
    sent = sum((charge.quantity for charge in SelfMeterCharge.objects.all()), Decimal(0))
    assert sent * 10**9 + SelfMeterRemainder.objects.get().amount == 8 * 40 * 1_501
    assert broken_proofs() == []


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"quantity": 5}, {"window_start": AT}, {"member_id": 1}, {"primitive": "compute"}])
def test_charge__never_changes_once_settled(change):
    _, user = signed_in()
    counted(user, size=3_000)
    settle_windows(acting=SYSTEM, at=AT + HOUR)
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        SelfMeterCharge.objects.update(**change)
    with pytest.raises(DatabaseError, match="denied"), transaction.atomic():
        SelfMeterCharge.objects.all().delete()


@pytest.mark.django_db
def test_charge__marked_charged_stays_so():
    _, user = signed_in()
    counted(user, size=3_000)
    settle_windows(acting=SYSTEM, at=AT + HOUR)
    charge = SelfMeterCharge.objects.get()
    mark_charged(charge=charge, meter_id=1, cost=Decimal("0.1"), at=AT, acting=SYSTEM)
    mark_charged(charge=charge, meter_id=2, cost=Decimal("0.2"), at=AT, acting=SYSTEM)
    mark_refused(charge=charge, code="x", sentence="y", at=AT, acting=SYSTEM)
    charge = SelfMeterCharge.objects.get()
    assert (charge.state, charge.meter_id, charge.attempts) == ("charged", 1, 1)


@pytest.mark.django_db
def test_due__a_refused_charge_waits_and_comes_back_after_a_top_up():
    member, user = signed_in()
    counted(user, size=3_000)
    settle_windows(acting=SYSTEM, at=AT + HOUR)
    charge = SelfMeterCharge.objects.get()
    now = datetime.now(tz=UTC)
    assert [each.pk for each in due(now, limit=9)] == [charge.pk]
    mark_refused(charge=charge, code="insufficient_balance", sentence="Too little.", at=now, acting=SYSTEM)
    assert due(now, limit=9) == []
    assert [(use.quantity, use.refusal_code, use.refusal) for use in pending_of(member.pk)] == [
        (Decimal("0.000003"), "insufficient_balance", "Too little.")
    ]
    assert [each.pk for each in due(now + timedelta(minutes=1), limit=9)] == [charge.pk]
    fund(member, "1")
    assert [each.pk for each in due(now, limit=9)] == [charge.pk]


# --- the middleware


@pytest.fixture
def meter(monkeypatch):
    """A meter of the test's own, charging all."""
    fresh = view.Meter()
    fresh.charges_api = fresh.charges_pages = True
    monkeypatch.setattr(view, "METER", fresh)
    return fresh


def asked(path, user, response=None, **extra):
    """One request through the middleware, as a view would answer it."""
    request = RequestFactory().generic("POST", path, data=b"x" * 100, **extra)
    request.user = user
    return view.SelfMeteringMiddleware(lambda _: response or HttpResponse(b"y" * 1_000))(request)


@pytest.mark.django_db
def test_middleware__counts_cpu_and_bytes_of_a_members_request(meter, django_assert_num_queries):
    _, user = signed_in()
    with django_assert_num_queries(0):
        asked("/api/balance", user)
    cpu, size = (meter._open[user.pk, primitive] for primitive in (Primitive.COMPUTE, Primitive.TRANSFER))
    assert 0 < cpu < 1_000_000_000
    assert 1_100 < size < 1_400


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/static/site.css", "/api/health", "/admin/", "/accounts/login/"])
def test_middleware__free_paths_count_nothing(meter, path):
    _, user = signed_in()
    asked(path, user)
    assert meter._open == {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("api", "pages", "path", "is_counted"),
    [
        (True, False, "/api/balance", True),
        (True, False, "/graphql/", True),
        (True, False, "/cloud/", False),
        (False, True, "/cloud/", True),
        (False, True, "/api/balance", False),
    ],
)
def test_middleware__settings_say_what_is_charged(meter, api, pages, path, is_counted):
    setting_actions_change("metering.charge_api", api)
    setting_actions_change("metering.charge_pages", pages)
    meter.learn_what_is_charged()
    _, user = signed_in()
    asked(path, user)
    assert bool(meter._open) is is_counted


def setting_actions_change(key, value):
    from habitat.controls.reports import settings

    if settings.value(key) is not value:
        setting_actions.change(key=key, value=value, reason="tried", acting=SYSTEM)


@pytest.mark.django_db
def test_middleware__strangers_and_services_count_nothing(meter):
    from django.contrib.auth.models import AnonymousUser

    from habitat.controls.api.authentication import ServiceUser
    from tests.cloud_credits.metered import make_key

    asked("/api/balance", AnonymousUser())
    asked("/api/metering/record", ServiceUser(make_key()))
    assert meter._open == {}


@pytest.mark.django_db
def test_middleware__streamed_bytes_are_counted_as_they_leave(meter):
    _, user = signed_in()
    answer = asked("/api/usage/", user, StreamingHttpResponse(b"z" * 500 for _ in range(4)))
    before = meter._open[user.pk, Primitive.TRANSFER]
    assert b"".join(answer) == b"z" * 2_000
    assert meter._open[user.pk, Primitive.TRANSFER] - before == 2_000


@pytest.mark.django_db
def test_middleware__threads_lose_no_count(meter):
    threads = [threading.Thread(target=lambda: [meter.add(1, cpu=3, size=5) for _ in range(10_000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter._open == {(1, Primitive.COMPUTE): 240_000, (1, Primitive.TRANSFER): 400_000}


@pytest.mark.django_db
def test_flush__a_failed_batch_is_sent_again_as_it_was(meter, monkeypatch):
    _, user = signed_in()
    meter.add(user.pk, cpu=5, size=7)
    with monkeypatch.context() as broken:
        broken.setattr(view, "count", lambda **_: (_ for _ in ()).throw(DatabaseError("gone")))
        with pytest.raises(DatabaseError):
            meter.flush()
    meter.add(user.pk, cpu=1, size=1)
    meter.flush()
    assert SelfMeterCount.objects.get(primitive="transfer").amount == 7
    meter.flush()
    assert SelfMeterCount.objects.get(primitive="transfer").amount == 8
    assert SelfMeterFlush.objects.get().sequence == 2


@pytest.mark.django_db
def test_flush__an_answer_lost_after_the_commit_counts_once(meter, monkeypatch):
    _, user = signed_in()
    meter.add(user.pk, cpu=5, size=7)

    def written_but_unanswered(**batch):
        count(**batch)
        raise DatabaseError("the answer was lost")

    with monkeypatch.context() as broken:
        broken.setattr(view, "count", written_but_unanswered)
        with pytest.raises(DatabaseError):
            meter.flush()
    meter.flush()
    assert SelfMeterCount.objects.get(primitive="transfer").amount == 7


def test_fork__the_child_counts_for_itself(meter):
    meter.add(1, cpu=1, size=1)
    process = meter._process
    meter.after_fork()
    assert meter._open == {}
    assert meter._process != process


# --- through the front door


@pytest.fixture
def house(app_dsn, owner_dsn, settings, tmp_path):
    """The house over HTTP: gunicorn with two workers that flush every second, on this test's database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings.SELF_METERING_URL = f"http://127.0.0.1:{port}"
    settings.SELF_METERING_KEY_FILE = str(tmp_path / "self-metering.key")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "habitat.settings.test",
        "DATABASE_URL": app_dsn,
        "DATABASE_OWNER_URL": owner_dsn,
        "SELF_METERING_FLUSH_SECONDS": "1",
    }
    command = [sys.executable, "-m", "gunicorn", "habitat.wsgi", "-b", f"127.0.0.1:{port}", "-w", "2"]
    log = (tmp_path / "gunicorn.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait(lambda: _answers(settings.SELF_METERING_URL), seconds=60)
        yield settings.SELF_METERING_URL
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


def _answers(url) -> bool:
    try:
        return httpx.get(f"{url}/api/balance", timeout=5).status_code < 500
    except httpx.HTTPError:
        return False


def _wait(condition, *, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


@pytest.mark.django_db(transaction=True)
def test_house__meters_charges_and_shows_its_own_use(house):
    """A member calls the API; the call is counted, settled, sent over HTTP, priced, redeemed, booked; a top-up frees
    what was refused; sending again charges nothing twice."""
    setting_actions.change(key="metering.window_seconds", value=10, reason="quick", acting=SYSTEM)
    member, user = signed_in()
    browser = Client()
    browser.force_login(user)
    cookie = {"sessionid": browser.cookies["sessionid"].value}
    # The workers learn what is charged within one flush of their first request.
    _wait(
        lambda: (
            httpx.get(f"{house}/api/balance", cookies=cookie).status_code == 200
            and SelfMeterCount.objects.filter(member=member).count() == 2
        ),
        seconds=30,
    )
    workflow.ensure_key(acting=SYSTEM)

    # The window closes; there is nothing to pay with: refused, pending, in the log of refusals.
    def refused():
        workflow.run(datetime.now(tz=UTC))
        return MeteringRefusal.objects.exists()

    _wait(refused, seconds=30)
    assert ResourceUsage.objects.count() == 0
    assert {use.refusal_code for use in pending_of(member.pk)} <= {"insufficient_balance", ""}
    assert pending_of(member.pk)[0].refusal_code == "insufficient_balance"
    assert MeteringRefusal.objects.filter(code="insufficient_balance").exists()
    assert workflow.send_due() == 0

    fund(member, "5")
    waiting = SelfMeterCharge.objects.pending().count()
    assert sum(workflow.send_due() for _ in range(3)) == waiting
    assert pending_of(member.pk) == []
    charges = {(c.primitive, c.quantity, c.cost, c.meter_id) for c in SelfMeterCharge.objects.all()}
    usage = {(u.primitive, u.quantity, u.cost, u.pk) for u in ResourceUsage.objects.filter(member=member)}
    assert charges == usage
    assert holds(member)[0] == 5 - sum(charge[2] for charge in charges)
    assert broken_proofs() == []

    # The answer to a charge was lost: it is sent again under the same id, and answered as a replay.
    charge = SelfMeterCharge.objects.first()
    with httpx.Client(base_url=house, headers={"Authorization": f"Bearer {workflow.key_secret()}"}) as client:
        answer = client.post("/api/metering/record", json=workflow.body_of(charge))
    assert (answer.status_code, answer.json()["replayed"]) == (200, True)
    assert int(answer.json()["meterId"]) == charge.meter_id
    assert ResourceUsage.objects.count() == len(charges)


@pytest.mark.django_db
def test_key__is_made_once_and_kept_private(settings, tmp_path):
    settings.SELF_METERING_KEY_FILE = str(tmp_path / "local" / "self-metering.key")
    first = workflow.ensure_key(acting=SYSTEM)
    assert workflow.ensure_key(acting=SYSTEM) == first
    assert Path(settings.SELF_METERING_KEY_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.django_db
def test_key__a_file_of_another_database_is_replaced(settings, tmp_path):
    settings.SELF_METERING_KEY_FILE = str(tmp_path / "self-metering.key")
    Path(settings.SELF_METERING_KEY_FILE).write_text("hbt_0000000000000000_unknown\n")
    assert workflow.ensure_key(acting=SYSTEM) == workflow.key_secret() != "hbt_0000000000000000_unknown"


@pytest.mark.django_db
def test_send__a_closed_door_leaves_all_waiting(settings, tmp_path):
    settings.SELF_METERING_URL = "http://127.0.0.1:9"
    settings.SELF_METERING_KEY = "hbt_0000000000000000_unknown"
    _, user = signed_in()
    counted(user, size=3_000)
    settle_windows(acting=SYSTEM, at=AT + HOUR)
    assert workflow.send_due() == 0
    assert SelfMeterCharge.objects.get().attempts == 0
