"""`transfer` by eight threads among a thousand members, beside the same rows written by bare psycopg.

Each round runs product, constrained baseline and bare baseline in turn on fresh clones of one durable database, so
that a machine whose speed drifts drifts for all three. The baseline writes the very rows a transfer writes (key,
ledger row, two balances, event, deliveries) in as many statements as it has tables, one commit each, with values
made beforehand; its tables keep every constraint and lose their user triggers. Bare: no constraint, index or trigger.
"""

import random
import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from tests.benchmarks import databases

MEMBERS = 1_000
THREADS = 8
TRANSFERS_PER_THREAD = 400
ROUNDS = 3
TABLES = [
    "cloud_credits_cloudtransaction",
    "cloud_credits_idempotencykey",
    "cloud_credits_cloudbalance",
    "events_event",
    "events_delivery",
]


def run() -> dict[str, Any]:
    databases.build_template(_people)
    rounds = [_round() for _ in range(ROUNDS)]
    total = THREADS * TRANSFERS_PER_THREAD
    figures: dict[str, Any] = {f"{who} a second": statistics.median(r[who] for r in rounds) for who in rounds[0]}
    figures["ratio"] = statistics.median(r["transfer"] / r["constrained"] for r in rounds)
    figures["aim"] = ">= 0.4"
    figures["ratio to bare"] = statistics.median(r["transfer"] / r["bare"] for r in rounds)
    figures["threads, members, transfers a round, rounds"] = f"{THREADS}, {MEMBERS}, {total}, {ROUNDS}"
    figures["errors"] = 0
    figures["conservation"] = "every proof of the ledger holds after each round"
    return figures


def _people() -> None:
    from tests.factories import make_member

    for _ in range(MEMBERS):
        make_member(credits="1000")


def _round() -> dict[str, float]:
    total = THREADS * TRANSFERS_PER_THREAD
    seconds = {"transfer": _product()}
    for kind in ("constrained", "bare"):
        seconds[kind] = _baseline(constrained=kind == "constrained")
    return {who: total / spent for who, spent in seconds.items()}


def _product() -> float:
    databases.use(databases.clone("bench_transfer"))
    from django.db import connection

    from cloud_credits.actions.transfers import transfer
    from cloud_credits.reports.proofs import PROOFS
    from habitat.members.models import Member
    from habitat.money import cloud
    from tests.factories import actor

    members = list(Member.objects.filter(system_code__isnull=True).order_by("id"))

    def work(thread: int) -> None:
        dice = random.Random(thread)
        for number in range(TRANSFERS_PER_THREAD):
            sender, recipient = dice.sample(members, 2)
            transfer(
                sender=sender,
                recipient=recipient,
                amount=cloud("0.01"),
                memo="bench",
                idempotency_key=f"{thread}-{number}",
                acting=actor(sender),
            )
        connection.close()

    spent = _in_threads(work)
    broken = [proof.name for proof in PROOFS if not proof.run().ok]
    if broken:
        raise AssertionError(broken)
    return spent


def _baseline(*, constrained: bool) -> float:
    name = databases.clone("bench_baseline")
    with psycopg.connect(databases.dsn(name, "owner"), autocommit=True) as owner:
        plan = _plan(owner)
        databases.tables_of(owner, TABLES, constrained=constrained)
    connections = [psycopg.connect(databases.dsn(name, "owner")) for _ in range(THREADS)]

    def work(thread: int) -> None:
        connection = connections[thread]
        for rows in plan[thread]:
            for statement, values in zip(_STATEMENTS, rows, strict=True):
                connection.execute(statement, values)
            connection.commit()

    spent = _in_threads(work)
    for connection in connections:
        connection.close()
    return spent


_STATEMENTS = (
    "INSERT INTO cloud_credits_idempotencykey (id, namespace, operation, key, digest, transaction_id, created_at)"
    " VALUES (%s, %s, 'transfer', %s, %s, %s, now())",
    "UPDATE cloud_credits_cloudbalance SET liquid = %s, version = %s, booked_at = %s, last_transaction_id = %s"
    " WHERE id = %s",
    "UPDATE cloud_credits_cloudbalance SET liquid = %s, version = %s, booked_at = %s, last_transaction_id = %s"
    " WHERE id = %s",
    "INSERT INTO cloud_credits_cloudtransaction (id, type, state, from_member_id, to_member_id, amount, purpose,"
    " description, reference, from_liquid_after, from_staked_after, from_sequence, to_liquid_after, to_staked_after,"
    " to_sequence, booked_at, booked_xid, acting, created_at) VALUES (%s, 'transfer', 'completed', %s, %s, %s,"
    " 'transfer', 'bench', '', %s, 0, %s, %s, 0, %s, %s, pg_current_xact_id()::text::bigint, %s, now())",
    "INSERT INTO events_event (id, name, payload, actor, subscribers, occurred_at, transaction)"
    " OVERRIDING SYSTEM VALUE VALUES (%s, 'cloud.transferred', %s::jsonb, %s, %s, now(), pg_current_xact_id())",
    "INSERT INTO events_delivery (event_id, subscriber, state, attempts, fence, due_at, error)"
    " SELECT %s, unnest(%s::text[]), 'pending', 0, 0, now(), ''",
)


def _plan(connection: psycopg.Connection) -> list[list[tuple[Any, ...]]]:
    """Every row of every transfer, by thread, made beforehand."""
    from habitat.events.policies.registry import subscribers_of

    heard = list(subscribers_of("cloud.transferred"))
    held = connection.execute(
        "SELECT b.id, b.member_id, b.version FROM cloud_credits_cloudbalance b JOIN members_member m"
        " ON m.id = b.member_id WHERE m.system_code IS NULL ORDER BY b.id"
    ).fetchall()
    versions = {balance: version for balance, _, version in held}
    moment, after = datetime.now(tz=UTC), Decimal(1000)
    plan: list[list[tuple[Any, ...]]] = [[] for _ in range(THREADS)]
    for number in range(THREADS * TRANSFERS_PER_THREAD):
        thread = number % THREADS
        first, second = sorted(random.Random(number).sample(held, 2))
        versions[first[0]] += 1
        versions[second[0]] += 1
        at, row_id = moment + timedelta(microseconds=number), 10_000_000 + number
        actor = f"member:{first[1]}"
        payload = _payload(row_id, first[1], second[1], at)
        plan[thread].append(
            (
                (row_id, actor, f"{thread}-{number}", "0" * 64, row_id),
                (after, versions[first[0]], at, row_id, first[0]),
                (after, versions[second[0]], at, row_id, second[0]),
                (row_id, first[1], second[1], Decimal("0.01"), after, versions[first[0]], after,
                 versions[second[0]], at, actor),
                (row_id, payload, actor, heard),
                (row_id, heard),
            )
        )  # fmt: skip
    return plan


def _payload(row_id: int, source: int, target: int, at: datetime) -> str:
    return (
        f'{{"transaction_id": {row_id}, "from_member_id": {source}, "to_member_id": {target}, "quantity": "0.01",'
        f' "from_balance_after": "999.99", "to_balance_after": "1000.01", "memo": "bench", "purpose": "transfer",'
        f' "journal_entry_id": null, "timestamp": "{at.isoformat()}"}}'
    )


def _in_threads(work: Callable[[int], None]) -> float:
    """Seconds until all threads are done; the first error of any of them is raised."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - began
    if errors:
        raise errors[0]
    return spent
