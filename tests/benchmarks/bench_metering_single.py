"""`POST /api/metering/record` by sixteen keep-alive clients, beside the same rows written by bare psycopg.

Each round runs product, constrained baseline and bare baseline in turn on fresh clones of one durable database, so
that a machine whose speed drifts drifts for all three. The product is gunicorn as it is served. The baseline writes
the very rows an event writes (entry, two lines, balance, ledger row, usage, event, deliveries), one commit each, with
values made beforehand; its tables keep every constraint and lose their user triggers. Bare: no constraint or index.
"""

import http.client
import json
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

MEMBERS = 1_000
CLIENTS = 16
EVENTS_PER_CLIENT = 100
ROUNDS = 3
TABLES = [
    "treasury_journalentry",
    "treasury_journalline",
    "cloud_credits_cloudtransaction",
    "cloud_credits_cloudbalance",
    "cloud_credits_resourceusage",
    "events_event",
    "events_delivery",
]

_secret = ""


def run() -> dict[str, Any]:
    databases.build_template(_house)
    rounds = [_round() for _ in range(ROUNDS)]
    figures: dict[str, Any] = {f"{who} a second": statistics.median(r[who] for r in rounds) for who in rounds[0]}
    figures["ratio"] = statistics.median(r["metering_single"] / r["constrained"] for r in rounds)
    figures["aim"] = ">= 0.25"
    figures["ratio to bare"] = statistics.median(r["metering_single"] / r["bare"] for r in rounds)
    figures["clients, events a round, rounds"] = f"{CLIENTS}, {CLIENTS * EVENTS_PER_CLIENT}, {ROUNDS}"
    figures["gunicorn workers x threads"] = f"{served.WORKERS} x {served.THREADS}"
    figures["errors"] = 0
    figures["conservation"] = "every proof of the ledger holds after each round"
    return figures


def _house() -> None:
    global _secret
    from habitat.controls.actions import service_keys
    from habitat.members.policies.actors import SYSTEM
    from tests.factories import make_member

    for _ in range(MEMBERS):
        make_member(credits="1000")
    _, _secret = service_keys.create(name="bench", scopes=["metering:write"], acting=SYSTEM)


def _round() -> dict[str, float]:
    total = CLIENTS * EVENTS_PER_CLIENT
    seconds = {"metering_single": _product()}
    for kind in ("constrained", "bare"):
        seconds[kind] = _baseline(constrained=kind == "constrained")
    return {who: total / spent for who, spent in seconds.items()}


# --- the product


def _product() -> float:
    name = databases.clone("bench_metering")
    databases.use(name)
    from cloud_credits.models import ResourceUsage
    from cloud_credits.reports.proofs import PROOFS
    from habitat.members.models import Member

    members = list(Member.objects.filter(system_code__isnull=True).order_by("id").values_list("id", flat=True))
    databases.close()
    with served.gunicorn(name) as port:
        _in_threads(lambda client: _post(port, client, members, "warm", 5))
        spent = _in_threads(lambda client: _post(port, client, members, "run", EVENTS_PER_CLIENT))
    databases.use(name)
    recorded = ResourceUsage.objects.count()
    broken = [proof.name for proof in PROOFS if not proof.run().ok]
    if broken or recorded != CLIENTS * (EVENTS_PER_CLIENT + 5):
        message = f"{recorded} recorded; {broken}"
        raise AssertionError(message)
    return spent


