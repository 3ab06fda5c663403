"""The `/_sandbox/…` addresses: what in the real world a payer, a bank, time or bad luck does.

Every address takes and returns JSON; each is described in docs/design/sandboxes.md.
"""

from collections.abc import Callable
from typing import Any

from treasury.sandbox.faults import Fault
from treasury.sandbox.store import Document
from treasury.sandbox.stripe import checkout, flow, ledger, payments, payouts, refunds, subscriptions
from treasury.sandbox.stripe.calls import Call
from treasury.sandbox.stripe.cards import instrument
from treasury.sandbox.stripe.errors import invalid, required

Control = Callable[[Call], Any]
CONTROLS: dict[str, Control] = {}


def control(name: str) -> Callable[[Control], Control]:
    def register(handler: Control) -> Control:
        CONTROLS[name] = handler
        return handler

    return register


def need(call: Call, name: str) -> Any:
    if call.params.get(name) in (None, ""):
        raise required(name)
    return call.params[name]


def chosen_method(call: Call, name: str, session: Document | None = None) -> Document:
    """A saved method by id, or a fresh one by card number, token or `us_bank_account`."""
    known = instrument(name)
    if known is not None:
        return payments.new_method(call, known)
    method = call.need("payment_method", name, "card")
    if session is not None and method["customer"] != session["customer"]:
        raise invalid("card", "This saved method belongs to another customer.")
    return method


@control("pay")
def pay(call: Call) -> Document:
    session = call.need("checkout.session", need(call, "session"), "session")
    method = chosen_method(call, str(call.params.get("card", "4242424242424242")), session)
    authenticated = bool(call.params.get("authenticate", True))
    flow.pay_session(call, session, method, authenticated=authenticated)
    return call.need("checkout.session", session["id"])


@control("settle_bank_debit")
def settle_bank_debit(call: Call) -> Document:
    return flow.settle_debit(call, call.need("payment_intent", need(call, "payment_intent"), "payment_intent"))


@control("fail_bank_debit")
def fail_bank_debit(call: Call) -> Document:
    intent = call.need("payment_intent", need(call, "payment_intent"), "payment_intent")
    return flow.fail_debit(call, intent, str(call.params.get("code", "insufficient_funds")))


@control("dispute")
def dispute(call: Call) -> Document:
    if call.params.get("charge"):
        charge = call.need("charge", call.params["charge"], "charge")
    else:
        intent = call.need("payment_intent", need(call, "payment_intent"), "payment_intent")
        charge = call.need("charge", intent["latest_charge"], "payment_intent")
    return refunds.open_dispute(call, charge, call.params.get("amount"), call.params.get("reason", "fraudulent"))


@control("close_dispute")
def close_dispute(call: Call) -> Document:
    found = call.need("dispute", need(call, "dispute"), "dispute")
    return refunds.close_dispute(
        call, found, need(call, "outcome"), fee_returned=bool(call.params.get("fee_returned", False))
    )


@control("next_refund")
def next_refund(call: Call) -> Document:
    if call.params.get("clear"):
        call.store.set("next_refunds", [])
        return {"next_refunds": []}
    outcome = need(call, "outcome")
    if outcome not in refunds.OUTCOMES:
        raise invalid("outcome", f"An outcome is one of {', '.join(refunds.OUTCOMES)}.")
    waiting = call.store.setting("next_refunds", []) + [outcome] * int(call.params.get("times", 1))
    call.store.set("next_refunds", waiting)
    return {"next_refunds": waiting}


@control("settle_refund")
def settle_refund(call: Call) -> Document:
    refund = call.need("refund", need(call, "refund"), "refund")
    return refunds.settle_refund(call, refund, need(call, "outcome"), call.params.get("reason", "unknown"))


@control("refund")
def refund_by_hand(call: Call) -> Document:
    """A refund made in Stripe's dashboard instead of by the house."""
    return refunds.create_refund(call)


@control("make_available")
def make_available(call: Call) -> Document:
    return {"changed": ledger.make_available(call)}


@control("payout")
def make_payout(call: Call) -> Document:
    payout = payouts.make_payout(call, call.params.get("amount"))
    if call.params.get("outcome"):
        payout = payouts.settle_payout(call, payout, call.params["outcome"])
    return payout


