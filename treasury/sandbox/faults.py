"""Failures on request: an answer of 500 or 429, silence, or a reset connection, before or after the effect."""

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass

KINDS = ("500", "429", "timeout", "reset")
MOMENTS = ("before", "after")


class ConnectionCut(ConnectionError):
    """The connection was reset on purpose; nothing more can be written to it."""


@dataclass(slots=True)
class Fault:
    """`kind` at the `moment` of each of the next `times` requests with this method and path prefix."""

    kind: str
    moment: str = "before"
    method: str = ""
    path: str = "/"
    times: int = 1
    retry_after: int = 1
    seconds: int = 30

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.moment not in MOMENTS or self.times < 1:
            raise ValueError(f"A fault is one of {KINDS}, at one of {MOMENTS}, at least once.")


class Faults:
    """The failures that still wait for their request; they do not survive a restart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The first waiting failure that this request meets, used up by one."""
        with self._lock:
            for fault in self._waiting:
                if fault.method.upper() in ("", method) and path.startswith(fault.path):
                    fault.times -= 1
                    if fault.times == 0:
                        self._waiting.remove(fault)
                    return fault
        return None


def cut(environ: dict[str, object], fault: Fault) -> None:
    """Resets the request's connection, after the silence of a timeout. Raises ConnectionCut always."""
    if fault.kind == "timeout":
        time.sleep(fault.seconds)
    connection = environ.get("werkzeug.socket") or environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        with contextlib.suppress(OSError):
            # Lingering for no time turns the close into a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    raise ConnectionCut("The sandbox cut this connection on request.")
