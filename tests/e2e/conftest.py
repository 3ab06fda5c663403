"""A real server on this test's database as the application role, and one Chromium for the whole session."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from playwright.sync_api import Browser, Page, sync_playwright

from cloud_credits.reports import rate_cards
from habitat.members.models import Member
from tests.clock import SharedClock
from tests.e2e.watching import Watched
from tests.faces.people import browser as signed_in_client
from tests.sandboxes import Sandbox

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_MS = 30_000
START_SECONDS = 60
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = os.environ.get("HABITAT_CHROMIUM") or shutil.which("chromium")
    # From here on Django looks for connections beside Playwright's loop, and would never close this one again: a forked
    # child, where no loop runs, would find it and use it long after its server end is gone.
    connections.close_all()
    # Playwright's loop runs in this thread; Django's guard against blocking calls in it is not meant for tests.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(django_db_setup: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the house. Its database is replaced under it after each test; it connects anew."""
    with _served(tmp_path_factory.mktemp("server"), second_factor=False) as url:
        yield url


@pytest.fixture
def strict_server(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The same, asking staff for a second factor."""
    with _served(tmp_path, second_factor=True) as url:
        yield url


@pytest.fixture
def selling_server(transactional_db: None, tmp_path: Path, stripe_sandbox: Sandbox) -> Iterator[str]:
    """The house with Stripe's sandbox behind it, which tells it by webhook what happened."""
    given = {
        "STRIPE_API_BASE": stripe_sandbox.url,
        "STRIPE_SECRET_KEY": "sk_test_sandbox",
        "STRIPE_WEBHOOK_SECRET": "whsec_sandbox",
    }
    with _served(tmp_path, second_factor=False, given=given) as url:
        stripe_sandbox.control("webhooks", url=f"{url}/api/stripe/webhook", mode="normal", retry_ms=500)
        yield url
        stripe_sandbox.control("webhooks", url=None, mode="normal", retry_ms=1_000)


@pytest.fixture(scope="session")
def travelling_server(django_db_setup: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The house whose time a test moves with `shared_clock`."""
    given = {"DJANGO_SETTINGS_MODULE": "tests.e2e.travelling"}
    with _served(tmp_path_factory.mktemp("travelling"), second_factor=False, given=given) as url:
        yield url


@pytest.fixture
def shared_clock(transactional_db: None, owner_connection: psycopg.Connection) -> Iterator[SharedClock]:
    """This process's clock, the database's and the travelling server's, set together."""
    clock = SharedClock(owner_connection)
    yield clock
    clock.release()
    rate_cards.forget()


@contextmanager
def _served(folder: Path, *, second_factor: bool, given: dict[str, str] | None = None) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.e2e.settings",
        "SITE_URL": url,
        "STAFF_MFA_REQUIRED": str(second_factor),
        **(given or {}),
    }
    command = [sys.executable, "-m", "gunicorn", "habitat.wsgi", "-b", f"127.0.0.1:{port}", "--threads", "4"]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            _wait_for(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/accounts/login/", timeout=START_SECONDS):  # noqa: S310 - our own server
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"The server does not answer:\n{log.read_text()[-4000:]}")


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, server: str) -> Iterator[Visit]:
    """`visit(member, width=…, scheme=…, at=…)`: a page of a fresh browser, signed in where a member is given.

    Whatever goes wrong in it (an error on the console, a refused script, a missing file) fails the test at its end.
    """
    contexts, watched = [], []

    def open_page(member: Member | None = None, *, width: int = 1280, scheme: str = "light", at: str = server) -> Page:
        context = chromium.new_context(
            base_url=at, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        context.set_default_timeout(PATIENCE_MS)
        context.set_default_navigation_timeout(PATIENCE_MS)
        contexts.append(context)
        if member is not None:
            cookie = signed_in_client(member).cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": at}])
        page = context.new_page()
        watched.append(Watched(page))
        page.watched = watched[-1]
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [line for seen in watched for line in seen.wrong] == []
