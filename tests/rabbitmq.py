"""A RabbitMQ of the suite's own: Debian's server, own data, own ports, loopback only, gone afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from habitat.local.cluster import HOST

START_PATIENCE_SECONDS = 90.0
STOP_PATIENCE_SECONDS = 30.0
# Debian's own wrapper in /usr/sbin insists on its service user and folders; the script behind it does not.
PROGRAMS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),)
GREETING = b"AMQP\x00\x00\x09\x01"


def server_program() -> Path | None:
    for program in PROGRAMS:
        if program.exists():
            return program
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Start a broker whose files lie in `folder`; its amqp:// URL. It is stopped when the block ends."""
    program = server_program()
    assert program is not None, "no RabbitMQ here: mark the test `rabbitmq`"
    port, distribution, mapper = (_free_port() for _ in range(3))
    environment = _environment(folder, port, distribution, mapper)
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [str(program)], env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(server, port, folder / "server.log")
        yield f"amqp://guest:guest@{HOST}:{port}//"
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_PATIENCE_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        # The port mapper is a daemon that the server started; it would stay.
        subprocess.run(
            ["epmd", "-port", str(mapper), "-kill"], capture_output=True, env={**environment}, check=False, timeout=30
        )


def _environment(folder: Path, port: int, distribution: int, mapper: int) -> dict[str, str]:
    (folder / "enabled_plugins").write_text("[].\n")
    (folder / "rabbitmq.conf").write_text("disk_free_limit.absolute = 1MB\nlog.console.level = warning\n")
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_"))}
    return ours | {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"habitat{os.getpid()}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": HOST,
    }


def _await(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=2) as door:
            door.sendall(GREETING)
            if door.recv(1):
                return
        time.sleep(0.2)
    raise RuntimeError(f"RabbitMQ did not start:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
