"""`make run`'s supervisor: free ports, leftovers of a killed run, children that die, an orderly end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from habitat.local import environment, run
from habitat.local.binaries import LocalError

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def _until(condition: object, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_free_port__takes_the_next_when_the_first_is_taken() -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        taken = squatter.getsockname()[1]
        assert taken < run.free_port(taken) < taken + run.PORTS_TRIED


def test_end_leftovers__ends_what_carries_the_mark_and_nothing_else(tmp_path: Path) -> None:
    record = tmp_path / "run.json"
    record.write_text(json.dumps({"mark": "a-test's-mark", "address": ""}))
    left = subprocess.Popen(SLEEP, env={**os.environ, run.MARK: "a-test's-mark"})
    stranger = subprocess.Popen(SLEEP, env={**os.environ, run.MARK: "another"})
    try:
        assert _until(lambda: run.marked("a-test's-mark") == [left.pid])
        run.end_leftovers(record)
        assert left.wait(10) == -signal.SIGTERM
        assert stranger.poll() is None
        assert not record.exists()
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait()


def test_tend__brings_a_dead_child_back_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    house = run.House({**os.environ})
    child = run.Child("worker", SLEEP)
    house.start(child)
    try:
        assert child.process is not None
        first = child.process.pid
        os.kill(first, signal.SIGKILL)
        assert _until(lambda: house.tend() or child.process is None)
        assert _until(lambda: house.tend() or child.process is not None)
        assert child.process.pid != first
        assert "The worker ended unexpectedly (signal 9); starting it again in 1 s." in capsys.readouterr().out
    finally:
        house.stop()
    assert child.process.poll() is not None


def test_tend__waits_longer_each_time() -> None:
    house = run.House({**os.environ})
    child = run.Child("worker", [sys.executable, "-c", ""])
    pauses = []
    for _death in range(3):
        house.start(child)
        assert _until(lambda: house.tend() or child.process is None)
        pauses.append(round(child.due - time.monotonic()))
    assert pauses == [1, 2, 4]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child that its parent died")
def test_children__end_with_a_killed_supervisor() -> None:
    script = (
        "import os, sys, time; from habitat.local.run import House, Child; "
        f"h = House(dict(os.environ)); c = Child('worker', {SLEEP!r}); h.start(c); "
        "print(c.process.pid, flush=True); time.sleep(600)"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", script], cwd=run.CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    assert _until(lambda: not _lives(child))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_run_step__a_failing_command_stops_the_start() -> None:
    house = run.House({**os.environ})
    with pytest.raises(LocalError, match="no_such_command"):
        house.run_step("Trying …", ["no_such_command"])


def test_environment__an_old_python_is_told_what_is_needed() -> None:
    script = (
        "import sys; sys.argv = ['environment.py', 'run']; "
        "sys.version_info = (3, 9, 2, 'final', 0); sys.path.insert(0, 'habitat/local'); import shutil; "
        "shutil.which = lambda name: None; import environment; sys.exit(environment.main(sys.argv))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=run.CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Habitat needs Python 3.11 or later; python3 here is 3.9")
    assert environment.OLDEST == (3, 11)


def test_environment__counts_the_pins() -> None:
    assert environment.count_pins(str(run.CHECKOUT / "requirements.txt")) > 50
