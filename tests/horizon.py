"""Waits for what a sealer waits for: that every transaction which began earlier has ended.

A seal reads only below a snapshot's xmin, and that counts the transactions of every database of the cluster: a test in
another process holds it back. The product then seals a little later; a test has to wait.
"""

import time

import psycopg
from django.db import connection

from habitat.local.cluster import test_cluster

PATIENCE_SECONDS = 240
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname <> %s AND backend_xid IS NOT NULL AND xact_start <= %s
"""


def settled() -> None:
    """Returns once no transaction of another test process that was writing at the call is still open."""
    own = connection.settings_dict["NAME"]
    with psycopg.connect(test_cluster().url("superuser", "postgres"), autocommit=True) as watcher:
        (called_at,) = watcher.execute("SELECT clock_timestamp()").fetchone()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while watcher.execute(_OTHERS, [own, called_at]).fetchone() != (0,):
            if time.monotonic() > deadline:
                raise TimeoutError("another test process keeps a transaction open")
            time.sleep(0.05)
