"""Production refuses what is for drills only."""

import os
import subprocess
import sys
from pathlib import Path

from habitat.local.check import PRODUCTION

ROOT = Path(__file__).resolve().parents[2]


def start_production(**more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import habitat.settings.production"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **PRODUCTION, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_production__starts_without_a_kill_point() -> None:
    assert start_production().returncode == 0


def test_production__refuses_to_start_with_a_kill_point_armed() -> None:
    answer = start_production(SAGA_KILL_POINT="cake/order/forward/after_call")
    assert answer.returncode == 1
    assert "ImproperlyConfigured: SAGA_KILL_POINT makes this process kill itself" in answer.stderr


def test_production__asks_no_bank_but_mercury() -> None:
    answer = start_production(MERCURY_API_BASE="http://127.0.0.1:8812")
    assert answer.returncode == 1
    assert "ImproperlyConfigured: MERCURY_API_BASE is not Mercury's own address" in answer.stderr
    assert start_production(MERCURY_API_BASE="https://api.mercury.com").returncode == 0
