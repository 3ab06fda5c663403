"""Webhooks to services: what may be told, to which addresses, signed how, and tried how often (Standard Webhooks)."""

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from habitat.notifications.errors import WebhookTypesUnknown, WebhookUrlRefused

LONGEST_URL: Final = 500
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret is spelled, not one
# While a receiver puts the new secret in place, what is sent carries a signature by either.
BOTH_SECRETS_FOR: Final = timedelta(hours=24)
# A delivery that fails is tried again after these, ten times in a little more than a day, then it waits for a person.
WAITS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 60, 300, 1_800, 3_600, 2 * 3_600, 4 * 3_600, 6 * 3_600, 8 * 3_600)
)
MAX_ATTEMPTS: Final = len(WAITS) + 1
# One failure is the message's own affair; from the third in a row on, the address as a whole is left in peace a while.
FAILURES_TO_REST: Final = 3
LONGEST_REST: Final = timedelta(minutes=30)
GONE: Final = 410
SENT_AGAIN: Final = "Sent again by"
NO_ANSWER: Final = "No answer came from the receiver."

# 64:ff9b::/96 carries any IPv4 address, those of this house's own network included.
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")


class EndpointState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    REMOVED = "removed"


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"


ENDPOINT_EDGES: Final[dict[EndpointState, frozenset[EndpointState]]] = {
    EndpointState.ACTIVE: frozenset({EndpointState.DISABLED, EndpointState.REMOVED}),
    EndpointState.DISABLED: frozenset({EndpointState.ACTIVE, EndpointState.REMOVED}),
    EndpointState.REMOVED: frozenset(),
}
# `sending > sending` is a lease that ran out; a person may also send again what was delivered: it is the same message.
# What waits ends unsent where a newer message says what holds since, where too much waits, or where nothing can go out
# any more. What was superseded stays so: sending it would only tell what is over.
DELIVERY_EDGES: Final[dict[DeliveryState, frozenset[DeliveryState]]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.SENDING, DeliveryState.SUPERSEDED, DeliveryState.DEAD}),
    DeliveryState.SENDING: frozenset(
        {DeliveryState.SENDING, DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.DEAD}
    ),
    DeliveryState.DELIVERED: frozenset({DeliveryState.PENDING}),
    DeliveryState.DEAD: frozenset({DeliveryState.PENDING}),
    DeliveryState.SUPERSEDED: frozenset(),
}
REPLAYABLE: Final = (DeliveryState.DEAD.value, DeliveryState.DELIVERED.value)
FINISHED: Final = (*REPLAYABLE, DeliveryState.SUPERSEDED.value)


@dataclass(frozen=True, slots=True)
class WebhookType:
    """One kind of message. A service subscribes to its name, or to `<first word>.*`."""

    name: str
    title: str


_types: Final[dict[str, WebhookType]] = {}


def register(*types: WebhookType) -> None:
    """Makes kinds known; each floor adds its own when it is ready."""
    _types.update({kind.name: kind for kind in types})


def types() -> list[WebhookType]:
    """Every kind, by name."""
    return sorted(_types.values(), key=lambda kind: kind.name)


def subscribable() -> list[str]:
    """What an endpoint may name: every kind, and every family of kinds."""
    families = {f"{name.partition('.')[0]}.*" for name in _types}
    return sorted(families | _types.keys())


def require_types(given: Iterable[str]) -> list[str]:
    """The named types, each once, in order. Raises WebhookTypesUnknown for one that is none, or for none at all."""
    chosen = sorted(set(given))
    known = subscribable()
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise WebhookTypesUnknown(given=", ".join(unknown)[:200] or "nothing", known=", ".join(known), field="types")
    return chosen


# --- addresses


def require_url(url: str, *, allow_loopback: bool) -> str:
    """The address as it will be called. Raises WebhookUrlRefused: https only, no user, no fragment; http only to this
    machine itself, and only where the house allows that (development)."""
    problem = _url_problem(url, allow_loopback=allow_loopback)
    if problem:
        raise WebhookUrlRefused(problem=problem, field="url")
    return url


def _url_problem(url: str, *, allow_loopback: bool) -> str:
    if len(url) > LONGEST_URL or not url.isascii() or any(character <= " " or character == "\\" for character in url):
        return f"an address has at most {LONGEST_URL} plain characters and no blanks"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return "this is no address"
    if not host or "@" in parts.netloc or parts.fragment:
        return "it names a host, no user and no place within a page"
    is_loopback = allow_loopback and _is_loopback_name(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback):
        return "it begins with https://"
    literal = _address(host)
    if literal is not None and not may_connect(str(literal), allow_loopback=allow_loopback):
        return "it leads into a private network"
    return ""


def may_connect(address: str, *, allow_loopback: bool) -> bool:
    """True for an IP address of the public internet, and for this machine itself where that is allowed.

    Private, link-local (cloud metadata among them), site-local, shared, multicast and reserved addresses are refused,
    also in the clothes of IPv6.
    """
    found = _address(address)
    if found is None:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped
        if inner is not None:
            return may_connect(str(inner), allow_loopback=allow_loopback)
        if found.sixtofour or found.teredo or found in _TRANSLATED or found.scope_id or found.is_site_local:
            return False
    if found.is_loopback:
        return allow_loopback
    return found.is_global and not found.is_multicast and not found.is_reserved


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_loopback_name(host: str) -> bool:
    found = _address(host)
    return host == "localhost" or (found is not None and found.is_loopback)


# --- secrets and signatures


def derived_secret(master: str, *, endpoint: str, version: int) -> bytes:
    """The endpoint's own signing key: HMAC-SHA256 of its name under the house's master key, so that none is stored."""
    return hmac.new(master.encode(), f"habitat-webhook:{endpoint}:{version}".encode(), hashlib.sha256).digest()


def spelled(secret: bytes) -> str:
    """`whsec_` and base64: how Standard Webhooks libraries take a secret."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, *, message_id: str, timestamp: int, body: str) -> str:
    """`v1,<base64>` of HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks, symmetric)."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


# --- patience


def stamp(moment: datetime) -> str:
    """A moment as messages carry it: UTC, with all six decimals of its second."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def wait_after(attempts: int, *, jitter: float) -> timedelta | None:
    """How long a delivery waits after its `attempts`-th failure, up to a quarter more or less; None: no more tries.

    `jitter` in [0, 1) is the caller's random number: it spreads what failed together.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    return WAITS[max(attempts, 1) - 1] * (0.75 + jitter / 2)


def rest_after(failures: int, *, jitter: float) -> timedelta:
    """How long the whole address is left in peace after `failures` in a row."""
    if failures < FAILURES_TO_REST:
        return timedelta()
    times: int = 2 ** min(failures - FAILURES_TO_REST, 10)
    return min(timedelta(seconds=5) * times, LONGEST_REST) * (0.75 + jitter / 4)


def told_to_service(error: str, *, status: int | None) -> str:
    """A delivery's problem as its service reads it. Why an address gave no answer would tell the service what is in
    the house's own network, so that is for the desk alone."""
    is_plain = not error or status is not None or error.startswith(SENT_AGAIN)
    return error if is_plain else NO_ANSWER