def _post(port: int, client: int, members: list[int], run_name: str, count: int) -> None:
    """One client's events over one connection, each answered 201."""
    dice = random.Random(client)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {_secret}", "Content-Type": "application/json"}
    for number in range(count):
        event = {
            "eventId": f"{run_name}-{client}-{number}",
            "memberId": str(dice.choice(members)),
            "primitive": "compute",
            "quantity": "0.01",
            "unit": "compute-hours",
            "serviceName": "bench",
            "timestamp": datetime.now(tz=UTC).isoformat(),
        }
        connection.request("POST", "/api/metering/record", json.dumps(event), headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != http.client.CREATED:
            raise AssertionError(told)
    connection.close()


# --- the baseline

_STATEMENTS = (
    "INSERT INTO treasury_journalentry (id, ledger, occurred_at, effective_on, period_id, source_kind, source_ref,"
    " description, idempotency_key, content_digest, posted_by) VALUES (%s, 'book', %s, %s, %s, 'cloud_transaction',"
    " %s, 'bench', %s, %s, 'service:1')",
    "INSERT INTO treasury_journalline (entry_id, account_id, side, amount, memo)"
    " VALUES (%s, %s, 'D', 0.1, ''), (%s, %s, 'C', 0.1, '')",
    "UPDATE cloud_credits_cloudbalance SET liquid = %s, version = %s, booked_at = %s, last_transaction_id = %s"
    " WHERE id = %s",
    "INSERT INTO cloud_credits_cloudtransaction (id, type, state, from_member_id, amount, purpose, description,"
    " reference, journal_entry_id, from_liquid_after, from_staked_after, from_sequence, booked_at, booked_xid, acting,"
    " created_at) VALUES (%s, 'redemption', 'completed', %s, 0.01, 'redemption', 'bench', %s, %s, 999, 0, %s, %s,"
    " pg_current_xact_id()::text::bigint, 'service:1', now())",
    "INSERT INTO cloud_credits_resourceusage (member_id, primitive, quantity, unit, rate, cost, rate_card_id,"
    " service_key_id, service_name, event_id, digest, metered_at, received_at, is_late, transaction_id,"
    " journal_entry_id) VALUES (%s, 'compute', 0.01, 'compute-hours', 1, 0.01, %s, %s, 'bench', %s, %s, %s, %s, false,"
    " %s, %s)",
    "INSERT INTO events_event (id, name, payload, actor, subscribers, occurred_at, transaction)"
    " OVERRIDING SYSTEM VALUE VALUES (%s, 'cloud.redeemed', %s::jsonb, 'service:1', %s, now(), pg_current_xact_id())",
    "INSERT INTO events_delivery (event_id, subscriber, state, attempts, fence, due_at, error)"
    " SELECT %s, unnest(%s::text[]), 'pending', 0, 0, now(), ''",
)


def _baseline(*, constrained: bool) -> float:
    name = databases.clone("bench_baseline")
    with psycopg.connect(databases.dsn(name, "owner"), autocommit=True) as owner:
        plan = _plan(owner)
        databases.tables_of(owner, TABLES, constrained=constrained)
    connections = [psycopg.connect(databases.dsn(name, "owner")) for _ in range(CLIENTS)]

    def work(client: int) -> None:
        connection = connections[client]
        for rows in plan[client]:
            for statement, values in zip(_STATEMENTS, rows, strict=True):
                connection.execute(statement, values)
            connection.commit()

    spent = _in_threads(work)
    for connection in connections:
        connection.close()
    return spent


def _plan(connection: psycopg.Connection) -> list[list[tuple[Any, ...]]]:
    """Every row of every event, by client, made beforehand."""
    from habitat.events.policies.registry import subscribers_of

    heard = list(subscribers_of("cloud.redeemed"))
    one = lambda query: connection.execute(query).fetchone()[0]  # noqa: E731
    owed, earned = (one(f"SELECT id FROM treasury_account WHERE code = '{code}'") for code in ("2220", "4420"))
    card, key = one("SELECT id FROM cloud_credits_ratecard"), one("SELECT max(id) FROM controls_servicekey")
    period = one('SELECT id FROM treasury_period WHERE current_date >= start AND current_date < "end"')
    held = connection.execute(
        "SELECT b.id, b.member_id, b.version FROM cloud_credits_cloudbalance b JOIN members_member m"
        " ON m.id = b.member_id WHERE m.system_code IS NULL ORDER BY b.id"
    ).fetchall()
    versions = {balance: version for balance, _, version in held}
    moment, digest = datetime.now(tz=UTC), b"0" * 32
    plan: list[list[tuple[Any, ...]]] = [[] for _ in range(CLIENTS)]
    for number in range(CLIENTS * EVENTS_PER_CLIENT):
        balance, member, _ = random.Random(number).choice(held)
        versions[balance] += 1
        row, at, name = 10_000_000 + number, moment + timedelta(microseconds=number), f"event-{number}"
        plan[number % CLIENTS].append(
            (
                (row, at, at.date(), period, str(row), f"cloud_transaction:{row}", digest),
                (row, owed, row, earned),
                (Decimal(999), versions[balance], at, row, balance),
                (row, member, name, row, versions[balance], at),
                (member, card, key, name, digest, at, at, row, row),
                (row, _payload(row, member, at), heard),
                (row, heard),
            )
        )
    return plan


def _payload(row: int, member: int, at: datetime) -> str:
    return json.dumps(
        {
            "transaction_id": row,
            "member_id": member,
            "quantity": "0.01",
            "credit_value": "0.1",
            "balance_after": "999",
            "journal_entry_id": row,
            "timestamp": at.isoformat(),
            "primitive": "compute",
            "resource_units": "0.01",
            "unit": "compute-hours",
            "service_name": "bench",
            "meter_id": row,
            "metered_at": at.isoformat(),
            "rate_card_version": 1,
        }
    )


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
