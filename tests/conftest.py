"""The suite's ground rules: a database clone a process, no flush, named skips where a tool is missing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.clock import HouseClock, travelling
from tests.database import TestDatabase
from tests.rabbitmq import running_server, server_program
from tests.sandboxes import (  # noqa: F401 fixtures of every test
    mercury_sandbox,
    mercury_server,
    stripe_sandbox,
    stripe_server,
)

ROOT = Path(__file__).resolve().parent.parent
TOOLS = {
    "chromium": lambda: bool(os.environ.get("HABITAT_CHROMIUM") or shutil.which("chromium")),
    "rabbitmq": lambda: server_program() is not None,
    "node": lambda: bool(shutil.which("node")) and (ROOT / "node_modules" / "axe-core").is_dir(),
}
DATABASE = pytest.StashKey[TestDatabase]()

# A shared machine is slow at times; a test that is too slow is found by the benchmarks, not by a deadline.
hypothesis_settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("long", parent=hypothesis_settings.get_profile("ci"), max_examples=2_000)
hypothesis_settings.load_profile("ci")


# --- the database


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker
) -> Iterator[TestDatabase]:
    """In place of pytest-django's: this process's own clone of the migrated template."""
    database = TestDatabase()
    with django_db_blocker.unblock():
        database.open()
    request.config.stash[DATABASE] = database
    with pytest.MonkeyPatch.context() as patch:
        # After a test that commits, the clone is replaced; a flush would need rights the application role lacks.
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: database.mark_dirty())
        patch.setattr(TransactionTestCase, "_reset_sequences", lambda self, alias=None: _fresh(database))
        yield database
    with django_db_blocker.unblock():
        database.close()


def _fresh(database: TestDatabase) -> None:
    database.mark_dirty()
    database.restore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    yield
    database = item.config.stash.get(DATABASE, None)
    if database is not None and (nextitem is None or nextitem.get_closest_marker("own_database") is None):
        database.restore()


@pytest.fixture
def owner_dsn(django_db_setup: TestDatabase) -> str:
    """A URL for psycopg.connect to this test's database as habitat_owner. The database is replaced after the test."""
    django_db_setup.mark_dirty()
    return django_db_setup.dsn("owner")


@pytest.fixture
def app_dsn(django_db_setup: TestDatabase) -> str:
    """The same as habitat_app."""
    django_db_setup.mark_dirty()
    return django_db_setup.dsn("app")


@pytest.fixture
def superuser_dsn(django_db_setup: TestDatabase) -> str:
    """The same as the cluster's superuser."""
    django_db_setup.mark_dirty()
    return django_db_setup.dsn("superuser")


@pytest.fixture
def owner_connection(owner_dsn: str) -> Iterator[psycopg.Connection]:
    """An autocommit psycopg connection as habitat_owner. It sees only what is committed: use transaction=True."""
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def house_clock(django_db_setup: TestDatabase, request: pytest.FixtureRequest) -> Iterator[HouseClock]:
    """Python's clock and the database's, set together. The database stays as it is: only its clock can be moved."""
    request.getfixturevalue("_django_db_helper")
    with travelling(django_db_setup.dsn("owner")) as clock:
        yield clock


@pytest.fixture
def app_connection(app_dsn: str) -> Iterator[psycopg.Connection]:
    """The same as habitat_app."""
    with psycopg.connect(app_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The amqp:// URL of a real broker on loopback, started for this process. Mark its tests `rabbitmq`."""
    with running_server(tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url


# --- tools that may be missing: skipped by name, never silently


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A long test in one transaction holds back every seal of the cluster (tests/horizon.py). Tests that seal commit,
    # and pytest-django runs those after all that roll back.
    items.sort(key=lambda item: not _is_long_transaction(item))
    for tool, present in TOOLS.items():
        if not present():
            for item in items:
                if item.get_closest_marker(tool):
                    item.add_marker(pytest.mark.skip(reason=f"needs {tool} (make tools)"))


def _is_long_transaction(item: pytest.Item) -> bool:
    database = item.get_closest_marker("django_db")
    commits = database is None or database.kwargs.get("transaction", False)
    return item.get_closest_marker("slow") is not None and not commits


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("HABITAT_REQUIRE_TOOLS") == "1" and _skipped(session.config) and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = _skipped(config)
    if not skipped:
        return
    required = os.environ.get("HABITAT_REQUIRE_TOOLS") == "1"
    terminalreporter.section("not run", sep="-")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"SKIPPED {report.nodeid}: {reason.removeprefix('Skipped: ')}")
    verdict = "HABITAT_REQUIRE_TOOLS is set: this run fails." if required else "`make tools` installs what is missing."
    terminalreporter.write_line(f"{len(skipped)} skipped. {verdict}")


def _skipped(config: pytest.Config) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return list(reporter.stats.get("skipped", [])) if reporter else []
