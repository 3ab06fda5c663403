"""One POST to a receiver somewhere on the internet: to an address that was judged, and to no other."""

import http.client
import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol
from urllib.parse import urlsplit

from habitat.notifications.errors import AddressNotAllowed, ReceiverUnreachable
from habitat.notifications.policies.webhooks import may_connect

logger = logging.getLogger(__name__)

RESOLVE_SECONDS: Final = 5
CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 10
# Whole, from the name to the last byte that is read: a receiver that drips is cut off.
TOTAL_SECONDS: Final = 15
# Of a name's addresses so many are tried: the rest of a long list would only use up the time.
MOST_ADDRESSES: Final = 3
# How soon it is cut once more: the first cut may have come while there was no connection yet.
AGAIN_SECONDS: Final = 0.1
TOO_LONG: Final = "it takes too long"
# Of the answer only the status matters; this much of the rest is read, so that its connection ends in peace.
MOST_ANSWER_BYTES: Final = 16_384


class Receiver(Protocol):
    """Where a message is handed over."""

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer. Raises AddressNotAllowed, ReceiverUnreachable."""


@dataclass(frozen=True, slots=True)
class HttpReceiver:
    """Over HTTP, without redirects and without a proxy. `allow_loopback` only in development."""

    allow_loopback: bool = False
    total_seconds: float = TOTAL_SECONDS

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> int:
        """Resolves once, refuses when any address found is not public, and connects to the address it judged."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        end = time.monotonic() + self.total_seconds
        kind = _JudgedTls if parts.scheme == "https" else _Judged
        connection = kind(host, port, self._judged(host, port, end), end)
        over = threading.Event()
        threading.Thread(target=_watch, args=[connection, over], daemon=True).start()
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body=body, headers=dict(headers))
            answer = connection.getresponse()
            with suppress(OSError, http.client.HTTPException):
                answer.read(MOST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem = TOO_LONG if time.monotonic() >= end else _words(error)
            raise ReceiverUnreachable(host=host, problem=problem) from error
        else:
            return answer.status
        finally:
            over.set()
            connection.close()

    def _judged(self, host: str, port: int, end: float) -> list[str]:
        try:
            addresses = _resolved(host, port, min(RESOLVE_SECONDS, end - time.monotonic()))
        except (OSError, UnicodeError) as error:
            raise ReceiverUnreachable(host=host, problem=_words(error)) from error
        for address in addresses:
            if not may_connect(address, allow_loopback=self.allow_loopback):
                raise AddressNotAllowed(host=host)
        return addresses[:MOST_ADDRESSES]


class _Judged(http.client.HTTPConnection):
    """Connects to the judged addresses in their order, whatever the name would lead to by now, and ends at `end`
    (of the monotonic clock) at the latest."""

    def __init__(self, host: str, port: int, addresses: list[str], end: float) -> None:
        super().__init__(host, port, timeout=ANSWER_SECONDS)
        self._addresses = addresses
        self.end = end
        # `sock` is given away as soon as an answer says that nothing comes after it, and the answer is read from it.
        self._reached: socket.socket | None = None

    def connect(self) -> None:
        for address in self._addresses[:-1]:
            with suppress(OSError):
                self._reach(address)
                return
        self._reach(self._addresses[-1])

    def cut(self) -> None:
        """Whoever reads from it now is told."""
        if self._reached is not None:
            try:
                # Not the method of TLS, which would take away what the reader is using.
                socket.socket.shutdown(self._reached, socket.SHUT_RDWR)
            except OSError:
                logger.debug("A connection was closed before it could be cut.")

    def _reach(self, address: str) -> None:
        self.sock = self._reached = socket.create_connection((address, self.port), min(CONNECT_SECONDS, self._left()))
        self.sock.settimeout(min(ANSWER_SECONDS, self._left()))

    def _left(self) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _JudgedTls(_Judged):
    """The same under TLS; the certificate is that of the name."""

    default_port = 443

    def connect(self) -> None:
        super().connect()
        # Wrapped first and shaken hands on afterwards: in between it can be cut.
        wrapped = _tls().wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = self._reached = wrapped
        wrapped.settimeout(min(ANSWER_SECONDS, self._left()))
        wrapped.do_handshake()
        self._left()


def _resolved(host: str, port: int, seconds: float) -> list[str]:
    """A name's addresses. Raises OSError, UnicodeError, TimeoutError: the system's resolver takes no time limit, so
    it is asked beside us and left to itself when it is slow."""
    told: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            told.put([str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except Exception as error:
            told.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = told.get(timeout=max(seconds, 0))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


@cache
def _tls() -> ssl.SSLContext:
    """Reads the machine's certificates once."""
    return ssl.create_default_context()


def _watch(connection: _Judged, over: threading.Event) -> None:
    """Cuts the connection when its time is up, and again until its owner is done with it."""
    wait = max(connection.end - time.monotonic(), 0)
    while not over.wait(wait):
        connection.cut()
        wait = AGAIN_SECONDS


def _words(error: Exception) -> str:
    """What went wrong, in short; never what was sent or received."""
    if isinstance(error, TimeoutError):
        return TOO_LONG
    if isinstance(error, ssl.SSLError):
        return f"its certificate is not right ({error.reason or 'TLS'})"
    if isinstance(error, socket.gaierror):
        return "its name leads nowhere"
    return type(error).__name__
