"""The suite's databases: one migrated template, and a clone of it for each test process. Nothing is ever flushed."""

import ast
import fcntl
import hashlib
import inspect
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.models.signals import post_migrate
from psycopg import sql

from habitat.local import roles
from habitat.local.cluster import CHECKOUT, Role, test_cluster

TEMPLATE = "template_"
CLONE = "clone_"


class TestDatabase:
    """The clone this process works on. `mark_dirty()` says that it no longer looks like the template."""

    __test__ = False

    def __init__(self) -> None:
        self.cluster = test_cluster()
        self.dirty = False
        self.mark = ""
        self._kept: list[str] = []

    @property
    def name(self) -> str:
        return f"{CLONE}{self.mark}_{os.getpid()}"

    def dsn(self, role: Role) -> str:
        return self.cluster.url(role, self.name)

    def open(self) -> None:
        """Build the template if the migrations changed, sweep what is left of earlier runs, clone."""
        self.mark = migrations_mark()
        with _locked(self.cluster.home / "templates.lock"), self._superuser() as connection:
            self._sweep(connection)
            if TEMPLATE + self.mark not in _databases(connection):
                self._build(connection)
            self._clone(connection)
        settings.DATABASES["default"]["NAME"] = self.name
        connections["default"].settings_dict["NAME"] = self.name
        os.environ["HABITAT_TEST_DATABASE"] = self.name

    def mark_dirty(self) -> None:
        self.dirty = True

    def restore(self) -> None:
        """Replace a dirty clone by a fresh one: every connection to it, of any thread or process, is ended."""
        if not self.dirty:
            return
        connections.close_all()
        with self._superuser() as connection:
            self._clone(connection)
        self.dirty = False

    def keep(self) -> str:
        """Set a copy of the clone as it is now aside, until the process ends; what `bring_back` is given."""
        kept = f"{CLONE}{self.mark}_kept{len(self._kept)}_{os.getpid()}"
        connections.close_all()
        with self._superuser() as connection:
            _copy(connection, kept, self.name)
        self._kept.append(kept)
        return kept

    def bring_back(self, kept: str) -> None:
        """Replace the clone by a copy of what was set aside; dirty until the next restore."""
        self.dirty = True
        connections.close_all()
        with self._superuser() as connection:
            self._clone(connection, kept)

    def close(self) -> None:
        connections.close_all()
        with self._superuser() as connection:
            for name in (self.name, *self._kept):
                _drop(connection, name)

    def _superuser(self) -> psycopg.Connection:
        return psycopg.connect(self.cluster.url("superuser", "postgres"), autocommit=True)

    def _clone(self, connection: psycopg.Connection, template: str = "") -> None:
        _copy(connection, self.name, template or TEMPLATE + self.mark)
        roles.grant_database(connection, self.name)

    def _build(self, connection: psycopg.Connection) -> None:
        """Migrate an empty database as the owner; it gets its final name only when all went well."""
        unfinished = f"unfinished_{self.mark}"
        _drop(connection, unfinished)
        sys.stderr.write("Migrating the test template (once for each set of migrations) …\n")
        self.cluster.prepare(unfinished)
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
            "HABITAT_DATABASE_ROLE": "owner",
            "HABITAT_TEST_DATABASE": unfinished,
        }
        command = [sys.executable, "-m", "django", "migrate", "--skip-checks", "--verbosity", "0"]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"The migrations do not run:\n{done.stderr[-4000:]}")
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        connection.execute(rename.format(sql.Identifier(unfinished), sql.Identifier(TEMPLATE + self.mark)))

    def _sweep(self, connection: psycopg.Connection) -> None:
        """Drop clones whose process is gone, then templates that no running process clones from."""
        names = _databases(connection)
        for name in [name for name in names if name.startswith(CLONE)]:
            if not _alive(int(name.rpartition("_")[2])):
                _drop(connection, name)
                names.remove(name)
        used = {self.mark, *(name.split("_")[1] for name in names if name.startswith(CLONE))}
        for name in names:
            if name.startswith(TEMPLATE) and name.removeprefix(TEMPLATE) not in used:
                _drop(connection, name)


def migrations_mark() -> str:
    """A hash over all that decides what a freshly migrated database holds.

    Every migration and its SQL, third-party ones included; what our migrations and post_migrate receivers import
    from the house, and the rules behind it; permissions named by models; the roles; the server.
    """
    digest = hashlib.sha256(repr(test_cluster().durable).encode())
    files: set[Path] = {Path(roles.__file__)}
    for config in apps.get_app_configs():
        folder = Path(config.path) / "migrations"
        found = [path for path in folder.rglob("*") if path.suffix in {".py", ".sql"} and path.is_file()]
        files.update(found)
        if is_ours(Path(config.path)):
            files.update(source for path in found if path.suffix == ".py" for source in _imports(path))
            files.update((Path(config.path) / "policies").glob("*.py"))
        for model in sorted(config.get_models(), key=lambda model: model._meta.label):
            digest.update(f"{model._meta.label} {sorted(_permissions(model))}".encode())
    for receiver in post_migrate.receivers:
        files.update(_receiver_sources(receiver))
    for path in sorted(files):
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    with psycopg.connect(test_cluster().url("superuser", "postgres")) as connection:
        digest.update(str(connection.info.server_version).encode())
    return digest.hexdigest()[:12]


def is_ours(path: Path) -> bool:
    """Whether a file is the house's own: the virtual environment lies in the checkout too."""
    return path.is_relative_to(CHECKOUT) and not path.is_relative_to(CHECKOUT / ".venv")


def _permissions(model: type) -> list[str]:
    meta = model._meta  # type: ignore[attr-defined]
    return [*map(str, meta.default_permissions), *(f"{code}:{name}" for code, name in meta.permissions)]


def _imports(path: Path) -> Iterator[Path]:
    """The house's own modules a source file imports by name, one level deep."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            module = CHECKOUT.joinpath(*name.split("."))
            yield from (found for found in (module.with_suffix(".py"), module / "__init__.py") if found.is_file())


def _receiver_sources(entry: tuple) -> Iterator[Path]:
    # (lookup key, receiver or a weak reference to it, …), by Django's version.
    receiver = entry[1]() if isinstance(entry[1], weakref.ReferenceType) else entry[1]
    source = inspect.getsourcefile(receiver) if receiver is not None else None
    if source and is_ours(Path(source)):
        yield Path(source)
        yield from _imports(Path(source))


def _databases(connection: psycopg.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()]


def _copy(connection: psycopg.Connection, name: str, template: str) -> None:
    _drop(connection, name)
    create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY")
    connection.execute(create.format(*map(sql.Identifier, (name, roles.OWNER, template))))


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
