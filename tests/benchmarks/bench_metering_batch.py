"""`POST /api/metering/batch` in batches of 1,000 and of 10,000, beside the same rows written by psycopg's COPY.

Each round runs product and constrained baseline in turn on fresh clones of one durable database, so that a machine
whose speed drifts drifts for both. The product is gunicorn as it is served; the bodies are made beforehand, and every
answer is read and counted. The baseline writes the very rows a batch writes (entry, two lines, balances, ledger rows,
usage, event, deliveries), one commit a batch, COPY for what is many; its tables keep every constraint and lose their
user triggers. Then the curve: what an event costs when 10^4, 10^5 and 10^6 (BENCH_CURVE=7: 10^7) rows are stored.

Sizes by environment: BENCH_EVENTS (200000), BENCH_MEMBERS (1000), BENCH_BATCHES ("1000,10000"), BENCH_ROUNDS (3),
BENCH_CLIENTS (2), BENCH_CURVE (6; 0 for none).
"""

import http.client
import json
import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from tests.benchmarks import databases, served

EVENTS = int(os.environ.get("BENCH_EVENTS", "200000"))
MEMBERS = int(os.environ.get("BENCH_MEMBERS", "1000"))
BATCHES = [int(size) for size in os.environ.get("BENCH_BATCHES", "1000,10000").split(",")]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CLIENTS = int(os.environ.get("BENCH_CLIENTS", "2"))
CURVE = int(os.environ.get("BENCH_CURVE", "6"))
# Events each client sends before the clock starts.
WARM = 200
AIMS = {1_000: 6_000, 10_000: 10_000}
TABLES = [
    "treasury_journalentry",
    "treasury_journalline",
    "cloud_credits_cloudtransaction",
    "cloud_credits_cloudbalance",
    "cloud_credits_resourceusage",
    "events_event",
    "events_delivery",
]
SETTINGS = ("shared_buffers", "synchronous_commit", "fsync", "full_page_writes", "max_wal_size", "server_version")

_secret = ""


def run() -> dict[str, Any]:
    databases.build_template(_house)
    figures: dict[str, Any] = {}
    for size in BATCHES:
        rounds = [_round(size) for _ in range(ROUNDS)]
        for who in rounds[0]:
            figures[f"{who} a second, batches of {size}"] = statistics.median(each[who] for each in rounds)
        figures[f"aim, batches of {size}"] = f">= {AIMS[size]}" if size in AIMS else "none"
        figures[f"ratio, batches of {size}"] = statistics.median(
            each["events"] / each["constrained"] for each in rounds
        )
    figures["aim of the ratios"] = ">= 0.5"
    if CURVE:
        figures |= _curve()
    figures["events a round, members, clients, rounds"] = f"{EVENTS}, {MEMBERS}, {CLIENTS}, {ROUNDS}"
    figures["gunicorn workers x threads"] = f"{served.WORKERS} x {served.THREADS}"
    figures["server"] = _settings()
    figures["errors"] = 0
    figures["conservation"] = "every proof of the ledger holds after each round"
    return figures


def _house() -> None:
    global _secret
    from habitat.controls.actions import service_keys
    from habitat.members.policies.actors import SYSTEM
    from tests.factories import make_member

    for _ in range(MEMBERS):
        make_member(credits="1000000")
    _, _secret = service_keys.create(name="bench", scopes=["metering:write"], acting=SYSTEM)


def _settings() -> str:
    with psycopg.connect(databases.dsn(databases.TEMPLATE, "owner"), autocommit=True) as connection:
        rows = {name: connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in SETTINGS}
    return ", ".join(f"{name} {row[0]}" for name, row in rows.items() if row)


def _round(size: int) -> dict[str, float]:
    name = databases.clone("bench_batch")
    spent = _product(name, size)
    _require_whole(name, EVENTS)
    return {"events": EVENTS / spent, "constrained": EVENTS / _baseline(size)}


# --- the product


def _members(name: str) -> list[int]:
    with psycopg.connect(databases.dsn(name, "owner")) as connection:
        rows = connection.execute("SELECT id FROM members_member WHERE system_code IS NULL ORDER BY id").fetchall()
    return [row[0] for row in rows]


def _bodies(members: list[int], size: int, events: int, mark: str) -> list[bytes]:
    dice = random.Random(size)
    now = datetime.now(tz=UTC)
    written = [
        {
            "eventId": f"{mark}-{number:08d}",
            "memberId": str(dice.choice(members)),
            "primitive": "compute",
            "quantity": f"0.{dice.randrange(1, 100):02d}",
            "unit": "compute-hours",
            "serviceName": "bench",
            "timestamp": (now - timedelta(microseconds=number)).isoformat(),
        }
        for number in range(events)
    ]
    return [json.dumps(written[start : start + size]).encode() for start in range(0, events, size)]


