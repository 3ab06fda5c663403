"""The server's one door: who may come in, what was asked before, which handler answers, what is written down."""

import hashlib
import hmac
import json
import re
import traceback
from collections.abc import Callable
from typing import Any

import httpx
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from treasury.sandbox.faults import ConnectionCut, Fault, Faults, cut
from treasury.sandbox.store import Document, Store, Transaction
from treasury.sandbox.stripe import control, flow, forms, pages, reading, shapes, webhooks
from treasury.sandbox.stripe.calls import ROUTES, Call, Route, queue_event
from treasury.sandbox.stripe.cards import BY_TOKEN
from treasury.sandbox.stripe.errors import StripeError, missing, required
from treasury.sandbox.stripe.payments import Declined

PATTERN = re.compile(r"<(\w+)>")
MOMENTS = frozenset({"expires_at", "resumes_at", "cancel_at", "trial_end"})


def as_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, content_type="application/json")


class Sandbox:
    """The WSGI application over one store."""

    def __init__(self, store: Store, *, api_key: str, bank_url: str = "") -> None:
        self.store = store
        self.api_key = api_key
        self.bank_url = bank_url.rstrip("/")
        self.faults = Faults()
        self.courier = webhooks.Courier(store)
        self.map = Map(
            [Rule(route.path, methods=[route.method], endpoint=route) for route in ROUTES]
            + [
                Rule("/c/pay/<identity>", methods=["GET", "POST"], endpoint=self._checkout_page),
                Rule("/receipts/<identity>", methods=["GET"], endpoint=self._receipt_page),
                Rule("/i/<identity>", methods=["GET"], endpoint=self._invoice_page),
                Rule("/i/<identity>/pdf", methods=["GET"], endpoint=self._invoice_page),
                Rule("/_sandbox/<path:name>", methods=["GET", "POST"], endpoint=self._control),
            ],
            strict_slashes=False,
        )

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        fault = None if request.path.startswith("/_sandbox/") else self.faults.take(request.method, request.path)
        if fault is not None and fault.moment == "before":
            response = self._strike(environ, fault)
        else:
            response = self._answer(request)
            if fault is not None:
                response = self._strike(environ, fault)
        return response(environ, start_response)

    def _strike(self, environ: Any, fault: Fault) -> Response:
        if fault.kind in ("timeout", "reset"):
            cut(environ, fault)
        if fault.kind == "429":
            error = StripeError("Too many requests hit the API too quickly.", status=429, code="rate_limit")
            headers = {"Retry-After": str(fault.retry_after)}
        else:
            error = StripeError("Sorry! There was an error while talking to Stripe.", status=500, kind="api_error")
            headers = {}
        return as_json({"error": error.body}, error.status, headers)

    def _answer(self, request: Request) -> Response:
        try:
            endpoint, arguments = self.map.bind_to_environ(request.environ).match()
        except (NotFound, MethodNotAllowed):
            message = f"Unrecognized request URL ({request.method}: {request.path})."
            return as_json({"error": StripeError(message, status=404).body}, 404)
        try:
            if isinstance(endpoint, Route):
                return self._api(request, endpoint, arguments)
            return endpoint(request, **arguments)
        except StripeError as refusal:
            return as_json({"error": refusal.body}, refusal.status)
        except ConnectionCut:
            raise
        except Exception as error:  # a mistake of the sandbox must be seen by who uses it
            traceback.print_exc()
            body = StripeError(f"The sandbox broke: {error!r}", status=500, kind="api_error").body
            return as_json({"error": body}, 500)

    # --- the API

    def _api(self, request: Request, route: Route, arguments: dict[str, str]) -> Response:
        headers = {"Stripe-Version": request.headers.get("Stripe-Version", shapes.API_VERSION)}
        if not self._known(request):
            given = request.headers.get("Authorization", "")
            message = "Invalid API Key provided" if given else "You did not provide an API key."
            return as_json({"error": StripeError(message, status=401).body}, 401, headers)
        pairs = request.args.items(multi=True) if request.method == "GET" else request.form.items(multi=True)
        try:
            params = forms.nested(pairs)
            if request.method != "GET":
                params.update(forms.nested(request.args.items(multi=True)))
            _check_names(route, params)
            if request.method == "GET":
                with self.store.read() as store:
                    headers["Request-Id"] = f"req_{hashlib.sha256(request.full_path.encode()).hexdigest()[:14]}"
                    body = self._run(Call(store, params, _base(request)), route, arguments)
                    return as_json(body, 200, headers)
            return self._change(request, route, arguments, params, headers)
        except StripeError as refusal:
            return as_json({"error": refusal.body}, refusal.status, headers)

    def _known(self, request: Request) -> bool:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.authorization is not None and request.authorization.type == "basic":
            given = request.authorization.username or ""
        return hmac.compare_digest(given.encode(), self.api_key.encode())

    def _run(self, call: Call, route: Route, arguments: dict[str, str]) -> Document:
        document = route.handler(call, **arguments)
        return shapes.public(reading.expanded(call.store, document, call.params))

    def _change(
        self, request: Request, route: Route, arguments: dict[str, str], params: forms.Params, headers: dict[str, str]
    ) -> Response:
        """One state-changing call in one transaction: asked before, done, kept for the next time, written down."""
        key = request.headers.get("Idempotency-Key")
        print_ = hashlib.sha256(json.dumps([request.method, request.path, params], sort_keys=True).encode()).hexdigest()
        pattern = PATTERN.sub(r"{\1}", route.path)
        headers |= {"Idempotency-Key": key} if key else {}
        with self.store.write() as store:
            entry = {
                "method": route.method,
                "path": pattern,
                "idempotency_key": key,
                "params": normalised(store, {**params, **arguments}),
            }
            kept = _kept(store, key, print_)
            if kept is not None:
                status, body, first = kept
                store.log_call({**entry, "status": status}, replay=True)
                headers |= {"Idempotent-Replayed": "true", "Original-Request": first, "Request-Id": first}
                return Response(body, status, headers, content_type="application/json")
            headers["Request-Id"], _ = store.new_id("req")
            call = Call(store, params, _base(request), {"id": headers["Request-Id"], "idempotency_key": key})
            status = 200
            try:
                document = self._run(call, route, arguments)
            except Declined as refusal:
                status, document = refusal.status, {"error": refusal.body}
            body = json.dumps(document)
            if key:
                row = (key, print_, status, body, headers["Request-Id"])
                store.connection.execute("INSERT INTO replies VALUES (?, ?, ?, ?, ?)", row)
            named = document.get("object") or "error"
            store.log_call({**entry, "status": status, "object": named, "_id": document.get("id")})
        return Response(body, status, headers, content_type="application/json")

    # --- pages

    def _checkout_page(self, request: Request, identity: str) -> Response:
        with self.store.read() as store:
            session = Call(store).need("checkout.session", identity)
            saved = store.find("payment_method", customer=session["customer"]) if session["customer"] else []
        if session["status"] != "open":
            return _html(pages.finished(session))
        if request.method == "GET":
            return _html(pages.checkout(session, saved))
        typed = request.form.get("card", "").strip()
        chosen = typed or request.form.get("saved", "")
        if typed and not pages.known_number(typed):
            return _html(pages.checkout(session, saved, "This is none of the test card numbers."), 422)
        answer = request.form.get("authenticate")
        if answer == "no":
            return _html(pages.checkout(session, saved, "Your bank could not authenticate you."), 402)
        return self._pay_on_page(request, identity, chosen, saved, authenticated=answer == "yes")

    def _pay_on_page(
        self, request: Request, identity: str, chosen: str, saved: list[Document], *, authenticated: bool
    ) -> Response:
        with self.store.write() as store:
            call = Call(store, {}, _base(request))
            session = call.need("checkout.session", identity)
            if session["status"] != "open":
                return _html(pages.finished(session))
            method = control.chosen_method(call, chosen, session)
            try:
                paid = flow.pay_session(call, session, method, authenticated=authenticated)
            except Declined as refusal:
                return _html(pages.checkout(session, saved, str(refusal)), 402)
            if paid["status"] == "requires_action":
                kept = method["id"] if method["customer"] else _token(method)
                return _html(pages.confirm(session, kept))
        target = (session["success_url"] or "/").replace("{CHECKOUT_SESSION_ID}", session["id"])
        return redirect(target, 303)

    def _receipt_page(self, request: Request, identity: str) -> Response:
        with self.store.read() as store:
            return _html(pages.receipt(Call(store).need("charge", identity)))

    def _invoice_page(self, request: Request, identity: str) -> Response:
        with self.store.read() as store:
            return _html(pages.invoice(Call(store).need("invoice", identity)))

    # --- control

    def _control(self, request: Request, name: str) -> Response:
        params = request.get_json(silent=True) or {} if request.method == "POST" else dict(request.args)
        special: dict[str, Callable[[Document], Any]] = {
            "health": lambda given: {"ok": True},
            "calls": self._calls,
            "reset": self._reset,
            "faults": self._add_fault,
            "clear_faults": lambda given: self.faults.clear() or {},
            "webhooks": self._webhooks,
            "deliveries": self._deliveries,
            "resend": self._resend,
            "resend_later": self._resend_later,
            "deliver_held": self._deliver_held,
            "wait_webhooks": lambda given: self.courier.wait(int(given.get("seconds", 30))),
        }
        if name in special:
            return as_json(special[name](params))
        if name not in control.CONTROLS or request.method != "POST":
            raise missing("control", name)
        status = 200
        with self.store.write() as store:
            try:
                result = control.CONTROLS[name](Call(store, params, _base(request)))
            except Declined as refusal:
                status, result = refusal.status, {"error": refusal.body}
        if name in ("payout", "settle_payout") and result.get("status") == "paid":
            self._tell_bank(result)
        return as_json(shapes.public(result), status)

    def _calls(self, params: Document) -> Document:
        """Without ids two runs of the same calls compare equal; `ids=1` adds them."""
        with self.store.read() as store:
            done, replays = store.calls(replay=False), store.calls(replay=True)
        if params.get("ids"):
            return {"calls": [{**call, "id": call["_id"]} for call in done], "replays": replays}
        return {"calls": shapes.public(done), "replays": replays}

    def _reset(self, params: Document) -> Document:
        self.faults.clear()
        with self.store.read() as store:
            kept = store.setting("webhooks", {})
        self.store.reset(params.get("seed"))
        with self.store.write() as store:
            webhooks.configure(store, {**kept, "mode": "normal"})
        return {"ok": True}

    def _add_fault(self, params: Document) -> Document:
        fault = control.fault_from(params)
        self.faults.add(fault)
        return {"kind": fault.kind, "moment": fault.moment, "times": fault.times}

    def _webhooks(self, params: Document) -> Document:
        with self.store.write() as store:
            try:
                return webhooks.configure(store, params)
            except ValueError as error:
                raise StripeError(str(error), param="mode") from error

    def _deliveries(self, params: Document) -> Document:
        with self.store.read() as store:
            rows = store.connection.execute(
                "SELECT d.event, json_extract(e.body, '$.type'), d.state, d.attempts, d.answer"
                " FROM deliveries d LEFT JOIN documents e ON e.id = d.event ORDER BY d.id"
            ).fetchall()
            names = ("event", "type", "state", "attempts", "answer")
            return {
                "counts": webhooks.counts(store),
                "deliveries": [dict(zip(names, row, strict=True)) for row in rows],
            }

    def _resend(self, params: Document) -> Document:
        with self.store.read() as store:
            event = Call(store).need("event", params.get("event"), "event")
        return self.courier.resend(event["id"])

    def _resend_later(self, params: Document) -> Document:
        with self.store.write() as store:
            event = Call(store).need("event", params.get("event"), "event")
            queue_event(store, event["id"])
        return {"event": event["id"]}

    def _deliver_held(self, params: Document) -> Document:
        sent = self.courier.release(
            order=str(params.get("order", "as_created")),
            concurrency=int(params.get("concurrency", webhooks.SENDERS)),
            types=params.get("types"),
            times=int(params.get("times", 1)),
        )
        return {"sent": sent}

    def _tell_bank(self, payout: Document) -> None:
        if self.bank_url:
            httpx.post(
                f"{self.bank_url}/_sandbox/transactions",
                json={
                    "amount": forms.dollars(payout["amount"]),
                    "counterpartyName": "STRIPE",
                    "bankDescription": f"STRIPE TRANSFER {payout['id']}",
                    "externalId": payout["id"],
                },
                timeout=30,
                trust_env=False,
            ).raise_for_status()


