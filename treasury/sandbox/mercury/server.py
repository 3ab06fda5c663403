"""The sandbox bank's addresses: Mercury's own, and `/_sandbox/…` for whoever plays the world around it.

Mercury's (token by Bearer, or as user name and password of Basic):
  GET /api/v1/accounts · /api/v1/account/{id}
  GET /api/v1/account/{id}/transactions   limit, offset, start, end, status, order, search → {total, transactions}
  GET /api/v1/account/{id}/transaction/{line}
  GET /api/v1/transactions                limit, order, start_after, accountId, start, end, postedStart, postedEnd,
                                          status, search → {page: {nextPage, previousPage}, transactions}
Without `start` both lists reach 30 days back, which is how Mercury answers for one account.

The world's:
  POST /_sandbox/accounts            {id?, name, kind, availableBalance, currentBalance}: creates, or sets what is given
  POST /_sandbox/transactions        {amount, counterpartyName, bankDescription, externalId, accountId?, status?, …}
  POST /_sandbox/transactions/{id}   what it says from now on: status, amount, bankDescription …
  POST /_sandbox/transactions/{id}/remove
  POST /_sandbox/faults              {fault, times, path?, retryAfter?, field?, value?, seconds?}; faults: 429, 500,
                                     malformed, missing_field, wrong_field, timeout
  POST /_sandbox/clear_faults        none waits any more
  POST /_sandbox/reset · GET /_sandbox/calls
"""

import base64
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from treasury.sandbox.mercury.store import Store, Unknown, moment, spelled

DEFAULT_DAYS = 30
LARGEST_PAGE = 1000
# Amounts leave as JSON numbers, digit for digit.
_JSON = msgspec.json.Encoder(decimal_format="number")

URLS = Map(
    [
        Rule("/api/v1/accounts", endpoint="accounts", methods=["GET"]),
        Rule("/api/v1/account/<account_id>", endpoint="account", methods=["GET"]),
        Rule("/api/v1/account/<account_id>/transactions", endpoint="account_transactions", methods=["GET"]),
        Rule("/api/v1/account/<account_id>/transaction/<line_id>", endpoint="transaction", methods=["GET"]),
        Rule("/api/v1/transactions", endpoint="transactions", methods=["GET"]),
        Rule("/_sandbox/accounts", endpoint="put_account", methods=["POST"]),
        Rule("/_sandbox/transactions", endpoint="add_line", methods=["POST"]),
        Rule("/_sandbox/transactions/<line_id>", endpoint="change_line", methods=["POST"]),
        Rule("/_sandbox/transactions/<line_id>/remove", endpoint="remove_line", methods=["POST"]),
        Rule("/_sandbox/faults", endpoint="plan_fault", methods=["POST"]),
        Rule("/_sandbox/clear_faults", endpoint="clear_faults", methods=["POST"]),
        Rule("/_sandbox/reset", endpoint="reset", methods=["POST"]),
        Rule("/_sandbox/calls", endpoint="calls", methods=["GET"]),
    ]
)


class BadRequest(ValueError):
    """What the bank answers 400 to, with the sentence it says."""