def _product(name: str, size: int) -> float:
    bodies = _bodies(_members(name), size, EVENTS, "run")
    warm = _bodies(_members(name), WARM, WARM * CLIENTS, "warm")
    with served.gunicorn(name) as port:
        _in_threads(lambda client: _post(port, warm[client::CLIENTS]))
        return _in_threads(lambda client: _post(port, bodies[client::CLIENTS]))


def _post(port: int, bodies: list[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": f"Bearer {_secret}", "Content-Type": "application/json"}
    for body in bodies:
        connection.request("POST", "/api/metering/batch", body, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != http.client.OK or told.count(b'"status":"accepted"') != body.count(b"eventId"):
            raise AssertionError(told[:1000])
    connection.close()


def _require_whole(name: str, events: int) -> None:
    """Nothing lost, nothing twice, and every proof of the ledger holds."""
    databases.use(name)
    from cloud_credits.models import ResourceUsage
    from cloud_credits.reports.proofs import PROOFS

    recorded = ResourceUsage.objects.count()
    broken = [proof.name for proof in PROOFS if not proof.run().ok]
    databases.close()
    if broken or recorded != events + WARM * CLIENTS:
        message = f"{recorded} recorded; {broken}"
        raise AssertionError(message)


# --- the baseline

_COPIES = (
    (
        "transactions",
        "COPY cloud_credits_cloudtransaction (id, type, state, from_member_id, amount, purpose, description,"
        " reference, journal_entry_id, from_liquid_after, from_staked_after, from_sequence, booked_at, booked_xid,"
        " acting) FROM STDIN",
    ),
    (
        "usage",
        "COPY cloud_credits_resourceusage (member_id, primitive, quantity, unit, rate, cost, rate_card_id,"
        " service_key_id, service_name, event_id, digest, metered_at, received_at, is_late, transaction_id,"
        " journal_entry_id) FROM STDIN",
    ),
)
_BALANCES = (
    "UPDATE cloud_credits_cloudbalance b SET liquid = n.liquid, version = n.version, booked_at = n.at,"
    " last_transaction_id = n.last FROM unnest(%s::bigint[], %s::numeric[], %s::bigint[], %s::timestamptz[],"
    " %s::bigint[]) AS n(id, liquid, version, at, last) WHERE b.id = n.id"
)
_ENTRY = (
    "INSERT INTO treasury_journalentry (id, ledger, occurred_at, effective_on, period_id, source_kind, source_ref,"
    " description, idempotency_key, content_digest, posted_by) VALUES (%s, 'book', %s, %s, %s, 'cloud_transaction',"
    " %s, 'bench', %s, %s, 'service:1')",
    "INSERT INTO treasury_journalline (entry_id, account_id, side, amount, memo)"
    " VALUES (%s, %s, 'D', %s, ''), (%s, %s, 'C', %s, '')",
)
_EVENT = (
    "INSERT INTO events_event (id, name, payload, actor, subscribers, occurred_at, transaction)"
    " OVERRIDING SYSTEM VALUE VALUES (%s, 'cloud.redeemed', %s::jsonb, 'service:1', %s, now(), pg_current_xact_id())",
    "INSERT INTO events_delivery (event_id, subscriber, state, attempts, fence, due_at, error)"
    " SELECT %s, unnest(%s::text[]), 'pending', 0, 0, now(), ''",
)


def _baseline(size: int) -> float:
    name = databases.clone("bench_baseline")
    with psycopg.connect(databases.dsn(name, "owner"), autocommit=True) as owner:
        warm, plan = _plan(owner, size)
        databases.tables_of(owner, TABLES, constrained=True)
    connections = [psycopg.connect(databases.dsn(name, "owner")) for _ in range(CLIENTS)]

    def work(client: int, batches: list[dict[str, Any]]) -> None:
        connection = connections[client]
        for batch in batches:
            for statement, values in zip(_ENTRY, batch["entry"], strict=True):
                connection.execute(statement, values)
            for what, statement in _COPIES:
                with connection.cursor() as cursor, cursor.copy(statement) as copy:
                    copy.write(batch[what])
            connection.execute(_BALANCES, batch["balances"])
            for statement, values in zip(_EVENT, batch["event"], strict=True):
                connection.execute(statement, values)
            connection.commit()

    _in_threads(lambda client: work(client, warm[client::CLIENTS]))
    spent = _in_threads(lambda client: work(client, plan[client::CLIENTS]))
    for connection in connections:
        connection.close()
    return spent


def _plan(connection: psycopg.Connection, size: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every row of every batch, made beforehand: COPY's own text for what is many. First the untimed ones."""
    from habitat.events.policies.registry import subscribers_of

    one = lambda query: connection.execute(query).fetchone()[0]  # noqa: E731
    fixed = {
        "heard": list(subscribers_of("cloud.redeemed")),
        "owed": one("SELECT id FROM treasury_account WHERE code = '2220'"),
        "earned": one("SELECT id FROM treasury_account WHERE code = '4420'"),
        "card": one("SELECT id FROM cloud_credits_ratecard"),
        "key": one("SELECT max(id) FROM controls_servicekey"),
        "period": one('SELECT id FROM treasury_period WHERE current_date >= start AND current_date < "end"'),
    }
    held = connection.execute(
        "SELECT b.id, b.member_id, b.liquid, b.version FROM cloud_credits_cloudbalance b JOIN members_member m"
        " ON m.id = b.member_id WHERE m.system_code IS NULL ORDER BY b.id"
    ).fetchall()
    state = {row[0]: [row[1], row[2], row[3]] for row in held}
    dice, first = random.Random(size), WARM * CLIENTS
    numbers = list(range(first + EVENTS))

    def batches(start: int, end: int, each: int) -> list[dict[str, Any]]:
        return [_batch(numbers[at : min(at + each, end)], state, dice, fixed) for at in range(start, end, each)]

    return batches(0, first, WARM), batches(first, first + EVENTS, size)


def _batch(
    numbers: list[int], state: dict[int, list[Any]], dice: random.Random, fixed: dict[str, Any]
) -> dict[str, Any]:
    entry, begun = 10_000_000 + numbers[0], datetime.now(tz=UTC)
    balances = sorted(state)
    transactions, usage, last, total = [], [], {}, Decimal(0)
    for number in numbers:
        balance = dice.choice(balances)
        row, at, cost = (
            10_000_000 + number,
            begun + timedelta(microseconds=number),
            Decimal(dice.randrange(1, 100)) / 100,
        )
        holding = state[balance]
        holding[1] -= cost
        holding[2] += 1
        total += cost
        transactions.append(
            f"{row}\tredemption\tcompleted\t{holding[0]}\t{cost}\tredemption\tcompute usage: {cost} compute-hours"
            f"\tevent-{number:08d}\t{entry}\t{holding[1]}\t0\t{holding[2]}\t{at.isoformat()}\t{entry}\tservice:1\n"
        )
        usage.append(
            f"{holding[0]}\tcompute\t{cost}\tcompute-hours\t1\t{cost}\t{fixed['card']}\t{fixed['key']}\tbench"
            f"\tevent-{number:08d}\t\\\\x{'30' * 32}\t{at.isoformat()}\t{at.isoformat()}\tf\t{row}\t{entry}\n"
        )
        last[balance] = (holding[1], holding[2], at, row)
    touched = sorted(last)
    ranges = [
        {"member_id": state[each][0], "first_sequence": last[each][1], "last_sequence": last[each][1], "count": 1,
         "quantity": "1", "balance_after": str(last[each][0])}
        for each in touched
    ]  # fmt: skip
    payload = json.dumps({"quantity": str(total), "credit_value": "0", "journal_entry_id": entry, "ranges": ranges})
    return {
        "entry": (
            (entry, begun, begun.date(), fixed["period"], str(entry), f"cloud_transaction:{entry}", b"0" * 32),
            (entry, fixed["owed"], total * 10, entry, fixed["earned"], total * 10),
        ),
        "transactions": "".join(transactions).encode(),
        "usage": "".join(usage).encode(),
        "balances": [touched, *(list(column) for column in zip(*(last[each] for each in touched), strict=True))],
        "event": ((entry, payload, fixed["heard"]), (entry, fixed["heard"])),
    }


# --- the curve


def _curve() -> dict[str, Any]:
    """Microseconds an event in one process, in batches of 1,000, when so many rows lie there already."""
    name = databases.clone("bench_curve")
    databases.use(name)
    from cloud_credits.actions import metering_batch
    from cloud_credits.policies.metering_batch import BatchForm
    from habitat.controls.models import ServiceKey
    from habitat.controls.reports.service_keys import actor_of

    key, members, figures, stored = ServiceKey.objects.latest("id"), _members(name), {}, 0
    acting = actor_of(key)

    def send(events: int) -> float:
        nonlocal stored
        [body] = _bodies(members, events, events, f"curve-{stored}")
        began = time.perf_counter()
        stored += metering_batch.receive(body=body, form=BatchForm.JSON, key_id=key.pk, acting=acting).accepted
        return time.perf_counter() - began

    # The process warm, then at every size eleven batches around it.
    send(1_000)
    for power in range(4, CURVE + 1):
        while stored < 10**power - 5_000:
            send(min(10_000, 10**power - 5_000 - stored))
        figures[f"µs an event at 10^{power} rows"] = statistics.median(send(1_000) for _ in range(11)) * 1_000
    first, latest = figures["µs an event at 10^4 rows"], figures[f"µs an event at 10^{CURVE} rows"]
    figures[f"growth 10^4 to 10^{CURVE}"] = latest / first
    figures["aim of the growth"] = "<= 1.5"
    databases.close()
    return figures


def _in_threads(work: Callable[[int], None]) -> float:
    """Seconds until all clients are done; the first error of any of them is raised."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - began
    if errors:
        raise errors[0]
    return spent
