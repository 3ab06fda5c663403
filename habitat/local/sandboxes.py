"""The sandboxes of Stripe and the bank for `make run`: their keys, ports, files, and what the house is told of them.

Each is started only while no key of the real provider is in the environment. Keys are made once and kept, like the
data, in `.local/sandbox/`: a run that was killed finds its payments and its bank lines again.
"""

import json
import os
import secrets
import socket
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
FIRST_STRIPE_PORT: Final = 12111
FIRST_BANK_PORT: Final = 8812
WORD: Final = "where.json"
WEBHOOK_PATH: Final = "/api/stripe/webhook"
# What a name stands for in the environment of web server and worker, and how its secret begins.
SECRETS: Final = {"STRIPE_SECRET_KEY": "sk_test_", "STRIPE_WEBHOOK_SECRET": "whsec_", "MERCURY_API_TOKEN": "sandbox-"}


@dataclass(frozen=True, slots=True)
class SandboxServer:
    """One server to start; its secrets reach it by its environment alone, so that no process list shows them."""

    title: str
    command: list[str]
    port: int


@dataclass(frozen=True, slots=True)
class Sandboxes:
    """What to start, and the variables that lead web server and worker to it."""

    servers: tuple[SandboxServer, ...]
    environment: dict[str, str]


def planned(*, folder: Path, site: str, given: Mapping[str, str], port_from: Callable[[int], int]) -> Sandboxes:
    """The sandboxes that `given` (the environment) leaves room for; `site` is where webhooks go.

    `port_from(first)` finds a free port. A port that a former run used is tried first: addresses of open checkouts
    stay true.
    """
    wanted_stripe = not given.get("STRIPE_SECRET_KEY")
    wanted_bank = not given.get("MERCURY_API_TOKEN")
    if not wanted_stripe and not wanted_bank:
        return Sandboxes((), {})
    kept = _keys(folder / "keys.json")
    servers: list[SandboxServer] = []
    environment: dict[str, str] = {}
    bank_url = ""
    if wanted_bank:
        port = port_from(FIRST_BANK_PORT)
        bank_url = f"http://{HOST}:{port}"
        environment |= {"MERCURY_API_BASE": bank_url, "MERCURY_API_TOKEN": kept["MERCURY_API_TOKEN"]}
        arguments = ["--port", str(port), "--data", str(folder / "mercury.sqlite3")]
        servers.append(SandboxServer("sandbox bank", _module("mercury", arguments), port))
    if wanted_stripe:
        port = port_from(FIRST_STRIPE_PORT)
        environment |= {"STRIPE_API_BASE": f"http://{HOST}:{port}"}
        environment |= {name: kept[name] for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")}
        arguments = ["--port", str(port), "--data", str(folder / "stripe.sqlite3")]
        arguments += ["--webhook-url", f"{site}{WEBHOOK_PATH}"]
        arguments += ["--bank-url", bank_url] if bank_url else []
        servers.append(SandboxServer("sandbox Stripe", _module("stripe", arguments), port))
    return Sandboxes(tuple(servers), environment)


def leave_word(folder: Path, environment: Mapping[str, str]) -> None:
    """Keeps where the sandboxes are and their keys, for commands in another terminal."""
    _write_privately(folder / WORD, environment)


def listen_for_word(folder: Path, environment: MutableMapping[str, str]) -> None:
    """Sets what the last `make run` left, except for a provider of whom the environment has a key already."""
    left: dict[str, str] = {}
    with suppress(OSError, ValueError):
        left = {str(name): str(value) for name, value in json.loads((folder / WORD).read_text()).items()}
    for key, prefix in (("STRIPE_SECRET_KEY", "STRIPE_"), ("MERCURY_API_TOKEN", "MERCURY_")):
        if not environment.get(key):
            environment.update({name: value for name, value in left.items() if name.startswith(prefix)})


def answers(port: int) -> bool:
    """Whether something speaks HTTP there."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=10) as door:
        door.sendall(f"GET /_sandbox/calls HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n".encode())
        return door.recv(5) == b"HTTP/"
    return False


def _module(name: str, arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", f"treasury.sandbox.{name}", *arguments]


def _keys(path: Path) -> dict[str, str]:
    """The secrets of this checkout's sandboxes, made on the first run; nobody else on the machine may read them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    kept: dict[str, str] = {}
    with suppress(OSError, ValueError):
        kept = {str(name): str(secret) for name, secret in json.loads(path.read_text()).items()}
    missing = {name: begins + secrets.token_hex(24) for name, begins in SECRETS.items() if not kept.get(name)}
    if missing:
        kept |= missing
        _write_privately(path, kept)
    return kept


def _write_privately(path: Path, values: Mapping[str, str]) -> None:
    # Written aside first: a run killed here leaves the old file, or none.
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(dict(values), file)
    aside.replace(path)
