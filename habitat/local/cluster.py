"""The house's own PostgreSQL: made, started, recovered and stopped without anybody's help.

A cluster's folder holds `cluster.json` (port and passwords), `lock`, and `server/` with the data and the log.
Ways a server can have died, and what `ensure()` does: worker processes that outlived a killed server hold its shared
memory, so they are ended first; a `postmaster.pid` that names no server of ours is forgotten; a half-made data folder
never had its final name and is thrown away; a port taken by another program is changed for a free one. There is no
Unix socket, so none can be left behind.
"""

import argparse
import fcntl
import hashlib
import json
import locale
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from habitat.local import roles
from habitat.local.binaries import (
    ROOT_STATE,
    Binaries,
    LocalError,
    ServiceUser,
    find_binaries,
    run_program,
    service_user,
)

Role = Literal["app", "owner", "superuser"]

CHECKOUT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
_PROC = Path("/proc/self/cmdline")
START_ATTEMPTS = 5
ORPHAN_PATIENCE_SECONDS = 2.0
TRANSITION_PATIENCE_SECONDS = 60.0
BIGGEST_LOG_BYTES = 10_000_000
MEMORY = Path("/dev/shm")
MEMORY_NEEDED_BYTES = 4 * 2**30
ROLE_NAMES = {"app": roles.APP, "owner": roles.OWNER, "superuser": "postgres"}

