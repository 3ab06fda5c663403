"""Lists, searches and expansion, the same for every kind of object."""

import re
from collections.abc import Callable
from typing import Any

from treasury.sandbox.store import Document, Transaction
from treasury.sandbox.stripe import shapes
from treasury.sandbox.stripe.calls import Call, route
from treasury.sandbox.stripe.errors import StripeError, invalid, missing
from treasury.sandbox.stripe.forms import Params, integer

PAGING = {"limit", "starting_after", "ending_before", "expand", "created", "available_on", "arrival_date"}
RANGE = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}

# Address: kind, and the fields (or paths) that a list may be asked for.
LISTS: dict[str, tuple[str, dict[str, str]]] = {
    "customers": ("customer", {"email": "email"}),
    "payment_methods": ("payment_method", {"customer": "customer", "type": "type"}),
    "checkout/sessions": (
        "checkout.session",
        {
            "customer": "customer",
            "payment_intent": "payment_intent",
            "status": "status",
            "subscription": "subscription",
        },
    ),
    "payment_intents": ("payment_intent", {"customer": "customer"}),
    "charges": ("charge", {"customer": "customer", "payment_intent": "payment_intent"}),
    "refunds": ("refund", {"charge": "charge", "payment_intent": "payment_intent"}),
    "disputes": ("dispute", {"charge": "charge", "payment_intent": "payment_intent"}),
    "balance_transactions": (
        "balance_transaction",
        {"payout": "_payout", "source": "source", "type": "type", "currency": "currency"},
    ),
    "payouts": ("payout", {"status": "status", "destination": "destination"}),
    "subscriptions": ("subscription", {"customer": "customer", "status": "status"}),
    "invoices": (
        "invoice",
        {"customer": "customer", "status": "status", "subscription": "parent.subscription_details.subscription"},
    ),
    "invoice_payments": ("invoice_payment", {"invoice": "invoice", "status": "status", "payment": "payment"}),
    "subscription_items": ("subscription_item", {"subscription": "subscription"}),
    "products": ("product", {"active": "active"}),
    "prices": ("price", {"active": "active", "product": "product", "type": "type", "currency": "currency"}),
    "events": ("event", {"type": "type"}),
    "webhook_endpoints": ("webhook_endpoint", {}),
    "setup_intents": ("setup_intent", {"customer": "customer", "payment_method": "payment_method"}),
}
SEARCHES = ("customers", "payment_intents", "charges", "invoices", "subscriptions", "prices", "products")


def value_at(document: Document, path: str) -> Any:
    at: Any = document
    for part in path.split("."):
        at = at.get(part) if isinstance(at, dict) else None
    return at


# --- lists


def matches(document: Document, params: Params, known: dict[str, str]) -> bool:
    for name, wanted in params.items():
        if name in ("created", "available_on", "arrival_date"):
            if not _in_range(value_at(document, name), wanted, name):
                return False
        elif name in known and not _equal(value_at(document, known[name]), wanted, name):
            return False
    return True


def _equal(value: Any, wanted: Any, name: str) -> bool:
    if name == "status" and wanted == "all":
        return True
    if name == "type" and str(wanted).endswith(".*"):  # events: a whole family
        return str(value).startswith(wanted[:-1])
    if isinstance(wanted, dict):  # invoice payments: payment[type], payment[payment_intent]
        return isinstance(value, dict) and all(value.get(key) == part for key, part in wanted.items())
    return (str(value).lower() if isinstance(value, bool) else value) == wanted


def _in_range(value: Any, wanted: Any, name: str) -> bool:
    if not isinstance(wanted, dict):
        return value == integer({name: wanted}, name)
    unknown = set(wanted) - set(RANGE)
    if unknown:
        raise invalid(f"{name}[{sorted(unknown)[0]}]", f"Received unknown parameter: {name}[{sorted(unknown)[0]}]")
    return all(RANGE[key](value, integer(wanted, key)) for key in wanted)


def page(url: str, rows: list[Document], params: Params) -> Document:
    """One page of rows that stand newest first."""
    limit = integer(params, "limit", 10)
    if not 1 <= limit <= 100:
        raise invalid("limit", "Limit must be between 1 and 100.")
    ids = [row["id"] for row in rows]
    for cursor in ("starting_after", "ending_before"):
        if params.get(cursor) and params[cursor] not in ids:
            raise missing("object", params[cursor], cursor)
    if params.get("ending_before"):
        before = rows[: ids.index(params["ending_before"])]
        return shapes.listing(url, before[-limit:], has_more=len(before) > limit)
    if params.get("starting_after"):
        rows = rows[ids.index(params["starting_after"]) + 1 :]
    return shapes.listing(url, rows[:limit], has_more=len(rows) > limit)


def _lister(address: str, kind: str, known: dict[str, str]) -> Callable[[Call], Document]:
    def answer(call: Call) -> Document:
        unknown = set(call.params) - PAGING - set(known) - {"types", "delivery_success"}
        if unknown:
            name = sorted(unknown)[0]
            raise StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        equal = {
            path: call.params[name]
            for name, path in known.items()
            if isinstance(call.params.get(name), str) and name not in ("status", "active", "type")
        }
        rows = call.store.find(kind, **equal)
        types = call.params.get("types")
        if types:
            rows = [row for row in rows if row["type"] in types]
        if kind == "subscription" and not call.params.get("status"):
            rows = [row for row in rows if row["status"] != "canceled"]
        return page(f"/v1/{address}", [row for row in rows if matches(row, call.params, known)], call.params)

    return answer


