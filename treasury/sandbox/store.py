"""The memory of a sandbox: JSON documents in one SQLite file that survives a restart."""

import hashlib
import json
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS documents_kind ON documents (kind, sequence);
CREATE TABLE IF NOT EXISTS counters (kind TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, request TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS calls (
    number INTEGER PRIMARY KEY AUTOINCREMENT, replay INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0,
    answer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due);
"""
TABLES = ("documents", "counters", "settings", "replies", "calls", "deliveries")
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def now() -> int:
    """Seconds since 1970, whole."""
    return time.time_ns() // 1_000_000_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Transaction:
    """What one request may read and write; everything in it happens or nothing does."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    # --- documents

    def new_id(self, prefix: str) -> tuple[str, int]:
        """The next id of its kind, and its number: the same ones in the same order for the same seed."""
        (number,) = self.connection.execute(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET number = number + 1 RETURNING number",
            (prefix,),
        ).fetchone()
        digest = int.from_bytes(hashlib.sha256(f"{self.setting('seed')}:{prefix}:{number}".encode()).digest(), "big")
        letters = ""
        for _ in range(24):
            digest, index = divmod(digest, len(ALPHABET))
            letters += ALPHABET[index]
        return f"{prefix}_{letters}", number

    def insert(self, prefix: str, document: Document) -> Document:
        """Stores a new document under a new id (or the one it carries) and returns it."""
        identity, number = self.new_id(prefix)
        document["id"] = document.get("id") or identity
        self.connection.execute(
            "INSERT INTO documents (id, kind, number, body) VALUES (?, ?, ?, ?)",
            (document["id"], document["object"], number, json.dumps(document)),
        )
        return document

    def put(self, document: Document) -> None:
        self.connection.execute("UPDATE documents SET body = ? WHERE id = ?", (json.dumps(document), document["id"]))

    def get(self, identity: str, kind: str | None = None) -> Document | None:
        row = self.connection.execute("SELECT kind, body FROM documents WHERE id = ?", (identity,)).fetchone()
        if row is None or (kind is not None and row[0] != kind):
            return None
        return json.loads(row[1])

    def find(self, kind: str, **equal: Any) -> list[Document]:
        """Documents of a kind whose fields equal these values, newest first."""
        where = "".join(f" AND json_extract(body, '$.{name}') IS ?" for name in equal)
        rows = self.connection.execute(
            f"SELECT body FROM documents WHERE kind = ?{where} ORDER BY sequence DESC",  # noqa: S608 names are ours
            (kind, *equal.values()),
        )
        return [json.loads(body) for (body,) in rows]

    def place(self, identity: str) -> tuple[str, int] | None:
        """A document's kind and its number in it: how a call log names it without its random id."""
        return self.connection.execute("SELECT kind, number FROM documents WHERE id = ?", (identity,)).fetchone()

    # --- settings

    def setting(self, name: str, default: Any = None) -> Any:
        row = self.connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def set(self, name: str, value: Any) -> None:
        self.connection.execute(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, json.dumps(value)),
        )

    # --- the call log

    def log_call(self, entry: Document, *, replay: bool = False) -> None:
        self.connection.execute("INSERT INTO calls (replay, body) VALUES (?, ?)", (replay, json.dumps(entry)))

    def calls(self, *, replay: bool) -> list[Document]:
        rows = self.connection.execute("SELECT body FROM calls WHERE replay = ? ORDER BY number", (replay,))
        return [json.loads(body) for (body,) in rows]


class Store:
    """One SQLite file: writers one after another, readers beside them."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._writing = threading.Lock()
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        connection = self._connect()
        connection.executescript(SCHEMA)
        self._idle.put(connection)
        with self.write() as transaction:
            if transaction.setting("seed") is None:
                transaction.set("seed", secrets.token_hex(8))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._idle.put(connection)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Transaction]:
        with self._connection() as connection:
            connection.execute(begin)
            try:
                yield Transaction(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with self._writing, self._transaction("BEGIN IMMEDIATE") as transaction:
            yield transaction

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._transaction("BEGIN") as transaction:
            yield transaction

    def reset(self, seed: str | None = None) -> None:
        """Empties everything; the same seed gives the same ids again."""
        with self.write() as transaction:
            for table in TABLES:
                transaction.connection.execute(f"DELETE FROM {table}")  # noqa: S608 names are ours
            transaction.connection.execute("DELETE FROM sqlite_sequence")
            transaction.set("seed", seed or secrets.token_hex(8))
