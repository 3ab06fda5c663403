"""The product as it is served: gunicorn on a free port, on one database of the benchmark cluster."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

WORKERS = 2
THREADS = 8


@contextmanager
def gunicorn(name: str) -> Iterator[int]:
    """Its port; it answers when this is entered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "habitat.settings.bench", "HABITAT_BENCH_DATABASE": name}
    command = [sys.executable, "-m", "gunicorn", "habitat.wsgi:application", "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS)]
    command += ["--keep-alive", "60", "--timeout", "120", "--log-level", "error"]
    server = subprocess.Popen(command, env=environment)
    try:
        _wait_for(port)
        _warm(port)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    message = "gunicorn does not answer"
    raise AssertionError(message)


def _warm(port: int) -> None:
    """Every worker has read all of the code before anybody measures it: gunicorn listens long before."""
    with ThreadPoolExecutor(WORKERS * THREADS) as pool:
        list(pool.map(_ask, [port] * 4 * WORKERS * THREADS))


def _ask(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/api/health")
    connection.getresponse().read()
    connection.close()
