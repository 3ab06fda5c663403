"""Sending events: signed, retried with growing pauses, and out of order, twice, late or never on request."""

import contextlib
import hashlib
import hmac
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import stripe as package

from treasury.sandbox.store import Document, Store, Transaction, now, now_ms
from treasury.sandbox.stripe import checkout, forms, ledger, shapes
from treasury.sandbox.stripe.calls import Call, route

MODES = ("normal", "hold", "duplicate", "shuffle", "drop")
SENDERS = 64
LAST_ATTEMPT = 10
LONGEST_PAUSE = 60_000
HOUSEKEEPING = 60


def signature(secret: str, payload: bytes, at: int) -> str:
    """The `Stripe-Signature` header of a body sent at this second."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Courier:
    """Takes due deliveries from the store and sends up to 64 at once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._stop = threading.Event()
        self._free = threading.Semaphore(SENDERS)
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="webhook")
        limits = httpx.Limits(max_connections=SENDERS, max_keepalive_connections=0)
        self._client = httpx.Client(limits=limits, timeout=30, trust_env=False)

    def start(self) -> None:
        with self.store.write() as store:  # what a stopped process was sending is sent again
            store.connection.execute("UPDATE deliveries SET state = 'pending' WHERE state = 'sending'")
        threading.Thread(target=self._run, daemon=True, name="courier").start()

    def _run(self) -> None:
        swept = 0
        while not self._stop.wait(20 / 1_000):
            for number, event in self._claim():
                self._free.acquire()
                self._pool.submit(self._send_and_free, number, event)
            if now() - swept >= HOUSEKEEPING:
                swept = now()
                with self.store.write() as store:
                    call = Call(store)
                    ledger.make_available(call, until=now())
                    checkout.expire_due(call)

    def _claim(self) -> list[tuple[int, str]]:
        with self.store.read() as store:
            if not store.connection.execute(
                "SELECT 1 FROM deliveries WHERE state = 'pending' AND due <= ? LIMIT 1", (now_ms(),)
            ).fetchone():
                return []
        with self.store.write() as store:
            rows = store.connection.execute(
                "SELECT id, event FROM deliveries WHERE state = 'pending' AND due <= ? ORDER BY due, id LIMIT ?",
                (now_ms(), SENDERS * 2),
            ).fetchall()
            store.connection.executemany(
                "UPDATE deliveries SET state = 'sending' WHERE id = ?", [(number,) for number, _ in rows]
            )
        return rows

    def _send_and_free(self, number: int, event: str) -> None:
        try:
            with contextlib.suppress(Exception):
                self.send(number, event)
        finally:
            self._free.release()

    def send(self, number: int, event_id: str) -> tuple[str, int]:
        """Sends one delivery once; the answer's status or the error's name, and its microseconds."""
        with self.store.read() as store:
            event, webhooks = store.get(event_id), store.setting("webhooks", {})
        if event is None or not webhooks.get("url"):
            self._record(number, delivered=True, answer="nowhere to send to")
            return "nowhere", 0
        payload = json.dumps(shapes.public(event)).encode()
        header = signature(webhooks["secret"], payload, now())
        began = time.perf_counter_ns()
        try:
            answer = str(
                self._client.post(
                    webhooks["url"],
                    content=payload,
                    headers={
                        "Stripe-Signature": header,
                        "Content-Type": "application/json; charset=utf-8",
                        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
                    },
                ).status_code
            )
        except httpx.HTTPError as error:
            answer = type(error).__name__
        taken = (time.perf_counter_ns() - began) // 1_000
        self._record(number, delivered=answer.startswith("2"), answer=answer, first=webhooks.get("retry_ms", 1_000))
        return answer, taken

    def _record(self, number: int, *, delivered: bool, answer: str, first: int = 1_000) -> None:
        with self.store.write() as store:
            row = store.connection.execute("SELECT attempts FROM deliveries WHERE id = ?", (number,)).fetchone()
            if row is None:  # reset meanwhile
                return
            attempts = row[0] + 1
            state = "delivered" if delivered else ("failed" if attempts >= LAST_ATTEMPT else "pending")
            due = now_ms() + min(first * 2 ** (attempts - 1), LONGEST_PAUSE)
            store.connection.execute(
                "UPDATE deliveries SET state = ?, attempts = ?, due = ?, answer = ? WHERE id = ?",
                (state, attempts, due, answer, number),
            )

    # --- on request

    def release(
        self, *, order: str, concurrency: int, types: list[str] | None = None, times: int = 1
    ) -> list[Document]:
        """Sends everything held, now, and waits: in order, reversed or shuffled, each `times`, up to 64 at once."""
        with self.store.write() as store:
            rows = store.connection.execute(
                "SELECT id, event FROM deliveries WHERE state = 'held' ORDER BY id"
            ).fetchall()
            named = [(number, event, (store.get(event) or {}).get("type")) for number, event in rows]
            chosen = [row for row in named if not types or row[2] in types]
            store.connection.executemany(
                "UPDATE deliveries SET state = 'sending' WHERE id = ?", [(row[0],) for row in chosen]
            )
            chosen += [(_again(store, event), event, kind) for _, event, kind in chosen for _ in range(times - 1)]
        if order == "reverse":
            chosen.reverse()
        if order == "shuffle":
            random.shuffle(chosen)
        with ThreadPoolExecutor(max(1, min(concurrency, SENDERS))) as pool:
            answers = pool.map(lambda row: self.send(row[0], row[1]), chosen)
            return [
                {"event": event, "type": kind, "answer": answer, "microseconds": taken}
                for (_, event, kind), (answer, taken) in zip(chosen, answers, strict=True)
            ]

    def resend(self, event_id: str) -> Document:
        """Sends one event once more, at once, whatever became of it before."""
        with self.store.write() as store:
            number = _again(store, event_id)
        answer, _ = self.send(number, event_id)
        return {"event": event_id, "answer": answer}

    def wait(self, seconds: int) -> Document:
        """Waits until nothing is pending; how many deliveries stand in each state."""
        until = now_ms() + seconds * 1_000
        while True:
            with self.store.read() as store:
                states = counts(store)
            if not states.get("pending") and not states.get("sending"):
                return {"settled": True, "deliveries": states}
            if now_ms() >= until:
                return {"settled": False, "deliveries": states}
            self._stop.wait(20 / 1_000)