def _html(text: str, status: int = 200) -> Response:
    return Response(text, status, content_type="text/html; charset=utf-8")


def _base(request: Request) -> str:
    return request.host_url.rstrip("/")


def _token(method: Document) -> str:
    return next(token for token, known in BY_TOKEN.items() if known.number == method["_number"])


def _check_names(route: Route, params: forms.Params) -> None:
    if route.allowed is not None:
        for name in sorted(params):
            if name not in route.allowed:
                raise StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def _kept(store: Transaction, key: str | None, fingerprint: str) -> tuple[int, str, str] | None:
    """The answer this key was given before; the same key for another request is refused."""
    if not key:
        return None
    if len(key) > 255:
        raise required("Idempotency-Key")
    row = store.connection.execute(
        "SELECT fingerprint, status, body, request FROM replies WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        return None
    if row[0] != fingerprint:
        raise StripeError(
            "Keys for idempotent requests can only be used with the same parameters they were first used with."
            f" Try using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    return row[1], row[2], row[3]


def normalised(store: Transaction, value: Any) -> Any:
    """Parameters with stored ids as kind and number and moments as a word, so that two runs compare equal."""
    if isinstance(value, dict):
        return {
            name: "a moment" if name in MOMENTS else normalised(store, child) for name, child in sorted(value.items())
        }
    if isinstance(value, list):
        return [normalised(store, child) for child in value]
    place = store.place(value) if isinstance(value, str) else None
    return value if place is None else f"{place[0]}#{place[1]}"