for _address, (_kind, _known) in LISTS.items():
    route("GET", f"/v1/{_address}")(_lister(_address, _kind, _known))


# --- searches

CLAUSE = re.compile(
    r"""\s*(?P<not>-)?(?P<field>[a-z_.]+)(?:\[["'](?P<key>[^"']*)["']\])?\s*(?P<op>:|~|>=|<=|>|<)\s*"""
    r"""(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"']+))\s*"""
)


def _clause_holds(document: Document, clause: re.Match[str]) -> bool:
    value = value_at(document, clause["field"])
    if clause["key"] is not None:
        value = (value or {}).get(clause["key"])
    wanted = next(part for part in (clause["double"], clause["single"], clause["bare"]) if part is not None)
    if wanted == "null" and clause["bare"]:
        held = value is None
    elif clause["op"] == ":":
        held = str(value).lower() == wanted.lower()
    elif clause["op"] == "~":
        held = wanted.lower() in str(value).lower()
    else:
        operator = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}[clause["op"]]
        held = RANGE[operator](int(value or 0), int(wanted))
    return held != bool(clause["not"])


def _parse(query: str) -> tuple[list[re.Match[str]], str]:
    clauses, joints, at = [], set(), 0
    while True:
        clause = CLAUSE.match(query, at)
        if clause is None:
            raise StripeError(f"We were unable to parse your search query: {query}", param="query")
        clauses.append(clause)
        at = clause.end()
        joint = re.compile(r"(AND|OR)\b|", re.IGNORECASE).match(query, at)
        joints.add((joint[1] or "").upper() if joint else "")
        if at >= len(query):
            break
        at = joint.end() if joint else at
    joints.discard("")
    if len(joints) > 1:
        raise StripeError("You cannot combine AND and OR in one query.", param="query")
    return clauses, joints.pop() if joints else "AND"


def _searcher(address: str, kind: str) -> Callable[[Call], Document]:
    def answer(call: Call) -> Document:
        query = call.params.get("query")
        if not query:
            raise StripeError("Missing required param: query.", code="parameter_missing", param="query")
        clauses, joint = _parse(query)
        whole = all if joint == "AND" else any
        rows = [row for row in call.store.find(kind) if whole(_clause_holds(row, clause) for clause in clauses)]
        start, limit = integer(call.params, "page", 0), integer(call.params, "limit", 10)
        more = len(rows) > start + limit
        return {
            "object": "search_result",
            "url": f"/v1/{address}/search",
            "has_more": more,
            "next_page": str(start + limit) if more else None,
            "data": rows[start : start + limit],
        }

    return answer


for _address in SEARCHES:
    route("GET", f"/v1/{_address}/search")(_searcher(_address, LISTS[_address][0]))


# --- one object

RETRIEVED = {
    "payment_methods": "payment_method",
    "checkout/sessions": "checkout.session",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
    "payouts": "payout",
    "subscriptions": "subscription",
    "subscription_items": "subscription_item",
    "invoices": "invoice",
    "invoice_payments": "invoice_payment",
    "products": "product",
    "prices": "price",
    "events": "event",
    "webhook_endpoints": "webhook_endpoint",
    "setup_intents": "setup_intent",
}


def _retriever(kind: str) -> Callable[..., Document]:
    def answer(call: Call, identity: str) -> Document:
        return call.need(kind, identity)

    return answer


for _address, _kind in RETRIEVED.items():
    route("GET", f"/v1/{_address}/<identity>")(_retriever(_kind))


@route("GET", "/v1/charges/<identity>/refunds")
def list_refunds(call: Call, identity: str) -> Document:
    call.need("charge", identity)
    return page(f"/v1/charges/{identity}/refunds", call.store.find("refund", charge=identity), call.params)


# --- expansion


def _collections(store: Transaction, document: Document, name: str) -> Document | None:
    """What Stripe leaves out of an object until it is asked for."""
    identity = document["id"]
    match document["object"], name:
        case "charge", "refunds":
            return shapes.listing(f"/v1/charges/{identity}/refunds", store.find("refund", charge=identity))
        case "checkout.session", "line_items":
            return shapes.listing(f"/v1/checkout/sessions/{identity}/line_items", document["_line_items"])
        case "customer", "subscriptions":
            return shapes.listing(
                f"/v1/customers/{identity}/subscriptions", store.find("subscription", customer=identity)
            )
        case "invoice", "payments":
            return shapes.listing("/v1/invoice_payments", store.find("invoice_payment", invoice=identity))
        case _:
            return None


def _expand(store: Transaction, value: Any, path: list[str]) -> None:
    if not path:
        return
    if isinstance(value, list):
        for item in value:
            _expand(store, item, path)
        return
    if not isinstance(value, dict):
        return
    name, rest = path[0], path[1:]
    if isinstance(value.get(name), str):
        value[name] = store.get(value[name]) or value[name]
    elif value.get(name) is None and value.get("id"):
        collection = _collections(store, value, name)
        if collection is not None:
            value[name] = collection
    _expand(store, value.get(name), rest)


def expanded(store: Transaction, document: Document, params: Params) -> Document:
    """The document with the objects named by `expand[]` in place of their ids."""
    wanted = params.get("expand") or []
    for path in wanted if isinstance(wanted, list) else [wanted]:
        parts = str(path).split(".")
        if len(parts) > 5:
            raise StripeError("You cannot expand more than four levels.", param="expand")
        _expand(store, document, parts)
    return document
