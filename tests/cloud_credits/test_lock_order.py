"""The house's one lock order, verb by verb, and how many statements each verb needs."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cloud_credits.actions import invoices
from cloud_credits.actions.burns import burn
from cloud_credits.actions.corrections import correct, reverse
from cloud_credits.actions.grants import grant
from cloud_credits.actions.mints import request_manual_mint
from cloud_credits.actions.movements import techne_id
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.staking import stake, unstake
from cloud_credits.actions.transfers import transfer
from cloud_credits.models import StakingPosition
from cloud_credits.reports.rate_cards import adopted_cards
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from tests.cloud_credits.invoiced import item, sent
from tests.cloud_credits.ledger import Clock
from tests.cloud_credits.metered import body, make_key, meter, send
from tests.factories import actor, fund, key, make_member, system_member

pytestmark = pytest.mark.django_db

SWITCH, PERIOD, OWNER, BALANCE, WRITE, ALERT = "mint switch", "period", "owner", "balances", "write", "alert"
ENTRY, USAGE = "entry", "usage"
LOCKS = (
    (SWITCH, re.compile(r"FROM treasury_mintswitch s\b.*FOR (NO KEY UPDATE|SHARE)", re.DOTALL)),
    (PERIOD, re.compile(r"FROM treasury_period p\b.*FOR SHARE", re.DOTALL)),
    (BALANCE, re.compile(r"FROM cloud_credits_cloudbalance b\b.*ORDER BY b\.id\s+FOR NO KEY UPDATE", re.DOTALL)),
    (ALERT, re.compile(r'FROM "controls_alert".*FOR (NO KEY )?UPDATE', re.DOTALL)),
    (OWNER, re.compile(r"FOR NO KEY UPDATE|FOR UPDATE")),
    (WRITE, re.compile(r"UPDATE cloud_credits_cloudbalance b")),
)
# What a batch of usage writes before it holds the balances; a wait for an event id is a wait too.
WRITES = (
    (ENTRY, re.compile(r"INSERT INTO treasury_journalentry")),
    (USAGE, re.compile(r"INSERT INTO cloud_credits_resourceusage")),
)


def taken(statements: list[str], patterns: tuple = LOCKS) -> list[str]:
    """The locks in the order they are asked for, and the write of balances; repeats in a row count once."""
    order: list[str] = []
    for statement in statements:
        name = next((name for name, pattern in patterns if pattern.search(statement)), None)
        if name and order[-1:] != [name]:
            order.append(name)
    return order


class World:
    """Members with all that any verb needs."""

    def __init__(self) -> None:
        self.ada, self.ben = make_member(credits="52", is_investor=True), make_member(credits="5")
        self.techne = system_member(SystemAccount.TECHNE)
        fund(self.techne, "20")
        self.gift = transfer(
            sender=self.ada, recipient=self.ben, amount=cloud("4"), idempotency_key=key(), acting=SYSTEM
        ).transaction
        self.asker = actor(self.ada, "cloud_credits.mint_credits")
        self.second = actor(self.ben, "cloud_credits.approve_mint")
        self.ask_mint("before")
        self.approval = Approval.objects.latest("id")
        self.key = make_key()
        self.invoice, self.paid = sent(self.ada, item("1", "2")), sent(self.ada, item("1", "2"))
        invoices.pay(invoice=self.paid, idempotency_key=key(), acting=actor(self.ada))
        techne_id()
        adopted_cards()

    def ask_mint(self, name: str) -> object:
        return request_manual_mint(
            member=self.ada, amount=cloud("1"), reason="x", idempotency_key=name, acting=self.asker
        )

    def asks(self, verb: Callable, amount: str = "1", **more) -> object:
        return verb(amount=cloud(amount), idempotency_key=key(), acting=SYSTEM, **more)


VERBS: dict[str, tuple[Callable[[World], object], list[str], int]] = {
    "transfer": (lambda w: w.asks(transfer, sender=w.ada, recipient=w.ben), [BALANCE, WRITE], 4),
    "redeem": (lambda w: w.asks(redeem, member=w.ada), [PERIOD, BALANCE, WRITE], 6),
    "burn": (lambda w: w.asks(burn, member=w.ada, reason="x"), [PERIOD, BALANCE, WRITE], 6),
    "grant by techne": (
        lambda w: w.asks(grant, giver=w.techne, recipient=w.ada, reason="x"),
        [PERIOD, BALANCE, WRITE],
        6,
    ),
    "correct": (lambda w: w.asks(correct, to_member=w.ada, reason="x"), [SWITCH, PERIOD, BALANCE, WRITE], 17),
    "stake": (lambda w: w.asks(stake, member=w.ada, days=30), [OWNER, BALANCE, WRITE], 8),
    "reverse": (
        lambda w: reverse(original=w.gift, reason="x", idempotency_key=key(), acting=SYSTEM),
        [PERIOD, OWNER, BALANCE, WRITE],
        11,
    ),
    "pay an invoice": (
        lambda w: invoices.pay(invoice=w.invoice, idempotency_key=key(), acting=actor(w.ada)),
        [PERIOD, OWNER, PERIOD, BALANCE, WRITE],
        11,
    ),
    "refund an invoice": (
        lambda w: invoices.refund(invoice=w.paid, reason="x", idempotency_key=key(), acting=SYSTEM),
        [PERIOD, OWNER, PERIOD, BALANCE, WRITE],
        10,
    ),
    "a batch of usage": (
        lambda w: send(w.key, body(w.ben), body(w.ada), body(w.ben, quantity="1")),
        [PERIOD, ENTRY, USAGE, BALANCE, WRITE],
        16,
    ),
    "a batch of usage in which somebody is short": (
        lambda w: send(w.key, body(w.ben), body(w.ada), body(w.ben, quantity="100")),
        [PERIOD, BALANCE, ENTRY, USAGE, WRITE],
        24,
    ),
    "a single event of usage": (lambda w: meter(w.ben, w.key), [PERIOD, BALANCE, ENTRY, WRITE, USAGE], 8),
    "ask for a mint": (lambda w: w.ask_mint("other"), [], 3),
}


@pytest.mark.parametrize("verb", VERBS)
def test_lock_order__period_then_owner_then_balances(verb):
    ask, order, count = VERBS[verb]
    world = World()
    adopted_cards()  # what a process remembers for a minute is no part of a verb's count
    with CaptureQueriesContext(connection) as captured:
        ask(world)
    statements = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    assert taken(statements, LOCKS + WRITES if USAGE in order else LOCKS) == order
    assert len(statements) == count, "\n".join(statement[:100] for statement in statements)


def test_lock_order__a_granted_mint_locks_its_approval_then_switch_period_row_and_balance():
    world = World()
    with CaptureQueriesContext(connection) as captured:
        approvals.grant(approval=world.approval, reason="seen", acting=world.second)
    assert taken([query["sql"] for query in captured]) == [OWNER, SWITCH, PERIOD, OWNER, SWITCH, PERIOD, BALANCE, WRITE]


def test_lock_order__unstake_with_a_debt__locks_the_period_before_the_debt_before_the_stake(superuser_dsn):
    world = World()
    world.asks(stake, "46", member=world.ada, days=30)
    gift = world.asks(transfer, "5", sender=world.ben, recipient=world.ada).transaction
    world.asks(redeem, "5", member=world.ada)
    reverse(original=gift, reason="x", idempotency_key=key(), acting=SYSTEM)
    position = StakingPosition.objects.get()
    with Clock(superuser_dsn) as clock:
        clock.forward(days=31)
        with CaptureQueriesContext(connection) as captured:
            unstake(position=position, idempotency_key=key(), acting=SYSTEM)
    order = taken([query["sql"] for query in captured])
    assert order[:4] == [PERIOD, OWNER, BALANCE, WRITE]
    # What settles the debt asks again for locks it holds already; its alert closes after all of them.
    assert order[-1] == ALERT
    assert set(order[4:-1]) <= {PERIOD, BALANCE, WRITE}


def test_lock_order__balances_are_locked_in_the_order_of_their_ids__whoever_pays():
    world = World()
    for sender, recipient in ((world.ada, world.ben), (world.ben, world.ada)):
        with CaptureQueriesContext(connection) as captured:
            world.asks(transfer, sender=sender, recipient=recipient)
        [lock] = [query["sql"] for query in captured if "FOR NO KEY UPDATE" in query["sql"]]
        assert "ORDER BY b.id" in lock
