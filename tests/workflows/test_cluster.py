"""The real worker: `manage.py qcluster` makes its own schedule, hears a wake, and delivers within seconds."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import transaction
from django_q.models import Schedule, Task

from habitat.events.actions.outbox import emit
from habitat.events.models import Delivery, EventCount
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.models import Job
from tests.events.facts import BellRang

ROOT = Path(__file__).resolve().parents[2]


def wait_for(what, seconds: float = 45) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "the worker did nothing in time"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_qcluster__ticks_delivers_and_stops(tmp_path: Path, settings) -> None:
    Schedule.objects.all().delete()
    settings.EVENT_WAKE = "timer"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "habitat.settings.test", "EVENT_WAKE": "timer"}
    with (tmp_path / "log").open("w") as log:
        cluster = subprocess.Popen(
            [sys.executable, "manage.py", "qcluster"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(lambda: Job.objects.filter(state="done").exists())
        assert Schedule.objects.get().name == "tick"
        with transaction.atomic():
            emit(BellRang(amount="1"), acting=SYSTEM)
        wait_for(lambda: EventCount.objects.filter(name="bell.rang", count=1).exists())
        # The first tick's own work (readings, proofs) also tells its events, and may be at it still.
        wait_for(lambda: not Delivery.objects.exclude(state="delivered").exists())
        wait_for(lambda: not queue._TIMER._running)
        assert not Task.objects.filter(success=False).exists()
        cluster.send_signal(signal.SIGTERM)
        assert cluster.wait(timeout=30) == 0
    except BaseException:
        sys.stderr.write((tmp_path / "log").read_text())
        raise
    finally:
        if cluster.poll() is None:
            os.killpg(cluster.pid, signal.SIGKILL)
            cluster.wait(timeout=10)
