"""Services that send the same events at the same time, and die in the middle: every event counts once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, local

import psycopg
import pytest
from django.db import connection

from cloud_credits.actions import metering, metering_batch, spending
from cloud_credits.models import CloudTransaction, MeteringStage, ResourceUsage, SpendCap
from cloud_credits.policies.metering_batch import BatchForm
from habitat.controls.reports.service_keys import actor_of
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits.ledger import broken_proofs, holds
from tests.cloud_credits.metered import answers, body, dec, make_key, meter, statuses
from tests.factories import actor, make_member

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import json, sys
import django
django.setup()
from cloud_credits.actions import metering_batch
from cloud_credits.policies.metering_batch import BatchForm
from habitat.controls.models import ServiceKey
from habitat.controls.reports.service_keys import actor_of
key = ServiceKey.objects.get(pk=int(sys.argv[1]))
for line in open(sys.argv[2], "rb"):
    metering_batch.receive(body=line, form=BatchForm.JSON, key_id=key.pk, acting=actor_of(key))
    print("sent", flush=True)
"""


def receive(events, key):
    text = json.dumps(events).encode()
    try:
        return metering_batch.receive(body=text, form=BatchForm.JSON, key_id=key.pk, acting=actor_of(key))
    finally:
        connection.close()


def together(*calls):
    gate = Barrier(len(calls))

    def run(call):
        gate.wait(timeout=30)
        return call()

    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        return [future.result(timeout=120) for future in [pool.submit(run, call) for call in calls]]


def test_race__overlapping_batches_in_any_order_count_each_event_once():
    people, key = [make_member(credits="1000") for _ in range(6)], make_key()
    events = [body(people[number % 6], eventId=f"r{number}", quantity="1") for number in range(120)]
    dice = random.Random(7)
    batches = [dice.sample(events, 80) for _ in range(6)]
    outcomes = together(*[lambda batch=batch: receive(batch, key) for batch in batches])
    sent = {event["eventId"] for batch in batches for event in batch}
    assert ResourceUsage.objects.count() == len(sent)
    assert sum(outcome.accepted for outcome in outcomes) == len(sent)
    assert sum(outcome.duplicates for outcome in outcomes) == 6 * 80 - len(sent)
    assert sum(holds(person)[0] for person in people) == 6000 - len(sent)
    assert broken_proofs() == []


def test_race__with_events_that_other_members_claim_too():
    """The same ids for other members in the other order: conflicts, never a circle of waiting."""
    one, two, key = make_member(credits="1000"), make_member(credits="1000"), make_key()
    first = [body(one, eventId=f"c{number}", quantity="1") for number in range(60)]
    second = [body(two, eventId=f"c{number}", quantity="1") for number in reversed(range(60))]
    outcomes = together(lambda: receive(first, key), lambda: receive(second, key))
    assert sorted(outcome.accepted for outcome in outcomes) == [0, 60]
    assert sorted(outcome.conflicts for outcome in outcomes) == [0, 60]
    assert sorted([holds(one)[0], holds(two)[0]]) == [940, 1000]
    assert broken_proofs() == []


def test_race__the_same_batch_twice_when_the_balance_covers_it_exactly_once():
    """The second finds the credits spent, and learns in time that it was by its own twin."""
    for _ in range(4):
        member, key = make_member(credits="30"), make_key()
        events = [body(member, quantity="1") for _ in range(30)]
        outcomes = together(*[lambda events=events, key=key: receive(events, key) for _ in range(3)])
        assert Counter(status for outcome in outcomes for status in statuses(outcome)) == {
            "accepted": 30,
            "duplicate": 60,
        }
        assert holds(member)[0] == 0
    assert broken_proofs() == []


def test_race__batches_and_single_events_together():
    people, key = [make_member(credits="1000") for _ in range(3)], make_key()
    events = [body(people[number % 3], eventId=f"s{number}", quantity="1") for number in range(40)]

    def singly():
        try:
            return [meter(people[number % 3], key, **events[number]).replayed for number in range(40)]
        finally:
            connection.close()

    batch, alone = together(lambda: receive(events, key), singly)
    assert batch.accepted + alone.count(False) == 40
    assert ResourceUsage.objects.count() == 40
    assert broken_proofs() == []


def test_race__nobody_spends_more_than_they_have():
    members, key = [make_member(credits="10") for _ in range(3)], make_key()
    batches = [[body(members[number % 3], quantity="1") for number in range(30)] for _ in range(4)]
    outcomes = together(*[lambda batch=batch: receive(batch, key) for batch in batches])
    assert sum(outcome.accepted for outcome in outcomes) == 30
    assert [holds(member)[0] for member in members] == [0, 0, 0]
    assert broken_proofs() == []


def worker(tmp_path, name, key, batches):
    path = tmp_path / f"{name}.ndjson"
    path.write_text("".join(json.dumps(batch) + "\n" for batch in batches))
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(key.pk), str(path)],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "habitat.settings.test"},
        stdout=subprocess.PIPE,
    )


