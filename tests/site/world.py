"""The house with its doors open and the world outside: its web server, Stripe and the bank as processes, and people.

Nothing of our own is replaced: a payer pays on Stripe's page, webhooks come signed over HTTP to gunicorn, the bank is
read through the real gateway, and pages are what the server sends. A test does the worker's part by `work()`, or runs
the real one by `worker()`.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from cloud_credits.actions import identities, terms
from cloud_credits.models import CloudBalance, Purchase
from cloud_credits.reports.terms import current
from habitat.events.workflows import queue
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.money import plain
from tests.faces.people import browser
from tests.factories import actor, address, key
from tests.members.people import active, trusted
from tests.sandboxes import MERCURY_TOKEN, ROOT, Sandbox
from tests.treasury.postings import posted
from treasury.models import JournalLine, Payment
from treasury.workflows import backing, bank

STRIPE_KEY = "sk_test_sandbox"
WEBHOOK_SECRET = "whsec_sandbox"
CAPITAL = "20000"
OPENED = datetime(2026, 1, 5, tzinfo=UTC)
# Its money is available at once, so that it may be paid out.
CARD = "4000 0000 0000 0077"
PATIENCE = 60.0
ROUNDS = 20

_STEP = re.compile(r'<tr><th scope="row">(?P<title>[^<]+)</th><td[^>]*>(?P<what>.*?)</td>', re.DOTALL)
_GAP = re.compile(r"<li><strong>(?P<title>[^<]+)</strong>(?P<words>.*?)</li>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


class World:
    """Everything outside the books, and the ways in."""

    def __init__(self, stripe: Sandbox, bank_: Sandbox, folder: Path) -> None:
        self.stripe = stripe
        self.bank = bank_
        self.folder = folder
        self.url = ""
        self._clerk: httpx.Client | None = None

    # --- people

    def member(self, name: str = "Ada") -> Member:
        """An active member with a sign-in and a cloud identity, who accepted the terms."""
        member = active(name)
        identities.initialize(member=member, subname=f"m{member.pk}", address=address(member.pk), acting=SYSTEM)
        member.refresh_from_db()
        terms.accept(member=member, version=current().version, acting=actor(member))
        return member

    def signed_in(self, member: Member) -> httpx.Client:
        """A browser of the member's at the web server, with what a form needs to be believed."""
        cookies = {name: morsel.value for name, morsel in browser(member).cookies.items()}
        client = httpx.Client(base_url=self.url, cookies=cookies, trust_env=False, timeout=PATIENCE)
        client.cookies[django_settings.CSRF_COOKIE_NAME] = "c" * 32
        client.headers.update({"X-CSRFToken": "c" * 32, "Referer": self.url})
        return client

    @property
    def clerk(self) -> httpx.Client:
        """The browser of somebody of operations."""
        if self._clerk is None:
            self._clerk = self.signed_in(trusted(Role.OPERATIONS, "Olga"))
        return self._clerk

    # --- what people and the world do

    def wish(self, member: Member, usd: str = "100") -> Purchase:
        """The member asks for credits of that many dollars; Stripe's page is open."""
        answer = self.signed_in(member).post(
            "/api/stripe/checkout",
            json={"cloudAmount": plain(Decimal(usd) / 10)},
            headers={"Idempotency-Key": key()},
        )
        assert answer.status_code == 201, answer.text
        return Purchase.objects.get(pk=answer.json()["purchaseId"])

    def pay(self, purchase: Purchase, card: str = CARD) -> str:
        """Somebody types a card into Stripe's page; the PaymentIntent's id."""
        answer = httpx.post(purchase.checkout_url, data={"card": card}, trust_env=False, timeout=PATIENCE)
        assert answer.status_code in {200, 303}, answer.text
        return self.stripe_said(f"checkout/sessions/{purchase.session_id}")["payment_intent"]

    def buy(self, member: Member, usd: str = "100") -> str:
        return self.pay(self.wish(member, usd))

    def stripe_said(self, path: str, **query: Any) -> dict[str, Any]:
        """What Stripe's API answers."""
        headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
        answer = httpx.get(f"{self.stripe.url}/v1/{path}", params=query, headers=headers, trust_env=False)
        return dict(answer.raise_for_status().json())

    def hear(self) -> None:
        """Webhooks arrive, and the worker does what follows; so do those that it causes, until none does."""
        for _ in range(ROUNDS):
            self.stripe.control("wait_webhooks")
            if not self.work():
                return
        raise AssertionError("Stripe does not come to rest")

    def work(self) -> int:
        """What the worker does about everything that waits, until nothing does; how much it was."""
        done = 0
        for _ in range(ROUNDS):
            now = sum(queue.drain(name) for name in queue.names())
            if not now:
                return done
            done += now
        raise AssertionError("the queues do not come to rest")

    def send_payout(self, outcome: str = "paid") -> str:
        """Stripe sends what is available to the bank; its id. `paid` tells the bank too."""
        self.stripe.control("make_available")
        payout = self.stripe.control("payout")["id"]
        self.stripe.control("settle_payout", payout=payout, outcome=outcome)
        return str(payout)

    def read_bank(self) -> None:
        bank.sync(timezone.now())
        self.work()

    def hold(self, usd: str | Decimal) -> None:
        """The bank's operating account holds that much, whatever moved it; it is read, and the backing checked."""
        self.bank.control("accounts", id="operating", availableBalance=str(usd), currentBalance=str(usd))
        bank.sync(timezone.now())
        backing.check_now(trigger="drill", acting=SYSTEM)
        self.work()

    # --- what can be seen

    def traced(self, wanted: str, by: str = "reference") -> "Seen":
        """The trace page as the server shows it to operations."""
        answer = self.clerk.get("/admin/trace/", params={"by": by, "q": wanted})
        assert answer.status_code == 200, answer.text[:2000]
        return Seen(answer.text)

    def visit(self, address: str) -> httpx.Response:
        """A page as anybody on the street gets it."""
        return httpx.get(f"{self.url}{address}", trust_env=False, timeout=PATIENCE).raise_for_status()

    def press(self, address: str, *, refused: bool = False, **form: str) -> str:
        """A verb of the back office, pressed by the clerk; the page that follows."""
        given = {"verb_key": key(), **form}
        answer = self.clerk.post(address, data=given, follow_redirects=True)
        assert answer.is_success is not refused, answer.text[:2000]
        return _plain(answer.text)

    def deliver(self, body: bytes, signature: str) -> httpx.Response:
        """A webhook as anybody may send one."""
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        return httpx.post(f"{self.url}/api/stripe/webhook", content=body, headers=headers, trust_env=False, timeout=30)


