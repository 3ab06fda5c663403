"""A service that hears from the house: a real HTTP server that keeps what it was sent and answers as told."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
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
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                handler.wfile.write(b"H")
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    return answer


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