DURABLE_SETTINGS: dict[str, str] = {}
FORGETFUL_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    # Tests clone databases all the time, which a vacuum in the template would hold up.
    "autovacuum": "off",
}


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL cluster in `home`; the binaries are copied to `copies` when a service user must read them."""

    home: Path
    copies: Path
    durable: bool = True
    settings: tuple[tuple[str, str], ...] = ()

    def url(self, role: Role, database: str = roles.DATABASE) -> str:
        """A postgresql:// URL for one role; makes sure that the server answers first."""
        self.ensure()
        state = self._state()
        return f"postgresql://{ROLE_NAMES[role]}:{state['passwords'][role]}@{HOST}:{state['port']}/{database}"

    def ensure(self) -> None:
        """Bring the cluster to where it serves: made, recovered, running, roles and database in place."""
        if self._serves():
            return
        with self._locked():
            if self._serves():
                return
            user = service_user()
            binaries = find_binaries(self.copies, user)
            if not self._settled():
                self._recover()
                self._initialise(binaries, user)
                self._launch(binaries, user)
            self.prepare(roles.DATABASE)
            self._remember(prepared=self._wanted())

    def prepare(self, database: str) -> None:
        """Give a database of the running server the two roles and their rights; it is created when missing."""
        state = self._state()
        roles.prepare_database(
            f"postgresql://postgres:{state['passwords']['superuser']}@{HOST}:{state['port']}/postgres",
            owner_password=state["passwords"]["owner"],
            app_password=state["passwords"]["app"],
            database=database,
            owner_may_create_databases=not self.durable,
        )

    def start(self) -> None:
        """The same as `ensure()`, by the name people look for."""
        self.ensure()

    def stop(self) -> None:
        """Stop the server in an orderly way; data stays. Nothing happens when it is not running."""
        if not self.home.exists():
            return
        with self._locked():
            if not self.running():
                return
            user = service_user()
            binaries = find_binaries(self.copies, user)
            arguments = [binaries.program("pg_ctl"), "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", "60"]
            done = run_program(arguments, user=user, cwd=self.server)
            if done.returncode != 0 and self.running():
                raise LocalError(f"PostgreSQL did not stop: {done.stderr.strip() or done.stdout.strip()}")

    def running(self) -> bool:
        """Whether this cluster's own server is alive and takes connections."""
        described = self._postmaster()
        if described is None:
            return False
        pid, port = described
        return _is_server(pid, self.data) and _answers(port)

    @property
    def server(self) -> Path:
        return self.home / "server"

    @property
    def data(self) -> Path:
        return self.server / "data"

    @property
    def log(self) -> Path:
        return self.server / "postgresql.log"

    # --- what is written down about the cluster

    def _state(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.home / "cluster.json").read_text()))
        except (OSError, ValueError):
            return {}

    def _remember(self, **changes: object) -> dict[str, Any]:
        state = {**self._state(), **changes}
        unfinished = self.home / "cluster.json.new"
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(state, file, indent=1)
        unfinished.replace(self.home / "cluster.json")
        return state

    def _postmaster(self) -> tuple[int, int] | None:
        """Process id and port the server wrote down, once it said that it is ready."""
        with suppress(OSError, ValueError, IndexError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            if lines[7].strip() == "ready":
                return int(lines[0]), int(lines[3])
        return None

    def _serves(self) -> bool:
        return self._state().get("prepared") == self._wanted() and self.running()

    def _wanted(self) -> str:
        """A mark of how roles and database are prepared: another mark means preparing again."""
        source = Path(roles.__file__).read_bytes()
        return hashlib.sha256(source + repr(self.durable).encode()).hexdigest()[:16]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.home.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # --- the steps of ensure(), all under the lock

    def _settled(self) -> bool:
        """Whether a server runs, once one that is just starting or stopping has finished doing so."""
        deadline = time.monotonic() + TRANSITION_PATIENCE_SECONDS
        while not self.running():
            if not _is_server(self._written_pid(), self.data) or time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _written_pid(self) -> int:
        with suppress(OSError, ValueError, IndexError):
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        return 0

    def _recover(self) -> None:
        """End server processes that work in our data folder although no server answers; forget a stale pid file."""
        for number in (signal.SIGQUIT, signal.SIGKILL):
            left = _processes_in(self.data)
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + ORPHAN_PATIENCE_SECONDS
            while left and time.monotonic() < deadline:
                time.sleep(0.02)
                left = _processes_in(self.data)
            if not left:
                if _PROC.exists():
                    # PostgreSQL would take a zombie, or a stranger that got the old number, for its predecessor.
                    (self.data / "postmaster.pid").unlink(missing_ok=True)
                return
        raise LocalError(f"Old PostgreSQL processes in {self.data} do not end: {_processes_in(self.data)}")

    def _initialise(self, binaries: Binaries, user: ServiceUser | None) -> None:
        self.server.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user is not None:
            os.chown(self.server, user.uid, user.gid)
        for unfinished in self.server.glob("unfinished-*"):
            shutil.rmtree(unfinished)
        if self.data.exists() and self._fits(binaries):
            return
        passwords = {role: secrets.token_urlsafe(24) for role in ROLE_NAMES}
        unfinished = self.server / f"unfinished-{os.getpid()}"
        password_file = self.server / "password"
        try:
            password_file.write_text(passwords["superuser"])
            password_file.chmod(0o600)
            if user is not None:
                os.chown(password_file, user.uid, user.gid)
            done = run_program(self._initdb(binaries, unfinished, password_file), user=user, cwd=self.server)
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode != 0:
            raise LocalError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        # The passwords are known before the data has its name: a crash in between starts over.
        self._remember(passwords=passwords, prepared="")
        unfinished.rename(self.data)

    def _initdb(self, binaries: Binaries, folder: Path, password_file: Path) -> list[str]:
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command = [binaries.program("initdb"), "-D", str(folder), "-U", ROLE_NAMES["superuser"], "-E", "UTF8"]
        command += ["-A", "scram-sha-256", f"--pwfile={password_file}", "--data-checksums"]
        command += locale if binaries.major >= 17 else ["--locale=C.UTF-8" if _has_c_utf8() else "--locale=C"]
        return command if self.durable else [*command, "--no-sync"]

    def _fits(self, binaries: Binaries) -> bool:
        """Whether the data can be used by these programs. Data that may be forgotten is made anew instead."""
        version = (self.data / "PG_VERSION").read_text().strip() if (self.data / "PG_VERSION").exists() else "?"
        known = self._state().get("passwords")
        if version == str(binaries.major) and known:
            return True
        if not self.durable:
            shutil.rmtree(self.data)
            return False
        trouble = f"was made by PostgreSQL {version}" if known else f"has lost its passwords ({self.home}/cluster.json)"
        raise LocalError(
            f"The data in {self.data} {trouble}; the programs in {binaries.directory} are PostgreSQL "
            f"{binaries.major}. Bring the missing part back, dump and restore, or move the folder away to start anew."
        )

    def _launch(self, binaries: Binaries, user: ServiceUser | None) -> None:
        port = self._state().get("port")
        complaint = ""
        for _attempt in range(START_ATTEMPTS):
            if port is None or not _free(port):
                port = _free_port()
            self._remember(port=port)
            options = " ".join(f"-c {key}={value}" for key, value in self._server_settings(port).items())
            with suppress(FileNotFoundError):
                if self.log.stat().st_size > BIGGEST_LOG_BYTES:
                    self.log.unlink()
            arguments = [binaries.program("pg_ctl"), "start", "-D", str(self.data), "-l", str(self.log), "-s"]
            done = run_program([*arguments, "-w", "-t", "120", "-o", options], user=user, cwd=self.server)
            if done.returncode == 0 and self.running():
                return
            complaint = self._last_words() or done.stderr.strip()
            if _free(port):
                break
            port = None
        raise LocalError(f"PostgreSQL did not start (log: {self.log}):\n{complaint}")

    def _server_settings(self, port: int) -> dict[str, str]:
        settings = {
            "port": str(port),
            "listen_addresses": HOST,
            # Without a socket there is no stale socket, and no folder whose permissions matter.
            "unix_socket_directories": "''",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "warning",
        }
        return settings | (DURABLE_SETTINGS if self.durable else FORGETFUL_SETTINGS) | dict(self.settings)

    def _last_words(self) -> str:
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
        return ""


def development_cluster() -> Cluster:
    """The one `make run` keeps a person's data in."""
    return _cluster("development", durable=True)


def test_cluster() -> Cluster:
    """The suite's: fast, and free to forget everything when the machine stops; in memory where there is room.

    A clone of the template is well over a thousand small files, which a disk takes ten times as long to make.
    """
    state = local_state()
    return Cluster(home=_in_memory(state) or state / "test", copies=state, durable=False)


# pytest would collect it by its name wherever it is imported.
test_cluster.__test__ = False  # type: ignore[attr-defined]


def bench_cluster() -> Cluster:
    """The benchmarks': as durable as a cooperative's own server."""
    return _cluster("bench", durable=True, settings=(("max_connections", "200"),))


CLUSTERS = {"development": development_cluster, "test": test_cluster, "bench": bench_cluster}


def local_state() -> Path:
    """Where this checkout keeps its clusters: `.local/pg`; as root a folder of its own below /var/lib/habitat."""
    if os.geteuid() != 0:
        return CHECKOUT / ".local" / "pg"
    return ROOT_STATE / hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]