def _again(store: Transaction, event_id: str) -> int:
    """One more delivery of an event, about to be sent."""
    return store.connection.execute(
        "INSERT INTO deliveries (event, state) VALUES (?, 'sending') RETURNING id", (event_id,)
    ).fetchone()[0]


def counts(store: Transaction) -> dict[str, int]:
    return dict(store.connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall())


def configure(store: Transaction, wanted: dict[str, Any]) -> Document:
    """Where webhooks go and in which mode; what is not named stays."""
    settings = {"mode": "normal", "url": None, "secret": "", "retry_ms": 1_000, **store.setting("webhooks", {})}
    settings.update({name: value for name, value in wanted.items() if name in settings})
    if settings["mode"] not in MODES:
        raise ValueError(f"A mode is one of {', '.join(MODES)}.")
    store.set("webhooks", settings)
    return {name: value for name, value in settings.items() if name != "secret"}


# --- the API's own webhook endpoints: kept and shown; events go to the address given at the start


@route("POST", "/v1/webhook_endpoints", package.params.WebhookEndpointCreateParams)
def create_endpoint(call: Call) -> Document:
    events = call.params.get("enabled_events") or ["*"]
    endpoint = shapes.webhook_endpoint(str(call.params.get("url") or ""), events)
    endpoint["metadata"] = forms.metadata(call.params)
    call.store.insert("we", endpoint)
    return {**endpoint, "secret": call.store.setting("webhooks", {}).get("secret", "")}


@route("DELETE", "/v1/webhook_endpoints/<identity>")
def delete_endpoint(call: Call, identity: str) -> Document:
    call.need("webhook_endpoint", identity)
    call.store.connection.execute("DELETE FROM documents WHERE id = ?", (identity,))
    return {"id": identity, "object": "webhook_endpoint", "deleted": True}