class Seen:
    """The trace page, read: titles of the links that are there, and what is said of each that is missing."""

    def __init__(self, page: str) -> None:
        self.links = [unescape(found["title"]) for found in _STEP.finditer(page)]
        self.gaps = {unescape(found["title"]): _plain(found["words"]) for found in _GAP.finditer(page)}
        self.is_whole = "The way is whole" in page
        assert self.is_whole is not bool(self.gaps) or "Nothing is known" in page


def _plain(html: str) -> str:
    return " ".join(unescape(_TAG.sub("", html)).split())


# --- processes


@contextmanager
def served(folder: Path, environment: dict[str, str], port: int) -> Iterator[str]:
    """The web server on this test's database as the application role. The database may be replaced under it."""
    command = [sys.executable, "-m", "gunicorn", "habitat.wsgi", "-b", f"127.0.0.1:{port}", "--threads", "8"]
    url = f"http://127.0.0.1:{port}"
    with _process(command, folder / "web.log", environment):
        wait_for(lambda: _answers(url), folder / "web.log")
        yield url


@contextmanager
def worker(world: World) -> Iterator[None]:
    """The real worker, `manage.py qcluster`, beside the web server."""
    with _process([sys.executable, "manage.py", "qcluster"], world.folder / "worker.log", environment_of(world)):
        yield


def environment_of(world: World) -> dict[str, str]:
    """What the house's processes are told of the world."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.e2e.settings",
        "SITE_URL": world.url,
        "EVENT_WAKE": "timer",
        "WORKERS": "1",
        "STRIPE_API_BASE": world.stripe.url,
        "STRIPE_SECRET_KEY": STRIPE_KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "MERCURY_API_BASE": world.bank.url,
        "MERCURY_API_TOKEN": MERCURY_TOKEN,
    }


def wait_for(what: Callable[[], bool], log: Path | None = None) -> None:
    """Returns once it is so; after a minute the log's end is the failure's text."""
    end = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > end:
            raise AssertionError(f"it did not happen in time:\n{log.read_text()[-4000:] if log else ''}")
        time.sleep(0.1)


@contextmanager
def _process(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("ab") as written:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=written, stderr=written, start_new_session=True
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/accounts/login/", trust_env=False, timeout=30).is_success
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def standing(django_db_setup: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The processes, once a module."""
    folder = tmp_path_factory.mktemp("world")
    bank_ = Sandbox("treasury.sandbox.mercury", "--data", folder / "bank.sqlite3", "--token", MERCURY_TOKEN)
    stripe = Sandbox(
        "treasury.sandbox.stripe", "--data", folder / "stripe.sqlite3", "--api-key", STRIPE_KEY,
        "--webhook-secret", WEBHOOK_SECRET, "--bank-url", bank_.url,
    )  # fmt: skip
    world = World(stripe, bank_, folder)
    port = _free_port()
    world.url = f"http://127.0.0.1:{port}"
    with served(folder, environment_of(world), port):
        yield world
    stripe.stop()
    bank_.stop()


@pytest.fixture
def world(standing: World, transactional_db: None, settings: Any) -> World:
    """An empty world on an empty house: 20,000 USD of capital lie in the bank and in the books, and were checked."""
    settings.SITE_URL = standing.url
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = standing.stripe.url, STRIPE_KEY
    settings.MERCURY_API_BASE, settings.MERCURY_API_TOKEN = standing.bank.url, MERCURY_TOKEN
    standing._clerk = None
    standing.stripe.control("clear_faults")
    standing.stripe.control("webhooks", url=f"{standing.url}/api/stripe/webhook", mode="normal", retry_ms=1_000)
    standing.stripe.control("reset", seed="test")
    standing.bank.control("reset")
    standing.bank.control(
        "accounts", id="operating", name="Operating", kind="checking", availableBalance=CAPITAL, currentBalance=CAPITAL
    )
    posted(("1110", CAPITAL, None), ("3320", None, CAPITAL), occurred_at=OPENED)
    standing.hold(CAPITAL)
    return standing


# --- the books


def books() -> dict[str, Decimal]:
    """Debits less credits of every account that has lines and is not even."""
    sums: dict[str, Decimal] = {}
    for code, side, amount in JournalLine.objects.values_list("account__code", "side", "amount"):
        sums[code] = sums.get(code, Decimal(0)) + (amount if side == "D" else -amount)
    return {code: amount for code, amount in sorted(sums.items()) if amount}


def credits_of(member: Member) -> Decimal:
    return CloudBalance.objects.get(member=member).liquid


def payment_of(reference: str) -> Payment:
    return Payment.objects.get(reference=reference)