class MercurySandbox:
    """The WSGI application."""

    def __init__(self, store: Store, token: str) -> None:
        self._store = store
        self._token = token

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        request = Request(environ)
        return self.answer(request)(environ, start_response)

    def answer(self, request: Request) -> Response:
        try:
            endpoint, arguments = URLS.bind_to_environ(request.environ).match()
            if request.path.startswith("/_sandbox/"):
                return _said(getattr(self, f"_{endpoint}")(_body(request), **arguments))
            self._store.note_call({"method": request.method, "path": request.path, "query": dict(request.args)})
            if not self._may_enter(request):
                return _error(401, "Unauthorized")
            return self._as_the_bank(request, endpoint, arguments)
        except Unknown:
            return _error(404, "Not found")
        except (BadRequest, KeyError, ArithmeticError) as error:
            return _error(400, str(error))
        except HTTPException as error:
            return _error(error.code or 500, error.description or "")

    def _as_the_bank(self, request: Request, endpoint: str, arguments: dict[str, Any]) -> Response:
        fault = self._store.next_fault(request.path) or {}
        kind = fault.get("fault", "")
        if kind == "429":
            return _error(429, "Too many requests", {"Retry-After": str(fault.get("retryAfter", 1))})
        if kind == "500":
            return _error(int(fault.get("status", 500)), "Internal server error")
        if kind == "timeout":
            time.sleep(int(fault.get("seconds", 5)))
        answer = getattr(self, f"_{endpoint}")(request.args, **arguments)
        if kind in {"missing_field", "wrong_field"}:
            _spoil(answer, fault)
        response = _said(answer)
        if kind == "malformed":
            response.set_data(response.get_data()[:-7])
        return response

    def _may_enter(self, request: Request) -> bool:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                # The token holds a colon itself: user name and password together are it.
                given = base64.b64decode(given, validate=True).decode().removesuffix(":")
            except ValueError:
                return False
        elif kind.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode(), self._token.encode())

    # --- Mercury's own

    def _accounts(self, _query: Any) -> dict[str, Any]:
        return {"accounts": self._store.accounts(), "page": {"nextPage": None, "previousPage": None}}

    def _account(self, _query: Any, account_id: str) -> dict[str, Any]:
        return self._store.account(account_id)

    def _transaction(self, _query: Any, account_id: str, line_id: str) -> dict[str, Any]:
        line = self._store.line(line_id)
        if line["accountId"] != account_id:
            raise Unknown(line_id)
        return line

    def _account_transactions(self, query: Any, account_id: str) -> dict[str, Any]:
        self._store.account(account_id)
        chosen = _ordered(_filtered(self._store.lines([account_id]), query), query)
        offset = _whole(query, "offset", 0)
        return {"total": len(chosen), "transactions": chosen[offset : offset + _limit(query)]}

    def _transactions(self, query: Any) -> dict[str, Any]:
        named = [part for value in query.getlist("accountId") for part in value.split(",") if part]
        chosen = _ordered(_filtered(self._store.lines(named), query), query)
        first = _position(chosen, query.get("start_after"))
        page = chosen[first : first + _limit(query)]
        more = first + len(page) < len(chosen)
        cursors = {"nextPage": page[-1]["id"] if more and page else None, "previousPage": None}
        return {"transactions": page, "page": cursors}

    # --- the world's

    def _put_account(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._store.put_account(body)

    def _add_line(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._store.add_line(body)

    def _change_line(self, body: dict[str, Any], line_id: str) -> dict[str, Any]:
        return self._store.change_line(line_id, body)

    def _remove_line(self, _body: dict[str, Any], line_id: str) -> dict[str, Any]:
        self._store.remove_line(line_id)
        return {"removed": line_id}

    def _plan_fault(self, body: dict[str, Any]) -> dict[str, Any]:
        self._store.plan(dict(body))
        return {"planned": body["fault"]}

    def _clear_faults(self, _body: dict[str, Any]) -> dict[str, Any]:
        self._store.clear_faults()
        return {"cleared": True}

    def _reset(self, _body: dict[str, Any]) -> dict[str, Any]:
        self._store.reset()
        return {"reset": True}

    def _calls(self, _body: dict[str, Any]) -> dict[str, Any]:
        return {"calls": self._store.calls()}


def _body(request: Request) -> dict[str, Any]:
    """Amounts are taken digit for digit, written as number or as text."""
    text = request.get_data(as_text=True)
    try:
        given = json.loads(text, parse_float=Decimal) if text.strip() else {}
    except ValueError as error:
        raise BadRequest(f"no JSON: {error}") from error
    if not isinstance(given, dict):
        raise BadRequest("a JSON object is wanted")
    return given


def _said(answer: Any) -> Response:
    return Response(_JSON.encode(answer), content_type="application/json")


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    body = _JSON.encode({"errors": {"message": message}})
    return Response(body, status=status, headers=headers, content_type="application/json")


def _spoil(answer: dict[str, Any], fault: dict[str, Any]) -> None:
    """One row of the answer lacks a field, or has another value in it."""
    rows = answer.get("transactions") or answer.get("accounts") or [answer]
    row = rows[min(int(fault.get("row", 0)), len(rows) - 1)]
    if fault["fault"] == "missing_field":
        row.pop(fault["field"], None)
    else:
        row[fault["field"]] = fault.get("value")


def _whole(query: Any, name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError as error:
        raise BadRequest(f"Invalid {name}") from error


def _limit(query: Any) -> int:
    limit = _whole(query, "limit", LARGEST_PAGE)
    if not 1 <= limit <= LARGEST_PAGE:
        raise BadRequest("Invalid limit")
    return limit


def _bound(query: Any, name: str, *, end_of_day: bool = False) -> str | None:
    text = query.get(name)
    if not text:
        return None
    try:
        at = moment(text)
    except ValueError as error:
        raise BadRequest(f"Invalid {name}") from error
    whole_day = end_of_day and len(text) == len("2026-01-01")
    return spelled(at + timedelta(days=1, microseconds=-1) if whole_day else at)


def _filtered(lines: list[dict[str, Any]], query: Any) -> list[dict[str, Any]]:
    start = _bound(query, "start") or spelled(datetime.now(UTC) - timedelta(days=DEFAULT_DAYS))
    end = _bound(query, "end", end_of_day=True)
    posted_start, posted_end = _bound(query, "postedStart"), _bound(query, "postedEnd", end_of_day=True)
    statuses = {part for value in query.getlist("status") for part in value.split(",") if part}
    search = (query.get("search") or "").lower()
    return [
        line
        for line in lines
        if start <= line["createdAt"]
        and (end is None or line["createdAt"] <= end)
        and (posted_start is None or (line["postedAt"] or "") >= posted_start)
        and (posted_end is None or (line["postedAt"] or "~") <= posted_end)
        and (not statuses or line["status"] in statuses)
        and search in f"{line['counterpartyName']} {line['bankDescription']}".lower()
    ]


def _ordered(lines: list[dict[str, Any]], query: Any) -> list[dict[str, Any]]:
    order = query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise BadRequest("Invalid order")
    return lines if order == "asc" else lines[::-1]


def _position(lines: list[dict[str, Any]], after: str | None) -> int:
    if not after:
        return 0
    for position, line in enumerate(lines, start=1):
        if line["id"] == after:
            return position
    raise BadRequest("Invalid start_after")
