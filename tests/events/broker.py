"""A RabbitMQ that tests may kill and start again on the same data and port."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from habitat.local.cluster import HOST
from tests import rabbitmq


class Broker:
    """One server on its own folder; `url` stays the same from start to start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = [rabbitmq._free_port() for _ in range(3)]
        # Another name than the shared broker's, which runs beside this one.
        self._environment = rabbitmq._environment(folder, *self._ports)
        self._environment["RABBITMQ_NODENAME"] = f"habitatcrash{os.getpid()}@localhost"
        self.url = f"amqp://guest:guest@{HOST}:{self._ports[0]}//"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self._folder / "server.log"
        with log.open("a") as output:
            self._server = subprocess.Popen(
                [str(rabbitmq.server_program())],
                env=self._environment,
                cwd=self._folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        rabbitmq._await(self._server, self._ports[0], log)

    def kill(self) -> None:
        """SIGKILL to the server and all it started."""
        if self._server is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait(timeout=30)
            self._server = None

    def clear_away(self) -> None:
        self.kill()
        subprocess.run(
            ["epmd", "-port", str(self._ports[2]), "-kill"],
            capture_output=True,
            env=self._environment,
            check=False,
            timeout=30,
        )


@contextmanager
def mortal_broker(folder: Path) -> Iterator[Broker]:
    broker = Broker(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.clear_away()
