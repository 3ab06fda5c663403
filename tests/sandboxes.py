"""The providers' sandboxes as processes of a test: started on a free port, ended with the test process."""

import ctypes
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
READY = "ready "
PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Sandbox:
    """A sandbox server: `Sandbox("treasury.sandbox.stripe", "--data", path, …)`."""

    def __init__(self, module: str, *arguments: str | Path) -> None:
        self.command = [sys.executable, "-m", module, *map(str, arguments)]
        self.port = 0
        self.start()

    def start(self) -> None:
        """Starts it (again, on the same port) and waits until it listens."""
        self._process = subprocess.Popen(
            [*self.command, "--port", str(self.port)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        guard = threading.Timer(30, self._process.kill)
        guard.start()
        line = self._process.stdout.readline()
        guard.cancel()
        if not line.startswith(READY):
            raise RuntimeError(f"{' '.join(self.command)} did not start.")
        self.url = line.removeprefix(READY).strip()
        self.port = int(self.url.rsplit(":", 1)[1])

    def control(self, path: str, /, **body: Any) -> Any:
        """POSTs to `/_sandbox/<path>`; anything but 2xx is an error of the test."""
        response = httpx.post(f"{self.url}/_sandbox/{path}", json=body, timeout=120, trust_env=False)
        if response.is_error:
            raise AssertionError(f"/_sandbox/{path}: {response.status_code} {response.text}")
        return response.json()

    def ask(self, path: str, /, **query: Any) -> Any:
        """GETs `/_sandbox/<path>`."""
        response = httpx.get(f"{self.url}/_sandbox/{path}", params=query, timeout=120, trust_env=False)
        response.raise_for_status()
        return response.json()

    def calls(self, **query: Any) -> list[dict[str, Any]]:
        """Every state-changing call that had an effect, in order."""
        return self.ask("calls", **query)["calls"]

    def keep(self, kept: Path) -> None:
        """Writes its whole memory, as it is now, to the file `kept`."""
        with closing(sqlite3.connect(self._data)) as connection:
            connection.execute("VACUUM INTO ?", [str(kept)])

    def bring_back(self, kept: Path) -> None:
        """Its memory is what `keep` wrote, while it runs on."""
        with closing(sqlite3.connect(self._data, isolation_level=None, timeout=30)) as connection:
            connection.execute("ATTACH ? AS kept", [str(kept)])
            tables = "SELECT name FROM kept.sqlite_master WHERE type = 'table'"
            connection.execute("BEGIN IMMEDIATE")
            for (table,) in connection.execute(tables).fetchall():
                connection.execute(f"DELETE FROM main.{table}")
                connection.execute(f"INSERT INTO main.{table} SELECT * FROM kept.{table}")
            connection.execute("COMMIT")

    @property
    def _data(self) -> str:
        return self.command[self.command.index("--data") + 1]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def stripe_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    data = tmp_path_factory.mktemp("stripe") / "stripe.sqlite3"
    sandbox = Sandbox(
        "treasury.sandbox.stripe", "--data", data, "--api-key", "sk_test_sandbox", "--webhook-secret", "whsec_sandbox"
    )
    yield sandbox
    sandbox.stop()


@pytest.fixture
def stripe_sandbox(stripe_server: Sandbox) -> Sandbox:
    """Stripe's sandbox, empty, with the same ids in every test; no webhook address until a test names one."""
    stripe_server.control("webhooks", url=None, mode="normal", retry_ms=1_000)
    stripe_server.control("reset", seed="test")
    return stripe_server


MERCURY_TOKEN = "secret-token:mercury_sandbox"


@pytest.fixture(scope="module")
def mercury_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    data = tmp_path_factory.mktemp("mercury") / "mercury.sqlite3"
    sandbox = Sandbox("treasury.sandbox.mercury", "--data", data, "--token", MERCURY_TOKEN)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def mercury_sandbox(mercury_server: Sandbox) -> Sandbox:
    """The bank's sandbox, empty; its token is MERCURY_TOKEN."""
    mercury_server.control("reset")
    return mercury_server