@control("settle_payout")
def settle_payout(call: Call) -> Document:
    return payouts.settle_payout(call, call.need("payout", need(call, "payout"), "payout"), need(call, "outcome"))


@control("renew_subscription")
def renew_subscription(call: Call) -> Document:
    found = call.need("subscription", need(call, "subscription"), "subscription")
    if call.params.get("card"):
        method = chosen_method(call, str(call.params["card"]))
        payments.attach(call, method, found["customer"])
        found["default_payment_method"] = method["id"]
        call.store.put(found)
    return subscriptions.renew(call, found)


@control("expire_session")
def expire_session(call: Call) -> Document:
    return checkout.expire(call, call.need("checkout.session", need(call, "session"), "session"))


@control("adjust_balance")
def adjust_balance(call: Call) -> Document:
    """A balance transaction of its own: Stripe's fee, a top-up, an adjustment."""
    kind = call.params.get("type", "adjustment")
    if kind not in ("adjustment", "stripe_fee", "topup"):
        raise invalid("type", "A type is one of adjustment, stripe_fee, topup.")
    return ledger.post(
        call,
        kind,
        amount=int(need(call, "amount")),
        category={"adjustment": "other_adjustment", "stripe_fee": "fee"}.get(kind, kind),
        wait=0 if call.params.get("available", True) else ledger.CARD_DELAY,
        description=call.params.get("description"),
    )


@control("set_balance")
def set_balance(call: Call) -> Document:
    """Makes `/v1/balance` say these figures, without any balance transaction to explain them."""
    offset = call.store.setting("balance_offset", {"available": 0, "pending": 0})
    if call.params.get("clear"):
        call.store.set("balance_offset", {"available": 0, "pending": 0})
        return ledger.balance_object(call)
    available, pending = ledger.balance(call)
    for name, present in (("available", available), ("pending", pending)):
        if call.params.get(name) is not None:
            offset[name] += int(call.params[name]) - present
    call.store.set("balance_offset", offset)
    return ledger.balance_object(call)


@control("currency")
def currency(call: Call) -> Document:
    """From now on payers pay in this currency, of which a hundred are worth `rate` dollars; `usd` ends it."""
    told = {"code": str(call.params["code"]), "rate": int(call.params.get("rate", 100))}
    call.store.set("currency", told)
    return told


@control("charges")
def charges(call: Call) -> Document:
    """Stripe closes the account to new checkouts, or opens it again."""
    enabled = bool(call.params.get("enabled", True))
    call.store.set("charges_disabled", not enabled)
    return {"enabled": enabled}


@control("delay_balance_transactions")
def delay_balance_transactions(call: Call) -> Document:
    call.store.set("delay_balance_transactions", bool(call.params.get("on", True)))
    return {"on": bool(call.params.get("on", True))}


@control("release_balance_transactions")
def release_balance_transactions(call: Call) -> Document:
    """Stripe has worked out the fees: each waiting charge gets its balance transaction."""
    call.store.set("delay_balance_transactions", False)
    released = []
    for charge in reversed(call.store.find("charge", _delayed=1)):
        charge.pop("_delayed")
        ledger.post_charge(call, charge)
        call.emit("charge.updated", charge, {"balance_transaction": None})
        released.append(charge["id"])
    return {"released": released}


@control("forget_idempotency_keys")
def forget_idempotency_keys(call: Call) -> Document:
    """A day has passed: Stripe no longer knows the keys."""
    return {"forgotten": call.store.connection.execute("DELETE FROM replies").rowcount}


def fault_from(params: dict[str, Any]) -> Fault:
    """The failure that a request to `/_sandbox/faults` describes."""
    names = ("kind", "moment", "method", "path", "times", "retry_after", "seconds")
    unknown = sorted(set(params) - set(names))
    if unknown:
        raise invalid(unknown[0], f"A fault knows {', '.join(names)}.")
    try:
        return Fault(**{**params, "kind": str(params.get("kind", "500"))})
    except ValueError as error:
        raise invalid("kind", str(error)) from error
