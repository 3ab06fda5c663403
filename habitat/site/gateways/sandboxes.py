"""The world around the sandboxes of Stripe and the bank: who pays, what is paid out. For the sample alone."""

from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from django.conf import settings

SECONDS: Final = 30
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
CARD: Final = "4000000000000077"  # its money is available at once


def bank_is_sandbox() -> bool:
    """Whether the bank of the settings is a sandbox that answers."""
    return bool(settings.MERCURY_API_TOKEN) and _answers(settings.MERCURY_API_BASE)


def stripe_is_sandbox() -> bool:
    """Whether the Stripe of the settings is a sandbox that answers."""
    return bool(settings.STRIPE_SECRET_KEY) and _answers(settings.STRIPE_API_BASE)


def open_account(balance: Decimal) -> None:
    """The sandbox bank's first account, with what it holds; left alone where there is one."""
    headers = {"Authorization": f"Bearer {settings.MERCURY_API_TOKEN}"}
    known = httpx.get(
        f"{settings.MERCURY_API_BASE}/api/v1/accounts", headers=headers, timeout=SECONDS, trust_env=False
    ).raise_for_status()
    if not known.json()["accounts"]:
        held = {"availableBalance": f"{balance:f}", "currentBalance": f"{balance:f}"}
        _tell(settings.MERCURY_API_BASE, "accounts", {"name": "Operating Checking", "kind": "checking", **held})


def pay(session_id: str) -> None:
    """Somebody pays an open checkout with a test card."""
    _tell(settings.STRIPE_API_BASE, "pay", {"session": session_id, "card": CARD})


def pay_out() -> None:
    """Stripe sends what is available to the bank, and it arrives."""
    _tell(settings.STRIPE_API_BASE, "make_available", {})
    payout = _tell(settings.STRIPE_API_BASE, "payout", {})
    _tell(settings.STRIPE_API_BASE, "settle_payout", {"payout": payout["id"], "outcome": "paid"})


def _tell(base: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(f"{base}/_sandbox/{what}", json=body, timeout=SECONDS, trust_env=False).raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


def _answers(base: str) -> bool:
    """Only on this machine: a real provider is never asked for a sandbox's address."""
    if urlsplit(base).hostname not in LOOPBACK:
        return False
    try:
        return httpx.get(f"{base}/_sandbox/calls", timeout=SECONDS, trust_env=False).is_success
    except httpx.HTTPError:
        return False
