"""A service that hears from the house: a real HTTP server that keeps what it was sent and answers as told."""

import base64
import hashlib
import hmac
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Heard:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Checked as a receiver does, by the text of Standard Webhooks and none of the house's code."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return any(hmac.compare_digest(part, f"v1,{right}") for part in self.headers["webhook-signature"].split(" "))


@dataclass
class Receiver:
    """`answers` are used up one a request; then 200. A number is a status, a callable gets the handler."""

    heard: list[Heard] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    def __enter__(self) -> "Receiver":
        receiver, lock = self, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    receiver.heard.append(
                        Heard(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                    )
                    answer = receiver.answers.pop(0) if receiver.answers else 200
                if callable(answer):
                    answer(self)
                else:
                    self.answer(answer)

            do_GET = do_POST

            def answer(self, status: int, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hooks"

    def types(self) -> list[str]:
        return [heard.said["type"] for heard in self.heard]


def slow(seconds: float) -> Any:
    """Answers only after a while."""

    def answer(handler: Any) -> None:
        time.sleep(seconds)
        handler.answer(200)

    return answer


def dripping(seconds: float) -> Any:
    """Sends its head one byte at a time: each byte comes in time, the whole never does."""

    def answer(handler: Any) -> None:
        _drip(handler.wfile.write, b"H", seconds)

    return answer


def dripping_body(seconds: float) -> Any:
    """Says all of its head and that the connection ends with the answer; then the body comes byte by byte."""

    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        _drip(handler.wfile.write, b"x", seconds)

    return answer


@contextmanager
def dripping_tls(seconds: float) -> Iterator[int]:
    """A port whose side of the handshake comes byte by byte."""

    def handshake() -> None:
        taken, _ = listener.accept()
        with taken:
            # A handshake record of 16,384 bytes begins.
            taken.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
            _drip(taken.sendall, b"x", seconds)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=handshake, daemon=True).start()
        yield listener.getsockname()[1]


@contextmanager
def black_hole(address: str, port: int = 0) -> Iterator[int]:
    """A port where nobody answers: its queue is full, and whoever knocks is left standing."""
    with socket.socket() as listener:
        listener.bind((address, port))
        listener.listen(0)
        place = listener.getsockname()
        knocking = [socket.socket() for _ in range(4)]
        for knock in knocking:
            knock.setblocking(False)
            knock.connect_ex(place)
        time.sleep(0.05)
        try:
            yield place[1]
        finally:
            for knock in knocking:
                knock.close()


def _drip(send: Any, byte: bytes, seconds: float) -> None:
    end = time.monotonic() + seconds
    with suppress(OSError):
        while time.monotonic() < end:
            send(byte)
            time.sleep(0.05)


def endless(size: int) -> Any:
    """Answers 200 with far more than anybody wants to read."""

    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        try:
            for _ in range(size // 65_536):
                handler.wfile.write(b"x" * 65_536)
        except OSError:
            pass

    return answer


def redirecting(to: str) -> Any:
    return lambda handler: handler.answer(307, Location=to)
