"""`make run` with sandboxes: started when there are no real keys, told to the others, kept over a kill."""

import json
import os
import signal
import stat
import time
from pathlib import Path

import httpx
import pytest

from habitat.local import run, sandboxes

PORTS = {sandboxes.FIRST_STRIPE_PORT: 50001, sandboxes.FIRST_BANK_PORT: 50002}


def planned(folder: Path, **given: str) -> sandboxes.Sandboxes:
    return sandboxes.planned(folder=folder, site="http://127.0.0.1:8000", given=given, port_from=PORTS.__getitem__)


def test_planned__both_where_no_key_is_given(tmp_path: Path) -> None:
    plan = planned(tmp_path / "sandbox")

    kept = json.loads((tmp_path / "sandbox" / "keys.json").read_text())
    assert plan.environment == {
        "MERCURY_API_BASE": "http://127.0.0.1:50002",
        "STRIPE_API_BASE": "http://127.0.0.1:50001",
        **kept,
    }
    assert [server.port for server in plan.servers] == [50002, 50001]
    assert plan.servers[1].command[-4:] == [
        "--webhook-url",
        "http://127.0.0.1:8000/api/stripe/webhook",
        "--bank-url",
        "http://127.0.0.1:50002",
    ]
    assert not [secret for secret in kept.values() for server in plan.servers if secret in " ".join(server.command)]


def test_planned__keys_are_made_once_and_for_one_reader(tmp_path: Path) -> None:
    first, second = planned(tmp_path), planned(tmp_path)

    assert first.environment == second.environment
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert planned(tmp_path / "other").environment["STRIPE_SECRET_KEY"] != first.environment["STRIPE_SECRET_KEY"]
    assert first.environment["STRIPE_SECRET_KEY"].startswith("sk_test_")


def test_planned__broken_keys_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"STRIPE_SEC')

    assert set(sandboxes.SECRETS) <= set(planned(tmp_path).environment)


@pytest.mark.parametrize(
    ("given", "titles"),
    [
        ({"STRIPE_SECRET_KEY": "sk_live_1"}, ["sandbox bank"]),
        ({"MERCURY_API_TOKEN": "secret-token:1"}, ["sandbox Stripe"]),
        ({"STRIPE_SECRET_KEY": "sk_live_1", "MERCURY_API_TOKEN": "secret-token:1"}, []),
    ],
)
def test_planned__a_real_key_keeps_its_sandbox_away(tmp_path: Path, given: dict[str, str], titles: list[str]) -> None:
    plan = planned(tmp_path, **given)

    assert [server.title for server in plan.servers] == titles
    assert not set(given) & set(plan.environment)
    if "MERCURY_API_TOKEN" in given:
        assert not [server for server in plan.servers if "--bank-url" in server.command]


def _house() -> run.House:
    given = {name: value for name, value in os.environ.items() if name not in sandboxes.SECRETS}
    return run.House({**given, "SITE_URL": "http://127.0.0.1:9"})


def test_sandboxes__answer_keep_their_state_over_a_kill_and_end_with_the_house(tmp_path: Path) -> None:
    first = _house()
    run.open_sandboxes(first, tmp_path)
    try:
        bank, token = first.environment["MERCURY_API_BASE"], first.environment["MERCURY_API_TOKEN"]
        account = {
            "name": "Kept over the kill",
            "kind": "checking",
            "availableBalance": "7.25",
            "currentBalance": "7.25",
        }
        assert httpx.post(f"{bank}/_sandbox/accounts", json=account, trust_env=False).is_success
        for child in first.children:
            assert child.process is not None
            os.kill(child.process.pid, signal.SIGKILL)
            child.process.wait(10)
    finally:
        first.stop()

    second = _house()
    run.open_sandboxes(second, tmp_path)
    try:
        bank = second.environment["MERCURY_API_BASE"]
        assert second.environment["MERCURY_API_TOKEN"] == token
        headers = {"Authorization": f"Bearer {token}"}
        told = httpx.get(f"{bank}/api/v1/accounts", headers=headers, trust_env=False).json()
        assert "Kept over the kill" in {account["name"] for account in told["accounts"]}
        pids = [child.process.pid for child in second.children if child.process is not None]
        assert len(pids) == 2
    finally:
        second.stop()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_word__leads_commands_of_another_terminal_to_the_sandboxes(tmp_path: Path) -> None:
    left = planned(tmp_path).environment
    sandboxes.leave_word(tmp_path, left)
    environment: dict[str, str] = {"HOME": "/"}

    sandboxes.listen_for_word(tmp_path, environment)

    assert environment == left | {"HOME": "/"}
    assert stat.S_IMODE((tmp_path / sandboxes.WORD).stat().st_mode) == 0o600


def test_word__says_nothing_of_a_provider_whose_key_is_given(tmp_path: Path) -> None:
    sandboxes.leave_word(tmp_path, planned(tmp_path).environment)
    environment = {"STRIPE_SECRET_KEY": "sk_live_1"}

    sandboxes.listen_for_word(tmp_path, environment)

    assert {name for name in environment if name.startswith("STRIPE_")} == {"STRIPE_SECRET_KEY"}
    assert environment["MERCURY_API_BASE"] == "http://127.0.0.1:50002"


def test_word__missing_or_broken__is_none(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    sandboxes.listen_for_word(tmp_path, environment)
    (tmp_path / sandboxes.WORD).write_text('{"STRIPE')
    sandboxes.listen_for_word(tmp_path, environment)

    assert environment == {}
