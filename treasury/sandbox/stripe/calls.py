"""One request at the sandbox: what it may touch, and the table of addresses."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from treasury.sandbox.store import Document, Transaction, now_ms
from treasury.sandbox.stripe import shapes
from treasury.sandbox.stripe.errors import missing
from treasury.sandbox.stripe.forms import Params


@dataclass(slots=True)
class Call:
    """A request inside its transaction; `base` is the address under which the browser finds the sandbox."""

    store: Transaction
    params: Params = field(default_factory=dict)
    base: str = ""
    request: Document = field(default_factory=lambda: {"id": None, "idempotency_key": None})

    def need(self, kind: str, identity: Any, param: str = "id") -> Document:
        """The stored object; a refusal names the parameter that pointed nowhere."""
        found = self.store.get(str(identity), kind) if identity else None
        if found is None:
            raise missing(kind.replace("_", " "), str(identity or ""), param)
        return found

    def emit(self, kind: str, document: Document, previous: Document | None = None) -> None:
        """Records an event and queues its webhook as the present mode says."""
        event = shapes.event(kind, shapes.public(document), self.request, previous)
        self.store.insert("evt", event)
        queue_event(self.store, event["id"])


def queue_event(store: Transaction, event_id: str) -> None:
    webhooks = store.setting("webhooks", {})
    mode = webhooks.get("mode", "normal")
    if not webhooks.get("url"):
        mode = "drop"
    state = {"hold": "held", "drop": "dropped"}.get(mode, "pending")
    due = now_ms()
    if mode == "shuffle":
        # A different, but repeatable delay for each: later events overtake earlier ones.
        due += sum(event_id.encode()) * 37 % 1_000
    for _ in range(2 if mode == "duplicate" else 1):
        store.connection.execute("INSERT INTO deliveries (event, state, due) VALUES (?, ?, ?)", (event_id, state, due))


Handler = Callable[..., Document]


@dataclass(frozen=True, slots=True)
class Route:
    """An address: who answers it, and which parameters Stripe knows there (None: any)."""

    method: str
    path: str
    handler: Handler
    allowed: frozenset[str] | None


ROUTES: list[Route] = []


def route(method: str, path: str, params: Any = None, *more: str) -> Callable[[Handler], Handler]:
    """Registers a handler; `params` is the package's own type of this call's parameters."""

    def register(handler: Handler) -> Handler:
        allowed = None if params is None else frozenset({*params.__annotations__, *more, "expand"})
        ROUTES.append(Route(method, path, handler, allowed))
        return handler

    return register