def wait_for_a_lock(dsn, backends, seconds=60):
    """Until so many stand in the middle of their batches: what they staged is there, and a balance is not to be had."""
    deadline = time.monotonic() + seconds
    with psycopg.connect(dsn, autocommit=True) as watcher:
        while time.monotonic() < deadline:
            [waiting] = watcher.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock' AND query LIKE '%cloud_credits_meteringstage%'"
            ).fetchone()
            if waiting >= backends:
                return True
            time.sleep(0.02)
    return False


def test_killed__two_workers_with_overlapping_batches_one_killed_mid_batch_both_sent_again(tmp_path, superuser_dsn):
    people, key = [make_member(credits="1000") for _ in range(4)], make_key()
    events = [body(people[number % 4], eventId=f"k{number}", quantity="1") for number in range(200)]
    one = [events[:60], events[40:120]]
    two = [events[100:160], events[140:], events[:30]]
    with psycopg.connect(superuser_dsn) as holder:
        holder.execute("SELECT FROM cloud_credits_cloudbalance WHERE member_id = %s FOR UPDATE", [people[0].pk])
        victim, survivor = worker(tmp_path, "victim", key, one), worker(tmp_path, "survivor", key, two)
        assert wait_for_a_lock(superuser_dsn, backends=2)
        victim.send_signal(signal.SIGKILL)
        victim.wait(timeout=30)
    assert survivor.wait(timeout=120) == 0
    assert ResourceUsage.objects.filter(event_id__in=[f"k{number}" for number in range(30, 100)]).count() == 0
    again = [worker(tmp_path, name, key, batches) for name, batches in (("one", one), ("two", two))]
    assert [process.wait(timeout=120) for process in again] == [0, 0]
    assert ResourceUsage.objects.count() == 200
    assert CloudTransaction.objects.filter(type="redemption").count() == 200
    assert [holds(person)[0] for person in people] == [dec("950")] * 4
    assert MeteringStage.objects.count() == 0
    assert broken_proofs() == []


def test_killed__at_no_chosen_moment(tmp_path):
    people, key = [make_member(credits="100000") for _ in range(5)], make_key()
    batches = [
        [body(people[number % 5], eventId=f"n{batch}-{number}", quantity="1") for number in range(100)]
        for batch in range(40)
    ]
    for _ in range(3):
        process, began = worker(tmp_path, "victim", key, batches), ResourceUsage.objects.count()
        deadline = time.monotonic() + 60
        while ResourceUsage.objects.count() <= began + 200 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.003)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        assert ResourceUsage.objects.count() % 100 == 0
    assert worker(tmp_path, "again", key, batches).wait(timeout=120) == 0
    assert ResourceUsage.objects.count() == 4000
    assert sum(holds(person)[0] for person in people) == 500_000 - 4000
    assert broken_proofs() == []


def test_race__charged_elsewhere_between_being_judged_and_being_held(monkeypatch):
    """Who could pay when the usage was written may not be able to any more: it is settled again, with all held."""
    poor, rich, key = make_member(credits="10"), make_member(credits="10"), make_key()
    hold, written = metering_batch.locks.staged_balances, []

    def later(first, last):
        written.append(ResourceUsage.objects.count())
        if len(written) == 1:
            together(lambda: receive([body(poor, quantity="8")], key))
        return hold(first, last)

    monkeypatch.setattr(metering_batch.locks, "staged_balances", later)
    outcome = receive([body(poor, quantity="3"), body(rich, quantity="3"), body(poor, quantity="2")], key)

    assert statuses(outcome) == ["rejected", "accepted", "accepted"]
    # The usage of all three; the one between; and again, with the balances held before any is written.
    assert written == [3, 1, 1]
    assert [holds(poor)[0], holds(rich)[0]] == [0, 7]
    assert broken_proofs() == []


def in_between(monkeypatch, happens):
    """A batch whose usage is written and whose balances are not held yet, when something happens; once."""
    hold, once = metering_batch.locks.staged_balances, []

    def later(first, last):
        if not once:
            once.append(together(happens))
        return hold(first, last)

    monkeypatch.setattr(metering_batch.locks, "staged_balances", later)


def on_its_own_connection(call):
    try:
        return call()
    finally:
        connection.close()


def test_race__suspended_between_being_judged_and_being_held(monkeypatch):
    gone, other, key = make_member(credits="10"), make_member(credits="10"), make_key()
    suspend = lambda: members.suspend(member=gone, reason="under review", acting=SYSTEM)  # noqa: E731
    in_between(monkeypatch, lambda: on_its_own_connection(suspend))
    outcome = receive([body(gone, quantity="3"), body(other, quantity="3")], key)
    assert [answer.get("code") for answer in answers(outcome)] == ["member_not_active", None]
    assert [holds(gone)[0], holds(other)[0]] == [10, 7]
    assert broken_proofs() == []


