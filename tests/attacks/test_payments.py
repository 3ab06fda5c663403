"""Raw SQL against payments, refunds, disputes and what Stripe told: by the application role, and by the owner."""

import psycopg
import pytest

from habitat.members.policies.actors import SYSTEM
from tests.treasury.money_in import dispute, minted, movement, received
from treasury.actions import payouts, refunds, stripe_events, stripe_movements, stripe_readings
from treasury.models import Payment
from treasury.policies.payments import (
    DISPUTE_EDGES,
    PAYMENT_EDGES,
    PAYOUT_EDGES,
    REFUND_EDGES,
    STRIPE_EVENT_EDGES,
)

pytestmark = pytest.mark.django_db(transaction=True)

TABLES = ["payment", "refund", "dispute", "payout", "stripeevent", "stripemovement", "stripereading"]
# By the owner, whom no missing privilege stops: only triggers and constraints do.
ATTACKS = [
    "UPDATE treasury_payment SET amount = 1000",
    "UPDATE treasury_payment SET reference = 'pi_other'",
    "UPDATE treasury_payment SET problem = '' WHERE problem <> ''",
    "UPDATE treasury_payment SET purchase_ref = '9'",
    "UPDATE treasury_payment SET journal_entry_id = NULL",
    "UPDATE treasury_payment SET member_id = NULL WHERE member_id IS NOT NULL",
    "UPDATE treasury_payment SET state = 'received', minted = 0 WHERE state = 'minted'",
    "UPDATE treasury_payment SET minted = 99, state = 'minted' WHERE state = 'received'",
    "UPDATE treasury_payment SET minted = amount, state = 'minted' WHERE problem <> ''",
    "UPDATE treasury_payment SET minted = minted - 1 WHERE state = 'minted'",
    "UPDATE treasury_payment SET refunded = refunded - 1 WHERE state = 'minted'",
    "UPDATE treasury_payment SET disputed = disputed - 1",
    "UPDATE treasury_payment SET clawed_back = 101 WHERE state = 'minted'",
    "UPDATE treasury_payment SET late = 1 WHERE state = 'minted'",
    "UPDATE treasury_payment SET late = 1 WHERE state = 'received'",
    "UPDATE treasury_payment SET minted = minted + 1 WHERE state = 'minted'",
    "UPDATE treasury_payment SET state = 'unheard'",
    "UPDATE treasury_refund SET amount = 1",
    "UPDATE treasury_refund SET state = 'pending'",
    "UPDATE treasury_refund SET reclaim = 0",
    "UPDATE treasury_refund SET held = 1",
    "UPDATE treasury_refund SET origin = 'held'",
    "UPDATE treasury_refund SET refund_id = 're_other'",
    "UPDATE treasury_refund SET payment_id = payment_id + 1",
    "UPDATE treasury_dispute SET state = 'won' WHERE state = 'lost'",
    "UPDATE treasury_dispute SET reclaim = 0",
    "UPDATE treasury_dispute SET held = 1",
    "UPDATE treasury_dispute SET opened_entry_id = NULL",
    "UPDATE treasury_dispute SET fee = 0",
    "UPDATE treasury_payout SET amount = 1",
    "UPDATE treasury_payout SET state = 'pending'",
    "UPDATE treasury_stripeevent SET payload = '{}'",
    "UPDATE treasury_stripeevent SET type = 'x'",
    "UPDATE treasury_stripeevent SET state = 'received'",
    "UPDATE treasury_stripemovement SET fee = 0, net = amount",
    "UPDATE treasury_stripemovement SET journal_entry_id = NULL",
    "UPDATE treasury_stripereading SET available = 0",
]


@pytest.fixture
def rows():
    """One of each, made by the verbs."""
    payment = minted("100")
    received("100", problem="wrong_currency")
    received("100")
    refunds.observe(payment=payment, refund_id="re_1", amount=30, status="succeeded", is_ours=False, acting=SYSTEM)
    taken = movement("-70", "15")
    dispute(payment, "lost", taken, amount="70")
    stripe_movements.record(told=movement("100", "3.2", type="charge"), acting=SYSTEM)
    payouts.observe(
        payout_id="po_1",
        amount=10,
        status="paid",
        arrival_on="2026-04-15",
        created_at=payment.occurred_at,
        acting=SYSTEM,
    )
    stripe_readings.record(available=1, pending=2, acting=SYSTEM)
    stripe_events.store(event_id="evt_1", type="unicorn.found", payload={"data": {}}, acting=SYSTEM)
    claimed = stripe_events.claim(acting=SYSTEM)
    stripe_events.finish(claimed=claimed, known=False, acting=SYSTEM)


def test_owner__cannot_rewrite(rows, owner_connection):
    taken = []
    for attack in ATTACKS:
        try:
            owner_connection.execute(attack)
        except psycopg.errors.IntegrityError:
            continue
        taken.append(attack)
    assert taken == []


def test_nothing__disappears(rows, owner_connection, app_connection):
    for table in TABLES:
        for verb in (f"DELETE FROM treasury_{table}", f"TRUNCATE treasury_{table} CASCADE"):
            with pytest.raises(psycopg.errors.IntegrityError):
                owner_connection.execute(verb)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app_connection.execute(verb)


@pytest.mark.parametrize(
    "column",
    [
        "payment.amount",
        "refund.amount",
        "dispute.amount",
        "payout.amount",
        "stripemovement.fee",
        "stripereading.pending",
    ],
)
def test_application__may_not_touch_what_is_fixed(rows, app_connection, column):
    table, name = column.split(".")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app_connection.execute(f"UPDATE treasury_{table} SET {name} = 0")


@pytest.mark.parametrize("column", ["minted", "refunded", "disputed", "clawed_back", "late"])
def test_payment__is_born_with_nothing_done_to_it(rows, owner_connection, column):
    names = "provider, reference, amount, state, journal_entry_id, occurred_at"
    entry = Payment.objects.first().journal_entry_id
    with pytest.raises(psycopg.errors.CheckViolation):
        owner_connection.execute(
            f"INSERT INTO treasury_payment ({names}, {column})"
            f" VALUES ('stripe', 'pi_x', 5, 'received', {entry}, now(), 5)"
        )


@pytest.mark.parametrize(
    ("table", "edges"),
    [
        ("payment", PAYMENT_EDGES),
        ("refund", REFUND_EDGES),
        ("dispute", DISPUTE_EDGES),
        ("payout", PAYOUT_EDGES),
        ("stripeevent", STRIPE_EVENT_EDGES),
    ],
)
def test_edges__are_those_of_the_policy(owner_connection, table, edges):
    [(definition,)] = owner_connection.execute(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s", [f"{table}_state"]
    ).fetchall()
    for start, ends in edges.items():
        for end in edges:
            assert (f"{start.value}>{end.value}" in definition) is (end in ends), (start, end)
