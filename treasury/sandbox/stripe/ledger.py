"""Stripe's own books: balance transactions, fees, what is pending and what is available. Cents, whole."""

import stripe as package

from treasury.sandbox.store import Document, now
from treasury.sandbox.stripe import shapes
from treasury.sandbox.stripe.calls import Call, route

DAY = 86_400
CARD_DELAY = 2 * DAY
BANK_DELAY = 4 * DAY
DISPUTE_FEE = 1_500


def card_fee(amount: int) -> int:
    """2.9 % + 0.30 USD, half a cent up."""
    return (amount * 29 + 500) // 1_000 + 30


def bank_fee(amount: int) -> int:
    """0.8 % for an ACH debit, half a cent up, 5.00 USD at most."""
    return min(500, (amount * 8 + 500) // 1_000)


def in_dollars(call: Call, amount: int, currency: str) -> int:
    """Cents of an amount in another currency at today's rate, half a cent up."""
    if currency == "usd":
        return amount
    return int((amount * call.store.setting("currency", {"rate": 100})["rate"] + 50) // 100)


def post(
    call: Call,
    kind: str,
    *,
    amount: int,
    fee: int = 0,
    source: str | None = None,
    category: str = "",
    wait: int = 0,
    description: str | None = None,
) -> Document:
    """Writes one balance transaction; `wait` seconds until its money is available."""
    entry = shapes.balance_transaction(kind, amount=amount, fee=fee, source=source, category=category or kind)
    entry["description"] = description
    entry["available_on"] = now() + wait
    entry["status"] = "pending" if wait else "available"
    return call.store.insert("txn", entry)


def post_charge(call: Call, charge: Document) -> Document:
    """The balance transaction of a charge that succeeded; the charge then names it."""
    bank = charge["payment_method_details"]["type"] == "us_bank_account"
    worth = in_dollars(call, charge["amount"], charge["currency"])
    entry = post(
        call,
        "payment" if bank else "charge",
        amount=worth,
        fee=bank_fee(worth) if bank else card_fee(worth),
        source=charge["id"],
        category="charge",
        wait=0 if charge.get("_at_once") else (BANK_DELAY if bank else CARD_DELAY),
        description=charge["description"],
    )
    charge["balance_transaction"] = entry["id"]
    call.store.put(charge)
    return entry


def balance(call: Call) -> tuple[int, int]:
    """Available and pending, in cents; either may be negative."""
    rows = call.store.connection.execute(
        "SELECT json_extract(body, '$.status'), sum(json_extract(body, '$.net'))"
        " FROM documents WHERE kind = 'balance_transaction' GROUP BY 1"
    )
    sums = dict(rows.fetchall())
    offset = call.store.setting("balance_offset", {"available": 0, "pending": 0})
    return sums.get("available", 0) + offset["available"], sums.get("pending", 0) + offset["pending"]


def make_available(call: Call, *, until: int | None = None) -> int:
    """Pending money becomes available (only what is due when `until` is given); how many lines changed."""
    changed = 0
    for entry in call.store.find("balance_transaction", status="pending"):
        if until is None or entry["available_on"] <= until:
            entry["status"] = "available"
            entry["available_on"] = min(entry["available_on"], now())
            call.store.put(entry)
            changed += 1
    if changed:
        call.emit("balance.available", balance_object(call))
    return changed


@route("GET", "/v1/balance", package.params.BalanceRetrieveParams)
def balance_object(call: Call) -> Document:
    available, pending = balance(call)
    return shapes.balance(available, pending)


@route("GET", "/v1/account")
@route("GET", f"/v1/accounts/{shapes.ACCOUNT}")
def account(call: Call) -> Document:
    return shapes.account()
