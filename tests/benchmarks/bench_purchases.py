"""Purchases paid at once: every webhook twice, shuffled, 64 at a time, until each payment is minted.

Each round runs product, constrained baseline and bare baseline in turn on fresh clones of one durable database, so
that a machine whose speed drifts drifts for all three. The product is gunicorn and the worker as they are served, and
Stripe's sandbox, which shares their processors. The baseline writes the very rows that the first round left behind
(webhooks, payment, fee, entries, mint, events, deliveries, notice), a purchase a commit, as final rows; its tables keep
every constraint and lose their user triggers. Bare: no constraint, index or trigger. `HABITAT_PURCHASES` is how many.
"""

import os
import shutil
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks import databases

PURCHASES = int(os.environ.get("HABITAT_PURCHASES", "1000"))
EACH = 4
ROUNDS = 3
WRITERS = 8
SETTINGS = "habitat.settings.bench"
# What a purchase leaves behind, in the order in which it can be written, and which of a table's rows `t` are its own:
# `b` is a purchase with what hangs on it, `e` its events.
ROWS = {
    "treasury_stripeevent": "JOIN b ON t.payload #>> '{data,object,id}' IN (b.reference, b.charge_id, b.session_id)",
    "treasury_journalentry": "JOIN b ON t.id IN (b.received, b.fee, b.minted)",
    "treasury_journalline": "JOIN b ON t.entry_id IN (b.received, b.fee, b.minted)",
    "treasury_payment": "JOIN b ON t.id = b.payment",
    "treasury_stripemovement": "JOIN b ON t.id = b.movement",
    "cloud_credits_cloudtransaction": "JOIN b ON t.id = b.booked",
    "cloud_credits_paymentmint": "JOIN b ON t.id = b.mint",
    "events_event": "JOIN e b ON b.event = t.id",
    "events_delivery": "JOIN e b ON b.event = t.event_id",
    "notifications_notification": "JOIN e b ON b.event = t.event_id",
}
CHANGED = ("cloud_credits_purchase", "cloud_credits_cloudbalance")
_BOUGHT = """
CREATE TEMP TABLE b AS
SELECT u.id AS purchase, u.session_id, p.id AS payment, p.reference, p.charge_id, p.journal_entry_id AS received,
       s.id AS movement, s.journal_entry_id AS fee, m.id AS mint, m.transaction_id AS booked,
       c.journal_entry_id AS minted
  FROM cloud_credits_purchase u
  JOIN treasury_payment p ON p.id = u.payment_id
  JOIN treasury_stripemovement s ON s.source_id = p.charge_id
  JOIN cloud_credits_paymentmint m ON m.payment_id = p.id
  JOIN cloud_credits_cloudtransaction c ON c.id = m.transaction_id
"""
_TOLD = """
CREATE TEMP TABLE e AS
SELECT b.purchase, t.id AS event FROM events_event t
  JOIN b ON (t.name = 'cloud.minted' AND t.payload ->> 'transaction_id' = b.booked::text)
         OR (t.name IN ('payment.received', 'checkout.completed') AND t.payload ->> 'purchase_ref' = b.purchase::text)
"""
_PAID = """
SELECT u.id, u.payment_id, u.paid_at::text, c.to_liquid_after::text, c.to_sequence, c.booked_at::text, c.id,
       c.to_member_id
  FROM b JOIN cloud_credits_purchase u ON u.id = b.purchase JOIN cloud_credits_cloudtransaction c ON c.id = b.booked
"""
_PAY = (
    "UPDATE cloud_credits_purchase SET state = 'minted', payment_id = %s, paid_at = %s::timestamptz, problem = ''"
    " WHERE id = %s"
)
_HOLD = (
    "UPDATE cloud_credits_cloudbalance SET liquid = %s::numeric, version = %s, booked_at = %s::timestamptz,"
    " last_transaction_id = %s WHERE member_id = %s"
)

Work = list[tuple[str, tuple[Any, ...]]]


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return _figures(Path(folder))


def _figures(folder: Path) -> dict[str, Any]:
    _build(folder / "paid")
    plan: list[Work] = []
    rounds, answers = [], []
    for number in range(ROUNDS):
        seconds, sent = _product(folder, f"round{number}")
        answers += [row["microseconds"] / 1_000 for row in sent]
        plan = plan or _plan()
        seconds |= {kind: _baseline(plan, constrained=kind == "constrained") for kind in ("constrained", "bare")}
        rounds.append(
            {"webhooks": len(sent) / seconds.pop("webhooks")} | {w: PURCHASES / s for w, s in seconds.items()}
        )
    percentiles = statistics.quantiles(answers, n=100)
    figures: dict[str, Any] = {
        f"{who} a second": statistics.median(r[who] for r in rounds)
        for who in ("minted", "webhooks", "constrained", "bare")
    }
    figures["answer p50, p99, longest (ms)"] = f"{percentiles[49]:.0f}, {percentiles[98]:.0f}, {max(answers):.0f}"
    figures["ratio"] = statistics.median(r["minted"] / r["constrained"] for r in rounds)
    figures["ratio to bare"] = statistics.median(r["minted"] / r["bare"] for r in rounds)
    figures["purchases, webhooks a round, rounds"] = f"{PURCHASES}, {len(answers) // ROUNDS}, {ROUNDS}"
    figures["at once, gunicorn workers x threads, task workers"] = "64, 2 x 8, 2"
    figures["errors"] = 0
    figures["conservation"] = "each payment minted once; verify_books holds after each round"
    return figures


