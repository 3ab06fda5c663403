"""`make run`: bring the whole house up on one machine, keep it up, and take it down on Ctrl-C.

The order: PostgreSQL (unless DATABASE_URL names one), the sandboxes of Stripe and the bank (unless keys of the real
ones are there), migrations as the owner, the demo cooperative, then the web server and the worker side by side. A
child that dies is started again, later each time. A lock held for as long as this process lives says that the house
is up; a mark in every child's environment lets the next run find and end what a killed run left behind.
"""

import ctypes
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from habitat.local import sandboxes
from habitat.local.binaries import LocalError
from habitat.local.cluster import CHECKOUT, HOST, Cluster, development_cluster

FIRST_PORT = 8000
PORTS_TRIED = 50
WEB_PATIENCE_SECONDS = 60.0
SANDBOX_PATIENCE_SECONDS = 30.0
STOP_PATIENCE_SECONDS = 15.0
STEADY_SECONDS = 60.0
# Counted only while the house opens: once it has served, it is brought back for as long as it takes.
FAILURES_BEFORE_GIVING_UP = 3
LONGEST_PAUSE_SECONDS = 30.0
MARK = "HABITAT_RUN"
PR_SET_PDEATHSIG = 1
DEMO = CHECKOUT / "habitat" / "site" / "management" / "commands" / "demo.py"


class Stopped(BaseException):
    """Somebody asked the house to go down: Ctrl-C, SIGTERM or a closed terminal."""


@dataclass
class Child:
    """One process that is kept running, and what is known about its deaths."""

    title: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = field(default=0.0)


