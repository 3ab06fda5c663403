"""The benchmarks' databases: one migrated and peopled template, and a clone of it for each contestant."""

import os
import subprocess
import sys
from collections.abc import Callable

import psycopg
from psycopg import sql

from habitat.local import roles
from habitat.local.cluster import CHECKOUT, bench_cluster

TEMPLATE = "bench_template"


def dsn(database: str, role: str = "app") -> str:
    return bench_cluster().url(role, database)


def build_template(populate: Callable[[], None]) -> None:
    """A freshly migrated database, filled by `populate` through the product's own verbs, ready to clone."""
    cluster = bench_cluster()
    cluster.ensure()
    _drop(TEMPLATE)
    cluster.prepare(TEMPLATE)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "habitat.settings.bench",
        "HABITAT_DATABASE_ROLE": "owner",
        "HABITAT_BENCH_DATABASE": TEMPLATE,
    }
    subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--skip-checks", "--verbosity", "0"],
        cwd=CHECKOUT,
        env=environment,
        check=True,
    )
    use(TEMPLATE)
    populate()
    close()


def clone(name: str) -> str:
    """A fresh copy of the template; returns its name."""
    close()
    _drop(name)
    with _superuser() as connection:
        statement = "CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY"
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, (name, roles.OWNER, TEMPLATE))))
        roles.grant_database(connection, name)
        connection.execute("CHECKPOINT")
    return name


def use(name: str) -> None:
    """Points Django in this process at one database of the benchmark cluster."""
    os.environ["HABITAT_BENCH_DATABASE"] = name
    os.environ["DJANGO_SETTINGS_MODULE"] = "habitat.settings.bench"
    import django
    from django.conf import settings

    if not settings.configured:
        django.setup()
    from django.db import connections

    connections.close_all()
    settings.DATABASES["default"]["NAME"] = name
    connections["default"].settings_dict["NAME"] = name


def close() -> None:
    from django.conf import settings

    if settings.configured:
        from django.db import connections

        connections.close_all()


def tables_of(connection: psycopg.Connection, names: list[str], *, constrained: bool) -> None:
    """Prepares the baseline's tables: user triggers off, or replaced by bare copies without any constraint."""
    for name in names:
        table = sql.Identifier(name)
        if constrained:
            connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
            continue
        connection.execute(sql.SQL("CREATE TABLE bare AS SELECT * FROM {}").format(table))
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(table))
        connection.execute(sql.SQL("ALTER TABLE bare RENAME TO {}").format(table))


def _superuser() -> psycopg.Connection:
    return psycopg.connect(bench_cluster().url("superuser", "postgres"), autocommit=True)


def _drop(name: str) -> None:
    with _superuser() as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