def test_race__a_first_cap_set_between_being_judged_and_being_held(monkeypatch):
    careful, other, key = make_member(credits="10"), make_member(credits="10"), make_key()
    cap = lambda: spending.set_limits(  # noqa: E731
        member=careful, monthly_cap=cloud("4"), low_balance=None, acting=actor(careful)
    )
    in_between(monkeypatch, lambda: on_its_own_connection(cap))
    outcome = receive([body(careful, quantity="3"), body(other, quantity="3"), body(careful, quantity="2")], key)
    assert [answer.get("code") for answer in answers(outcome)] == [None, None, "spend_cap_reached"]
    assert [holds(careful)[0], holds(other)[0]] == [7, 7]
    assert SpendCap.objects.get().spent == 3
    assert broken_proofs() == []


def test_race__a_stream_in_overlapping_pieces_from_many_clients():
    """From services that send again what they are not sure of: each piece meets others under way, time and again."""
    people, key = [make_member(credits="10000") for _ in range(6)], make_key()
    events = [body(people[number % 6], eventId=f"t{number}", quantity="1") for number in range(1200)]

    def client(seed):
        dice = random.Random(seed)
        return [receive(dice.sample(events[step * 100 : step * 100 + 300], 100), key) for step in range(10)]

    outcomes = [
        outcome for each in together(*[lambda seed=seed: client(seed) for seed in range(8)]) for outcome in each
    ]
    sent = ResourceUsage.objects.count()
    assert sum(outcome.accepted for outcome in outcomes) == sent
    assert sum(outcome.accepted + outcome.duplicates for outcome in outcomes) == 8 * 10 * 100
    assert sum(holds(person)[0] for person in people) == 60_000 - sent
    assert broken_proofs() == []


# --- who has an event's id, and who has the balance


def meeting(monkeypatch, *calls):
    """Each of these waits for the others the first time it is called; returns how often each was."""
    gate, counts = Barrier(len(calls)), Counter()

    def met(name, call):
        def later(*args, **given):
            counts[name] += 1
            if counts[name] == 1:
                gate.wait(timeout=30)
            return call(*args, **given)

        return later

    for module, name in calls:
        monkeypatch.setattr(module, name, met(name, getattr(module, name)))
    return counts


def test_race__a_single_event_has_the_balance_and_a_batch_its_id(monkeypatch):
    """The single event lets go of the balance, and is told what became of its twin."""
    member, key = make_member(credits="10"), make_key()
    event = body(member, quantity="1")
    counts = meeting(monkeypatch, (metering_batch.locks, "staged_balances"), (metering, "_write"))
    single = lambda: meter(member, key, **event).replayed  # noqa: E731
    outcome, replayed = together(lambda: receive([event], key), lambda: on_its_own_connection(single))
    assert (statuses(outcome), replayed) == (["accepted"], True)
    assert counts["staged_balances"] == 1
    assert (holds(member)[0], ResourceUsage.objects.count()) == (9, 1)
    assert broken_proofs() == []


def test_race__a_batch_with_somebody_short_has_the_balances_and_another_batch_the_ids(monkeypatch):
    """Whoever holds balances lets go of them, and finds the events known when it comes back."""
    rich, poor, key = make_member(credits="10"), make_member(credits="1"), make_key()
    event = body(rich, quantity="1")
    gate, hold, briefly = Barrier(2), metering_batch.locks.staged_balances, metering_batch.locks.briefly
    who, met = local(), []

    def holding(first, last):
        if who.has_ids:
            gate.wait(timeout=30)
        return hold(first, last)

    def writing():
        if not met:
            met.append(gate.wait(timeout=30))
        return briefly()

    def sends(has_ids, *events):
        who.has_ids = has_ids
        return receive(events, key)

    monkeypatch.setattr(metering_batch.locks, "staged_balances", holding)
    monkeypatch.setattr(metering_batch.locks, "briefly", writing)
    whole, short = together(lambda: sends(True, event), lambda: sends(False, body(poor, quantity="2"), event))
    assert met
    assert (statuses(whole), statuses(short)) == (["accepted"], ["rejected", "duplicate"])
    assert [holds(rich)[0], holds(poor)[0]] == [9, 1]
    assert broken_proofs() == []


def test_race__whoever_passes_by_such_a_circle_is_not_stopped_for_it(monkeypatch, superuser_dsn):
    """One who needs both balances, and no id, waits a moment and goes through: the database has nothing to end."""
    first, second, key = make_member(credits="10"), make_member(credits="10"), make_key()
    event = body(second, quantity="1")
    lock = "SELECT FROM cloud_credits_cloudbalance WHERE member_id = %s FOR NO KEY UPDATE"
    with psycopg.connect(superuser_dsn) as passer:
        passer.execute(lock, [first.pk])
        counts = meeting(monkeypatch, (metering_batch.locks, "staged_balances"), (metering, "_write"))

        def pass_by():
            while not counts["_write"]:
                time.sleep(0.01)
            passer.execute(lock, [second.pk])
            passer.commit()
            return True

        single = lambda: meter(second, key, **event).replayed  # noqa: E731
        outcome, replayed, passed = together(
            lambda: receive([event, body(first, quantity="1")], key),
            lambda: on_its_own_connection(single),
            pass_by,
        )
    assert (statuses(outcome), replayed, passed) == (["accepted", "accepted"], True, True)
    assert [holds(first)[0], holds(second)[0]] == [9, 9]
    assert broken_proofs() == []
