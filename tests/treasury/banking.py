"""Short ways to play the bank in tests: lines at the sandbox, and readings of it through the real gateway."""

import importlib.util
import sys
import types
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection
from django.utils import timezone

from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from tests.sandboxes import MERCURY_TOKEN, Sandbox
from treasury.actions import bills, journal
from treasury.gateways.mercury import MercuryGateway
from treasury.models import BankLine, Bill, Payment, Payout
from treasury.policies.bank import BillKind
from treasury.policies.journal import Line, Source
from treasury.workflows import bank
from treasury.workflows.bank import Synced

RIGHTS = frozenset(
    f"treasury.{verb}" for verb in ("read_bank", "assign_bankaccount", "match_bank", "record_bill", "void_bill")
)
OLGA = Actor(kind=ActorKind.MEMBER, id=1, name="Olga", permissions=RIGHTS)
NOBODY = Actor(kind=ActorKind.MEMBER, id=2, name="Nils")
WHEN = "2026-06-15T10:00:00Z"
_numbers = count(1)


def _receive(*, provider, reference, member, amount, method, occurred_at, acting) -> Payment:
    known = Payment.objects.filter(provider=provider, reference=reference).first()
    if known is not None:
        return known
    entry = journal.post(
        lines=[Line.debit("1110", amount), Line.credit("2240", amount)],
        occurred_at=occurred_at,
        source=Source("payment", reference),
        description="A payment",
        idempotency_key=f"payment:{provider}:{reference}",
        acting=acting,
    )
    facts = {"provider": str(provider), "reference": reference, "member_id": member and member.pk, "amount": amount}
    made = _insert(Payment, **facts, method=method, occurred_at=occurred_at, journal_entry_id=entry.pk)
    return Payment.objects.select_related("journal_entry").get(pk=made)


def _insert(model, **facts) -> int:
    """A row born by the database's own defaults; its key."""
    names, places = ", ".join(facts), ", ".join(["%s"] * len(facts))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({places}) RETURNING id", list(facts.values())
        )
        return cursor.fetchone()[0]


@pytest.fixture
def payments(monkeypatch):
    """The verb that books a payment; a plain one in its place where that room does not exist."""
    if importlib.util.find_spec("treasury.actions.payments") is None:
        room = types.ModuleType("treasury.actions.payments")
        room.receive = _receive
        monkeypatch.setitem(sys.modules, "treasury.actions.payments", room)


def deposit(sandbox: Sandbox, amount: str, text: str = "WIRE IN", **facts) -> str:
    """A line at the bank; its id."""
    given = {"counterpartyName": "Ada", "bankDescription": text, "createdAt": WHEN} | facts
    return sandbox.control("transactions", amount=amount, **given)["id"]


def read(sandbox: Sandbox, now: datetime | None = None) -> Synced:
    gateway = MercuryGateway(base=sandbox.url, token=MERCURY_TOKEN, sleep=lambda _: None)
    return bank.sync(now or timezone.now(), gateway=gateway)


def the_line(line_id: str) -> BankLine:
    return BankLine.objects.select_related("current").get(line_id=line_id)


def make_payout(amount: str, payout_id: str = "", arrival_on: date | None = date(2026, 6, 15)) -> Payout:
    made = _insert(
        Payout,
        payout_id=payout_id or f"po_{next(_numbers)}",
        amount=Decimal(amount),
        arrival_on=arrival_on,
        created_at=datetime(2026, 6, 12, tzinfo=UTC),
    )
    return Payout.objects.get(pk=made)


def make_bill(amount: str = "120", **facts) -> Bill:
    given = {
        "kind": BillKind.INFRASTRUCTURE,
        "account": "5510",
        "supplier": "Hetzner",
        "number": f"R-{next(_numbers):05d}",
        "amount": Decimal(amount),
        "billed_on": date(2026, 6, 1),
        "due_on": date(2026, 6, 30),
        "idempotency_key": f"bill-{next(_numbers)}",
        "acting": SYSTEM,
    } | facts
    return bills.record(**given)


def later(days: int) -> datetime:
    return timezone.now() + timedelta(days=days)