# --- the product


def _build(store: Path) -> None:
    """A database with purchases waiting for their payments, and a sandbox where all of them are paid."""
    from tests.sandboxes import Sandbox

    sandbox = Sandbox("treasury.sandbox.stripe", "--data", store)

    def pay() -> None:
        from django.conf import settings

        from habitat.events.workflows import deliveries
        from tests import checkouts

        settings.EVENT_WAKE = "none"
        settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = sandbox.url, checkouts.KEY
        checkouts.pay(sandbox, buyers=PURCHASES // EACH, each=EACH)
        deliveries.drain()

    databases.build_template(pay)
    sandbox.stop()


def _product(folder: Path, name: str) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Seconds until all webhooks were answered and until all was minted, and the answers."""
    databases.use(databases.clone("bench_purchases"))
    from django.db.models import Max

    from cloud_credits.models import CloudTransaction
    from tests import checkouts
    from tests.sandboxes import Sandbox

    own = folder / name
    own.mkdir()
    for part in folder.glob("paid*"):
        shutil.copy(part, own / part.name)
    sandbox = Sandbox("treasury.sandbox.stripe", "--data", own / "paid")
    try:
        with checkouts.served(own, sandbox, SETTINGS) as house:
            began, clock = datetime.now(UTC), time.perf_counter()
            sent = checkouts.tell_all(sandbox, house)
            answered = time.perf_counter() - clock
            checkouts.wait_until(checkouts.all_minted, "not every purchase was minted", seconds=60 + PURCHASES)
            checkouts.wait_until(checkouts.nothing_waits, "something still waits", seconds=60 + PURCHASES)
        minted = CloudTransaction.objects.filter(type="mint").aggregate(last=Max("booked_at"))["last"] - began
        _check(own, sent)
    finally:
        sandbox.stop()
        databases.close()
    return {"webhooks": answered, "minted": minted.total_seconds()}, sent


def _check(folder: Path, sent: list[dict[str, Any]]) -> None:
    from cloud_credits.models import PaymentMint
    from tests import checkouts
    from tests.site.cooperative import broken, verify_books

    refused = [row for row in sent if row["answer"] != "200"]
    code, said = verify_books("--all")
    troubles = checkouts.troubles(folder)
    if refused or code or troubles or PaymentMint.objects.count() != PURCHASES:
        message = f"{PaymentMint.objects.count()} minted; {refused[:3]}; {broken(said)}; {troubles[:3]}"
        raise AssertionError(message)


# --- the baseline


def _plan() -> list[Work]:
    """The rows of each purchase as the product left them, as statements of one commit."""
    plan: dict[int, Work] = defaultdict(list)
    with psycopg.connect(databases.dsn("bench_purchases", "owner")) as connection:
        connection.execute(_BOUGHT)
        connection.execute(_TOLD)
        for table, own in ROWS.items():
            _plan_table(connection, table, own, plan)
        for purchase, payment, paid_at, liquid, version, booked_at, booked, member in connection.execute(_PAID):
            plan[purchase].append((_PAY, (payment, paid_at, purchase)))
            plan[purchase].append((_HOLD, (liquid, version, booked_at, booked, member)))
    if len(plan) != PURCHASES:
        raise AssertionError(len(plan))
    return list(plan.values())


def _plan_table(connection: psycopg.Connection, table: str, own: str, plan: dict[int, Work]) -> None:
    columns = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass"
        " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [table],
    ).fetchall()
    texts = ", ".join(f't."{name}"::text' for name, _ in columns)
    rows: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for purchase, *values in connection.execute(f"SELECT b.purchase, {texts} FROM {table} t {own} ORDER BY t.id"):
        rows[purchase].append(tuple(values))
    names = ", ".join(f'"{name}"' for name, _ in columns)
    one = "(" + ", ".join(f"%s::{kind}" for _, kind in columns) + ")"
    for purchase, found in rows.items():
        insert = f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES {', '.join([one] * len(found))}"
        plan[purchase].append((insert, tuple(value for row in found for value in row)))


def _baseline(plan: list[Work], *, constrained: bool) -> float:
    name = databases.clone("bench_baseline")
    with psycopg.connect(databases.dsn(name, "owner"), autocommit=True) as owner:
        databases.tables_of(owner, [*ROWS, *CHANGED], constrained=constrained)
    connections = [psycopg.connect(databases.dsn(name, "owner")) for _ in range(WRITERS)]

    def work(writer: int) -> None:
        connection = connections[writer]
        for purchase in plan[writer::WRITERS]:
            for statement, values in purchase:
                connection.execute(statement, values)
            connection.commit()

    spent = _in_threads(work)
    for connection in connections:
        connection.close()
    return spent


def _in_threads(work: Callable[[int], None]) -> float:
    """Seconds until all writers are done; the first error of any of them is raised."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(WRITERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - began
    if errors:
        raise errors[0]
    return spent
