"""A worker killed with SIGKILL at any point: every event reaches every subscriber, and its effect happens once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from habitat.events.actions.outbox import emit
from habitat.events.models import Delivery
from habitat.events.reports.proofs import PROOFS
from habitat.members.policies.actors import SYSTEM
from tests.events.facts import BellRang, effects, heard_by, ring_up

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def worker(point: str) -> Iterator[subprocess.Popen[str]]:
    """A worker process on this test's database (its name is in the environment)."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "habitat.settings.test"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.events.crashing", point],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()


def announce(count: int) -> list[int]:
    """Committed events, each with a delivery to notifications, treasury and analytics."""
    with heard_by("notifications", ring_up), heard_by("treasury", ring_up), transaction.atomic():
        return emit(*(BellRang(amount=str(number)) for number in range(count)), acting=SYSTEM)


def kill_at(point: str) -> None:
    with worker(point) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == point
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(timeout=10) == -signal.SIGKILL


def end_leases() -> None:
    # PostgreSQL notices the dead worker's connection by itself; its row lock goes with it.
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
            if cursor.fetchone() == (0,):
                cursor.execute("UPDATE events_delivery SET due_at = now() WHERE state = 'delivering'")
                return
        time.sleep(0.05)
    raise AssertionError("the dead worker's connection is still there")


def drain_in_another_worker() -> None:
    with worker("none") as process:
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("point", ["claimed", "handling", "delivered"])
def test_killed_worker__loses_nothing_and_repeats_nothing(point: str) -> None:
    ids = announce(5)
    kill_at(point)

    open_deliveries = Delivery.objects.exclude(state="delivered")
    assert open_deliveries.filter(state="delivering").exists()
    expected = {ids[0]: 1} if point == "delivered" else {}
    assert effects() == expected

    end_leases()
    drain_in_another_worker()

    assert not open_deliveries.exists()
    assert effects() == dict.fromkeys(ids, 2)  # once for notifications, once for treasury
    assert all(proof.run().ok for proof in PROOFS)
    assert max(Delivery.objects.values_list("attempts", flat=True)) == 2


def test_worker_never_started__the_committed_event_waits_for_the_next() -> None:
    ids = announce(1)
    assert effects() == {}
    drain_in_another_worker()
    assert effects() == {ids[0]: 2}


def test_poison__that_killed_its_workers_is_set_aside_without_another_try() -> None:
    ids = announce(1)
    Delivery.objects.exclude(subscriber="treasury").update(due_at="2100-01-01T00:00Z")
    for _ in range(2):
        kill_at("handling")
        end_leases()
    Delivery.objects.filter(subscriber="treasury").update(attempts=8)
    drain_in_another_worker()
    poison = Delivery.objects.get(subscriber="treasury", event_id=ids[0])
    assert (poison.state, poison.attempts) == ("dead", 9)
    assert effects() == {}