def _cluster(name: str, *, durable: bool, settings: tuple[tuple[str, str], ...] = ()) -> Cluster:
    state = local_state()
    return Cluster(home=state / name, copies=state, durable=durable, settings=settings)


def _in_memory(state: Path) -> Path | None:
    """A folder of this checkout and user in the machine's memory, if it has room to spare."""
    mark = hashlib.sha256(str(state).encode()).hexdigest()[:12]
    folder = MEMORY / f"habitat-{os.geteuid()}-{mark}"
    with suppress(OSError):
        if os.path.lexists(folder):
            return folder if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink() else None
        room = os.statvfs(MEMORY)
        if room.f_bavail * room.f_frsize >= MEMORY_NEEDED_BYTES and os.access(MEMORY, os.W_OK):
            return folder
    return None


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=2):
        return True
    return False


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_server(pid: int, data: Path) -> bool:
    """Whether `pid` is alive and, where the system can tell, is a server of this data folder."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if not _PROC.exists():
        return True
    with suppress(OSError):
        return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _processes_in(data: Path) -> list[int]:
    """PostgreSQL processes whose working directory is `data`, by /proc; none where there is no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            where = os.readlink(entry / "cwd").removesuffix(" (deleted)")
            if where == str(data.resolve()) and (entry / "comm").read_text().strip() == "postgres" and _alive(entry):
                found.append(int(entry.name))
    return found


def _alive(entry: Path) -> bool:
    return (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"


def _has_c_utf8() -> bool:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, before)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m habitat.local.cluster", description="The house's own PostgreSQL.")
    parser.add_argument("verb", choices=["start", "stop", "url", "home"])
    parser.add_argument("cluster", choices=sorted(CLUSTERS))
    parser.add_argument("--role", choices=sorted(ROLE_NAMES), default="app")
    arguments = parser.parse_args()
    cluster = CLUSTERS[arguments.cluster]()
    try:
        if arguments.verb == "url":
            sys.stdout.write(cluster.url(arguments.role) + "\n")
        elif arguments.verb == "home":
            sys.stdout.write(f"{cluster.home}\n")
        elif arguments.verb == "start":
            cluster.start()
        else:
            cluster.stop()
            if cluster.home.parent == MEMORY:
                shutil.rmtree(cluster.home, ignore_errors=True)
    except LocalError as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