class House:
    """What this run started, so that it can be taken down again."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.children: list[Child] = []
        self.step: subprocess.Popen[str] | None = None

    def run_step(self, title: str, arguments: list[str]) -> list[str]:
        """Run one manage.py command to its end, showing its lines; they are returned too. LocalError if it fails."""
        say(title)
        self.step = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()),
        )
        lines = []
        for line in _lines(self.step.stdout):
            lines.append(line)
            say(f"    {line}")
        if self.step.wait() != 0:
            raise LocalError(f"`manage.py {' '.join(arguments)}` failed; what it said is above.")
        self.step = None
        return lines

    def start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            child.command,
            cwd=CHECKOUT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()),
        )
        child.started = time.monotonic()
        if child not in self.children:
            self.children.append(child)

    def tend(self) -> None:
        """Start again what died, at once the first time, then after a growing pause."""
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.due:
                    self.start(child)
            elif child.process.poll() is not None:
                code = child.process.returncode
                _end_group(child.process.pid, signal.SIGKILL)
                child.failures = 1 if now - child.started > STEADY_SECONDS else child.failures + 1
                pause = min(2.0 ** (child.failures - 1), LONGEST_PAUSE_SECONDS)
                say(f"The {child.title} ended unexpectedly ({_how(code)}); starting it again in {pause:.0f} s.")
                child.process, child.due = None, now + pause

    def stop(self) -> None:
        """Ask everything to end, wait a little, then make it."""
        going = [child.process for child in self.children if child.process is not None]
        groups = [process.pid for process in going] + ([self.step.pid] if self.step is not None else [])
        for leader in groups:
            # Only the leader is asked: it knows in which order its own children go.
            with suppress(ProcessLookupError):
                os.kill(leader, signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE_SECONDS
        while any(process.poll() is None for process in going) and time.monotonic() < deadline:
            time.sleep(0.05)
        for group in groups:
            _end_group(group, signal.SIGKILL)


def main() -> int:
    state = CHECKOUT / ".local"
    state.mkdir(exist_ok=True)
    with (state / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"The house is already up: {_known_address(state)}. Ctrl-C there stops it.\n")
            return 1
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _on_signal)
        try:
            return _live(state)
        except LocalError as trouble:
            sys.stderr.write(f"{trouble}\n")
            return 1


def _live(state: Path) -> int:
    end_leftovers(state / "run.json")
    mark = secrets.token_hex(12)
    port = free_port(int(os.environ.get("PORT") or FIRST_PORT))
    address = f"http://{HOST}:{port}/"
    (state / "run.json").write_text(json.dumps({"mark": mark, "address": address}))
    house = House(_environment(mark, address))
    cluster = None if os.environ.get("DATABASE_URL") else development_cluster()
    ours = cluster is not None and not cluster.running()
    try:
        _open_doors(house, cluster, port, address)
        while True:
            house.tend()
            time.sleep(0.3)
    except Stopped:
        say("Stopping …")
        return 0
    finally:
        # From here on a second Ctrl-C must not leave half of it behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        house.stop()
        if cluster is not None and ours:
            cluster.stop()
        (state / "run.json").unlink(missing_ok=True)
        say("Stopped. The data is kept: `make run` brings it back.")


def _open_doors(house: House, cluster: Cluster | None, port: int, address: str) -> None:
    if cluster is not None:
        say("Starting PostgreSQL …")
        cluster.ensure()
    open_sandboxes(house, CHECKOUT / ".local" / "sandbox")
    house.run_step("Bringing the tables up to date (the first time takes a minute) …", ["migrate", "--verbosity", "1"])
    logins = house.run_step("Preparing the demo cooperative …", ["demo"]) if DEMO.exists() else []
    say("Starting the web server and the worker …")
    web = Child("web server", _web_command(port))
    house.start(web)
    house.start(Child("worker", [sys.executable, "manage.py", "qcluster"]))
    _await_web(house, web, port)
    say("\n".join(["", f"Habitat is open at {address}", *(f"    {line}" for line in logins), "Ctrl-C stops it.", ""]))


def open_sandboxes(house: House, folder: Path) -> None:
    """Start the sandboxes this environment leaves room for, wait until they answer, tell the others where they are."""
    plan = sandboxes.planned(
        folder=folder, site=house.environment["SITE_URL"], given=house.environment, port_from=free_port
    )
    if not plan.servers:
        return
    say("Starting the sandboxes of Stripe and the bank …")
    house.environment |= plan.environment
    for server in plan.servers:
        house.start(Child(server.title, server.command))
    deadline = time.monotonic() + SANDBOX_PATIENCE_SECONDS
    while not all(sandboxes.answers(server.port) for server in plan.servers):
        if time.monotonic() > deadline:
            raise LocalError("A sandbox does not answer; what it said is above.")
        house.tend()
        time.sleep(0.2)
    sandboxes.leave_word(folder, plan.environment)


def _await_web(house: House, web: Child, port: int) -> None:
    deadline = time.monotonic() + WEB_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        # gunicorn listens before it has loaded the application: only an answer says that it serves.
        if web.process is not None and web.process.poll() is None and _answers(port):
            return
        if web.failures >= FAILURES_BEFORE_GIVING_UP:
            break
        house.tend()
        time.sleep(0.2)
    raise LocalError("The web server does not answer; what it said is above.")


def _web_command(port: int) -> list[str]:
    gunicorn = [sys.executable, "-m", "gunicorn", "habitat.wsgi:application", "--bind", f"{HOST}:{port}"]
    gunicorn += ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--log-level", "warning"]
    return [*gunicorn, "--graceful-timeout", "5", "--worker-tmp-dir", "/dev/shm" if _has_shm() else "/tmp"]


def _has_shm() -> bool:
    return os.access("/dev/shm", os.W_OK)


def _environment(mark: str, address: str) -> dict[str, str]:
    settings = os.environ.get("DJANGO_SETTINGS_MODULE", "habitat.settings.development")
    site = os.environ.get("SITE_URL") or address.rstrip("/")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": settings,
        "SITE_URL": site,
        # The house as its people see it: their own pages for what is not there, not a developer's.
        "DEBUG": os.environ.get("DEBUG", "false"),
        "PYTHONUNBUFFERED": "1",
        MARK: mark,
    }


def free_port(first: int) -> int:
    """`first`, or the next port on which nothing listens."""
    for port in range(first, first + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                if port != first:
                    say(f"Port {first} is taken; using {port}.")
                return port
    raise LocalError(f"No free port from {first} to {first + PORTS_TRIED - 1}; set PORT to another.")


def end_leftovers(record: Path) -> None:
    """End what a killed run left behind: processes that carry the mark it wrote down, and no others."""
    with suppress(OSError, ValueError, KeyError):
        mark = json.loads(record.read_text())["mark"]
        left = marked(mark)
        if left:
            say(f"Ending {len(left)} processes that an interrupted run left behind …")
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + STOP_PATIENCE_SECONDS / 3
            while left and time.monotonic() < deadline:
                time.sleep(0.05)
                left = marked(mark)
        record.unlink()


def marked(mark: str) -> list[int]:
    """Processes whose environment carries `mark`, by /proc; none where there is no /proc."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def say(line: str) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=10) as door:
        door.sendall(f"GET /api/health HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n".encode())
        return door.recv(5) == b"HTTP/"
    return False


def _known_address(state: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        return str(json.loads((state / "run.json").read_text())["address"])
    return "it is just starting"


def _end_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _lines(stream: IO[str] | None) -> Iterator[str]:
    for line in stream or ():
        yield line.rstrip()


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """For Linux: the child is told to end when this process is gone, however it went."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return in_child


if __name__ == "__main__":
    sys.exit(main())
