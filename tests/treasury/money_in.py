"""Payments in tests, made by the verbs, and the books read as (account → balance)."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from habitat.events.models import Event
from habitat.members.policies.actors import SYSTEM
from tests.factories import make_member
from treasury.actions import disputes, payments
from treasury.models import Dispute, JournalLine, Payment
from treasury.policies.stripe import StripeTransaction

_numbers = count(1)
NOON = datetime(2026, 4, 15, 12, tzinfo=UTC)


def received(amount: str = "100", **changes: Any) -> Payment:
    """A payment of a member by card, of 15 April 2026."""
    number = next(_numbers)
    given: dict[str, Any] = {
        "provider": "stripe",
        "reference": f"pi_test{number}",
        "amount": Decimal(amount),
        "method": "card",
        "charge_id": f"ch_test{number}",
        "occurred_at": NOON,
        "acting": SYSTEM,
    }
    if "member" not in changes:
        given["member"] = make_member()
    return payments.receive(**(given | changes))


def minted(amount: str = "100", **changes: Any) -> Payment:
    """A payment whose credits exist; 2240 / 2220 is the mint's and is not posted here."""
    payment = received(amount, **changes)
    return payments.consume(payment=payment, amount=payment.left, acting=SYSTEM)


def movement(amount: str, fee: str = "0", **changes: Any) -> StripeTransaction:
    number = next(_numbers)
    given: dict[str, Any] = {
        "id": f"txn_test{number}",
        "type": "adjustment",
        "amount": Decimal(amount),
        "fee": Decimal(fee),
        "net": Decimal(amount) - Decimal(fee),
        "currency": "usd",
        "source_id": "",
        "description": "",
        "available_on": NOON,
        "created": NOON,
    }
    return StripeTransaction(**(given | changes))


def dispute(payment: Payment, status: str, *transactions: StripeTransaction, amount: str = "") -> Dispute:
    """What Stripe tells of dispute dp_<payment>."""
    told = disputes.Told(
        dispute_id=f"dp_{payment.pk}",
        amount=Decimal(amount or payment.amount),
        status=status,
        reason="fraudulent",
        opened_at=NOON,
        transactions=transactions,
    )
    return disputes.observe(payment=payment, told=told, acting=SYSTEM)


def books() -> dict[str, Decimal]:
    """Debits less credits of every account that has lines and is not even."""
    sums: dict[str, Decimal] = {}
    for line in JournalLine.objects.select_related("account"):
        sign = 1 if line.side == "D" else -1
        sums[line.account.code] = sums.get(line.account.code, Decimal(0)) + sign * line.amount
    return {code: amount for code, amount in sums.items() if amount}


def told(name: str) -> list[dict[str, Any]]:
    """The payloads of every event of this name, oldest first."""
    return list(Event.objects.filter(name=name).order_by("id").values_list("payload", flat=True))
