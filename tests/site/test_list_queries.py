"""Lists of money ask the database as often for many rows as for few: what members see, and what the desk sees."""

from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cloud_credits.actions import clawbacks, refunds
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.money import cloud
from habitat.workflows.actions import sagas
from tests.cloud_credits.bought import bought, buyer, disputed, pay, refunded_at_stripe, wish
from tests.cloud_credits.invoiced import sent
from tests.faces.desk import desk_of
from tests.factories import key
from tests.treasury.banking import make_bill
from tests.treasury.money_in import movement
from tests.workflows.toy import CAKE, known
from treasury.actions import backing, bank, payouts, reconciliation, stripe_events, stripe_movements, stripe_readings
from treasury.policies.bank import LineStatus
from treasury.policies.bank_rows import AccountRow, LineRow, Lines
from treasury.policies.reconciliation import AccountSide, BankInputs, RunKind
from treasury.workflows.bank import follow_up

pytestmark = pytest.mark.django_db

MEMBERS = ("/cloud/purchases/", "/cloud/invoices/", "/cloud/buy/", "/api/invoices/", "/api/purchases/", "/reserve/")
DESK = {
    "treasury": (
        "payment", "refund", "dispute", "stripeevent", "stripemovement", "payout", "stripereading", "bankaccount",
        "bankline", "bankmatch", "bankrowaside", "bill", "backingcheck", "mintswitch",
        "reconciliationrun", "reconciliationexception",
    ),
    "cloud_credits": (
        "purchase", "recurringpurchase", "paymentmint", "refundrequest", "clawback", "receivable", "invoice",
        "termsversion", "termsacceptance",
    ),
    "workflows": ("execution",),
}  # fmt: skip
_numbers = count(1)


def more(ada: Member) -> None:
    """One more of everything, each with what hangs on it."""
    number = next(_numbers)
    payment, other = bought(ada, "5"), bought(ada, "3")
    refunds.request(payment=payment, amount=cloud("1"), reason="x", idempotency_key=key(), acting=SYSTEM)
    refunded_at_stripe(payment, "20")
    disputed(other, "needs_response")
    clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)
    pay(ada, "10")
    wish(buyer(), "1")
    sent(ada)
    stripe_events.store(event_id=f"evt_{number}", type="unicorn.found", payload={}, acting=SYSTEM)
    now = timezone.now()
    sent_out = {"amount": Decimal(5), "status": "paid", "arrival_on": now.date(), "created_at": now, "acting": SYSTEM}
    payouts.observe(payout_id=f"po_{number}", **sent_out)
    stripe_movements.record(told=movement("5", "1", type="charge"), acting=SYSTEM)
    stripe_readings.record(available=Decimal(1), pending=Decimal(2), acting=SYSTEM)
    _bank(number)
    backing.record_check(trigger="test", acting=SYSTEM)
    side = AccountSide("1110", "Checking", Decimal(number), None, Decimal(0), None)
    inputs = BankInputs(
        as_of=now, days=3, payout_days=3, accounts=(side,), unbooked=(), changed=(), duplicates=(), aside=(), payouts=()
    )
    reconciliation.keep(kind=RunKind.BANK, as_of=now, inputs=inputs, acting=SYSTEM)
    with known(CAKE):
        sagas.start(saga=CAKE.name, key=f"cake-{number}", input={"cake": "plum"}, acting=SYSTEM)


def _bank(number: int) -> None:
    """An account with a line that a bill explains and one that nothing does."""
    now = timezone.now()
    given = AccountRow(f"a{number}", "Operating", "checking", Decimal(9), Decimal(9), now - timedelta(days=9))
    bill = make_bill(str(100 + number), billed_on=now.date(), due_on=now.date())
    lines = tuple(
        LineRow(f"{name}{number}", amount, LineStatus.SENT, "", now, now, "Hetzner", text, "", {"id": name})
        for name, amount, text in (("b", -bill.amount, bill.number), ("x", Decimal(-7), "who knows"))
    )
    [account] = bank.record_accounts(rows=[given], read_at=now, acting=SYSTEM)
    answer = Lines(since=given.opened_at, rows=lines, aside=())
    bank.record_lines(account=account, answer=answer, read_at=now, acting=SYSTEM)
    follow_up(now)


def asked(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200, address
    return len(queries)


@pytest.mark.parametrize("model", ["payment", "stripemovement"])
def test_filters__ask_no_table_of_a_million_rows_which_values_it_holds(model: str) -> None:
    desk = desk_of(Role.OPERATIONS)
    with CaptureQueriesContext(connection) as queries:
        desk.get(f"/admin/treasury/{model}/")
    assert [row["sql"] for row in queries if "SELECT DISTINCT" in row["sql"]] == []


def test_lists__ask_no_more_for_more_rows() -> None:
    ada = buyer(name="Ada", email="ada@example.org")
    own, olga = Client(), desk_of(Role.OPERATIONS)
    own.force_login(ada.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    pages = [(own, address) for address in MEMBERS]
    pages += [(olga, f"/admin/{app}/{model}/") for app, models in DESK.items() for model in models]
    more(ada)
    for client, address in pages:
        client.get(address)
    few = {address: asked(client, address) for client, address in pages}
    for _ in range(3):
        more(ada)

    many = {address: asked(client, address) for client, address in pages}

    assert {address: (few[address], many[address]) for address in few if many[address] > few[address]} == {}
    assert {address: number for address, number in many.items() if number > 20} == {}
