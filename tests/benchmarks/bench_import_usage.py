"""`manage.py import_usage` of a large file: events a second, and the most memory the process ever held.

BENCH_IMPORT_EVENTS (1000000) events of 1,000 members, as NDJSON, and a tenth as many as CSV.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks import databases

EVENTS = int(os.environ.get("BENCH_IMPORT_EVENTS", "1000000"))
MEMBERS = 1_000
COLUMNS = ("eventId", "memberId", "primitive", "quantity", "unit", "serviceName", "timestamp")

_prefix = ""


def run() -> dict[str, Any]:
    databases.build_template(_house)
    name = databases.clone("bench_import")
    databases.use(name)
    from habitat.members.models import Member

    members = list(Member.objects.filter(system_code__isnull=True).order_by("id").values_list("id", flat=True))
    databases.close()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for form, events in (("ndjson", EVENTS), ("csv", EVENTS // 10)):
            path = Path(folder) / f"usage.{form}"
            _write(path, form, events, members)
            seconds, mebibytes = _import(name, path)
            figures[f"{form} events a second"] = events / seconds
            figures[f"{form} peak memory, MiB"] = mebibytes
    figures["aim of the memory"] = "< 300 MiB"
    figures["events"] = f"{EVENTS} NDJSON, {EVENTS // 10} CSV"
    _require_whole(name)
    figures["conservation"] = "every proof of the ledger holds"
    return figures


def _house() -> None:
    global _prefix
    from habitat.controls.actions import service_keys
    from habitat.members.policies.actors import SYSTEM
    from tests.factories import make_member

    for _ in range(MEMBERS):
        make_member(credits="1000000")
    key, _ = service_keys.create(name="bench", scopes=["metering:write"], acting=SYSTEM)
    _prefix = key.prefix


def _write(path: Path, form: str, events: int, members: list[int]) -> None:
    dice, now = random.Random(events), datetime.now(tz=UTC)
    with path.open("w") as stream:
        if form == "csv":
            stream.write(",".join(COLUMNS) + "\n")
        for number in range(events):
            at = (now - timedelta(microseconds=number)).isoformat()
            cells = (f"{form}-{number}", str(dice.choice(members)), "compute", "0.01", "compute-hours", "bench", at)
            line = json.dumps(dict(zip(COLUMNS, cells, strict=True))) if form == "ndjson" else ",".join(cells)
            stream.write(line + "\n")


def _import(name: str, path: Path) -> tuple[float, float]:
    """Seconds, and the peak resident size in MiB, of one run of the command.

    Read from the process itself while it runs: what wait4 tells includes what its parent held when it was born.
    """
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "habitat.settings.bench", "HABITAT_BENCH_DATABASE": name}
    command = [sys.executable, "manage.py", "import_usage", str(path), "--key", _prefix]
    began = time.perf_counter()
    process, peak = subprocess.Popen(command, env=environment), 0
    while process.poll() is None:
        peak = max(peak, _peak_of(process.pid))
        time.sleep(0.02)
    if process.returncode:
        message = f"import_usage ended with {process.returncode}"
        raise AssertionError(message)
    return time.perf_counter() - began, peak / 1024


def _peak_of(pid: int) -> int:
    """KiB the process ever held, as the kernel counts them; 0 when it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _require_whole(name: str) -> None:
    databases.use(name)
    from cloud_credits.models import ResourceUsage
    from cloud_credits.reports.proofs import PROOFS

    recorded = ResourceUsage.objects.count()
    broken = [proof.name for proof in PROOFS if not proof.run().ok]
    databases.close()
    if broken or recorded != EVENTS + EVENTS // 10:
        message = f"{recorded} recorded; {broken}"
        raise AssertionError(message)
