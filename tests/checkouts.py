"""Many members who buy at once: checkouts opened and paid with their webhooks held back, and the house as it is served.

Used by the test that a thousand payments told at once mint once each, and by the benchmark that measures it.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from cloud_credits.models import Purchase
from cloud_credits.workflows.purchases import open_now
from habitat.events.models import Delivery
from habitat.workflows.workflows import clock
from tests.cloud_credits.bought import buyer, check_backing, wish
from tests.sandboxes import PR_SET_PDEATHSIG, ROOT, Sandbox
from treasury.models import BackingRequest, StripeEvent

KEY = "sk_test_sandbox"
SECRET = "whsec_sandbox"
WORKERS, THREADS, CONCURRENCY = 2, 8, 64
PATIENCE_SECONDS = 60


def pay(sandbox: Sandbox, *, buyers: int, each: int) -> list[Purchase]:
    """`buyers` members begin `each` purchases and pay all of them on Stripe's pages; no webhook is sent yet."""
    sandbox.control("webhooks", url="http://127.0.0.1:9/not-yet", mode="hold")
    check_backing()
    # The day's jobs come before the shop opens: its sweep would find the payments before their webhooks do.
    clock.tick()
    clock.run_due()
    purchases = []
    for number in range(buyers):
        member = buyer()
        for again in range(each):
            purchase = open_now(wish(member, amount(number * each + again)))
            sandbox.control("pay", session=purchase.session_id)
            purchases.append(purchase)
    return purchases


def amount(number: int) -> str:
    """CLOUD worth whole cents, between 5 and 100 dollars, so that neighbours differ."""
    return str(Decimal(500 + number * 37 % 9_500) / 1_000)


@contextmanager
def served(folder: Path, sandbox: Sandbox, settings: str) -> Iterator[str]:
    """gunicorn and the worker on this process's database; the address. What they say is in `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    given = os.environ | {
        "DJANGO_SETTINGS_MODULE": settings,
        "SITE_URL": url,
        "EVENT_WAKE": "timer",
        "STRIPE_API_BASE": sandbox.url,
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }
    gunicorn = [sys.executable, "-m", "gunicorn", "habitat.wsgi:application", "--bind", f"127.0.0.1:{port}"]
    gunicorn += ["--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS)]
    gunicorn += ["--log-level", "warning"]
    web = _start(gunicorn, given, folder / "web.log")
    worker = _start([sys.executable, "manage.py", "qcluster"], given, folder / "worker.log")
    try:
        wait_until(lambda: _answers(url, web), "gunicorn does not answer", every=0.2)
        _warm(url)
        yield url
    finally:
        for process in (web, worker):
            _stop(process)


def _start(command: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )


def _end_with_parent() -> None:
    """A test that is killed leaves no server behind: both end as they do when they are asked to."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise AssertionError("gunicorn ended")
    try:
        return httpx.get(f"{url}/api/health", trust_env=False, timeout=30).status_code > 0
    except httpx.TransportError:
        return False


def _warm(url: str) -> None:
    """Both of gunicorn's workers read all of the code before anybody measures them."""
    with ThreadPoolExecutor(WORKERS * THREADS) as pool:
        list(pool.map(lambda _: httpx.get(f"{url}/api/health", trust_env=False, timeout=60), range(64)))


def tell_all(sandbox: Sandbox, house: str, *, times: int = 2) -> list[dict[str, Any]]:
    """Sends every webhook held back `times` times, shuffled, 64 at once; what was answered to each."""
    sandbox.control("webhooks", url=f"{house}/api/stripe/webhook")
    body = {"order": "shuffle", "concurrency": CONCURRENCY, "times": times}
    answer = httpx.post(f"{sandbox.url}/_sandbox/deliver_held", json=body, timeout=900, trust_env=False)
    answer.raise_for_status()
    return list(answer.json()["sent"])


def troubles(folder: Path) -> list[str]:
    """What gunicorn and the worker said that nobody wants to read."""
    said = [line for name in ("web.log", "worker.log") for line in (folder / name).read_text().splitlines()]
    return [line for line in said if any(word in line for word in (" WARNING ", " ERROR ", " CRITICAL ", "Traceback"))]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def wait_until(
    done: Callable[[], bool], otherwise: str, *, seconds: float = PATIENCE_SECONDS, every: float = 0.1
) -> None:
    """Until it is so; AssertionError when it is not in time."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError(otherwise)
        time.sleep(every)


def all_minted() -> bool:
    """Whether every purchase has its credits."""
    return not Purchase.objects.exclude(state="minted").exists()


def nothing_waits() -> bool:
    """Whether no webhook, no delivery and no check is left to do."""
    open_deliveries = Delivery.objects.filter(state__in=("pending", "delivering"))
    open_webhooks = StripeEvent.objects.filter(state="received")
    return not (open_deliveries.exists() or open_webhooks.exists() or BackingRequest.objects.exists())
