"""The bank's gateway against the sandbox over HTTP: every page, every digit, every fault, and a token nobody sees."""

import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from tests.sandboxes import MERCURY_TOKEN, Sandbox
from treasury.errors import BankAnswerMalformed, BankNotConfigured, BankRefused, BankUnavailable
from treasury.gateways import mercury
from treasury.gateways.mercury import MercuryGateway, mercury_gateway
from treasury.policies.bank import LineStatus

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Pauses(list):
    """Stands where the gateway sleeps, and keeps how long it would have."""

    def __call__(self, pause: timedelta) -> None:
        self.append(pause)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def bank(mercury_sandbox: Sandbox, pauses: Pauses) -> MercuryGateway:
    return MercuryGateway(base=mercury_sandbox.url, token=MERCURY_TOKEN, sleep=pauses)


def account_of(sandbox: Sandbox) -> str:
    return sandbox.control("accounts", name="Operating")["id"]


def test_lines__of_every_page_oldest_first(mercury_sandbox, bank, monkeypatch):
    account = account_of(mercury_sandbox)
    monkeypatch.setattr(mercury, "PAGE", 100)
    for number in range(520):
        mercury_sandbox.control("transactions", amount=str(number + 1), externalId=f"row-{number}")

    lines = bank.lines(account_id=account, since=LONG_AGO)

    assert [row.amount for row in lines.rows] == [Decimal(n + 1) for n in range(520)]
    asked = [call["query"] for call in mercury_sandbox.calls() if call["path"] == "/api/v1/transactions"]
    assert len(asked) == 6
    assert all(query["start"].startswith("2026-01-01") for query in asked)


def test_window__is_wider_than_the_banks_own_thirty_days(mercury_sandbox, bank):
    account = account_of(mercury_sandbox)
    old = datetime.now(UTC) - timedelta(days=90)
    mercury_sandbox.control("transactions", amount="7", createdAt=old.isoformat())

    (row,) = bank.lines(account_id=account, since=old - timedelta(days=1)).rows

    assert (row.amount, row.opened_at) == (Decimal(7), old)


@pytest.mark.parametrize(
    "digits", ["0.1", "0.2", "0.30000000", "12345678901.12345678", "-0.07", "1000000", "8.675309", "-99999.99"]
)
def test_amounts__are_exact_to_the_last_digit(mercury_sandbox, bank, digits):
    account = account_of(mercury_sandbox)
    mercury_sandbox.control("transactions", amount=digits)

    (row,) = bank.lines(account_id=account, since=LONG_AGO).rows

    assert row.amount == Decimal(digits)
    assert Decimal(row.payload["amount"]) == Decimal(digits)


def test_sum__of_a_tenth_and_two_tenths_is_three_tenths(mercury_sandbox, bank):
    account = account_of(mercury_sandbox)
    for digits in ("0.1", "0.2"):
        mercury_sandbox.control("transactions", amount=digits)

    assert sum(row.amount for row in bank.lines(account_id=account, since=LONG_AGO).rows) == Decimal("0.3")
    assert bank.accounts().rows[0].available == Decimal("0.3")


def test_too_many_requests__are_repeated_after_what_the_bank_says(mercury_sandbox, bank, pauses):
    mercury_sandbox.control("faults", fault="429", retryAfter=7, times=2)
    account_of(mercury_sandbox)

    assert len(bank.accounts().rows) == 1
    assert pauses == [timedelta(seconds=7)] * 2


def test_bank_that_asks_for_a_year__is_asked_again_by_the_next_reading(mercury_sandbox, bank, pauses):
    """A worker that slept as long as it may, three times, would be killed at its work."""
    mercury_sandbox.control("faults", fault="429", retryAfter=31_536_000, times=4)
    with pytest.raises(BankUnavailable):
        bank.accounts()
    assert pauses == []


def test_server_errors__are_repeated_with_growing_pauses(mercury_sandbox, bank, pauses):
    mercury_sandbox.control("faults", fault="500", times=3)

    assert bank.accounts().rows == ()
    assert pauses == [timedelta(milliseconds=500), timedelta(seconds=1), timedelta(seconds=2)]


def test_server_errors_without_end__are_named(mercury_sandbox, bank):
    mercury_sandbox.control("faults", fault="500", times=9)

    with pytest.raises(BankUnavailable) as refusal:
        bank.accounts()

    assert "status 500" in refusal.value.sentence
    assert len(mercury_sandbox.calls()) == 4


def test_silence__is_unavailable(mercury_sandbox, bank, monkeypatch):
    monkeypatch.setattr(mercury, "TIMEOUT", httpx.Timeout(0.2))
    monkeypatch.setattr(mercury, "ATTEMPTS", 2)
    mercury_sandbox.control("faults", fault="timeout", seconds=1, times=2)

    with pytest.raises(BankUnavailable, match="ReadTimeout"):
        bank.accounts()


def test_wrong_token__is_refused_at_once(mercury_sandbox, pauses):
    with pytest.raises(BankRefused, match="401"):
        MercuryGateway(base=mercury_sandbox.url, token="another", sleep=pauses).accounts()

    assert pauses == []


def test_answer_that_is_no_json__is_named(mercury_sandbox, bank):
    mercury_sandbox.control("faults", fault="malformed")

    with pytest.raises(BankAnswerMalformed, match="no JSON"):
        bank.accounts()


@pytest.mark.parametrize("field", ["id", "amount", "status", "createdAt", "postedAt"])
def test_row_without_a_field__is_set_aside_whole_and_the_others_are_read(mercury_sandbox, bank, field):
    account = account_of(mercury_sandbox)
    for number in range(3):
        mercury_sandbox.control("transactions", amount=str(number + 1))
    mercury_sandbox.control("faults", fault="missing_field", field=field, row=1, path="transactions")

    lines = bank.lines(account_id=account, since=LONG_AGO)

    assert [row.amount for row in lines.rows] == [Decimal(1), Decimal(3)]
    (aside,) = lines.aside
    assert (aside.field_name, aside.payload.get(field)) == (field, None)
    assert field == "amount" or aside.payload["amount"] == "2"


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", "12"), ("amount", True), ("amount", 0.123456789), ("status", "dreaming"), ("status", "vanished"),
     ("createdAt", "soon"), ("accountId", "another"), ("id", "")],
)  # fmt: skip
def test_row_with_a_wrong_field__is_set_aside(mercury_sandbox, bank, field, value):
    account = account_of(mercury_sandbox)
    mercury_sandbox.control("transactions", amount="1")
    mercury_sandbox.control("faults", fault="wrong_field", field=field, value=value, path="transactions")

    lines = bank.lines(account_id=account, since=LONG_AGO)

    assert (lines.rows, [aside.field_name for aside in lines.aside]) == ((), [field])


def test_list_without_its_rows_or_cursor__is_refused_not_read_as_empty(mercury_sandbox, bank, monkeypatch):
    for body, field in (({}, "transactions"), ({"transactions": []}, "page"), ([], "transactions")):
        monkeypatch.setattr(MercuryGateway, "_get", lambda *_, body=body: body)
        with pytest.raises(BankAnswerMalformed) as refusal:
            bank.lines(account_id="x", since=LONG_AGO)
        assert refusal.value.details["field_name"] == field


def test_pending_line__has_no_posting_time(mercury_sandbox, bank):
    account = account_of(mercury_sandbox)
    mercury_sandbox.control("transactions", amount="1", status="pending", externalMemo="HAB-000001-3", note="n")

    (row,) = bank.lines(account_id=account, since=LONG_AGO).rows

    assert (row.status, row.posted_at, row.reference) == (LineStatus.PENDING, None, "HAB-000001-3 n")


def test_token__stands_in_no_log_and_no_refusal(mercury_sandbox, pauses, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx")
    bank = MercuryGateway(base=mercury_sandbox.url, token=MERCURY_TOKEN, sleep=pauses)
    mercury_sandbox.control("faults", fault="500", times=4)
    with pytest.raises(BankUnavailable) as refusal:
        bank.accounts()
    bank.accounts()

    said = caplog.text + repr(bank) + refusal.value.sentence + str(refusal.getrepr(showlocals=True))
    assert "api/v1/accounts" in caplog.text
    assert MERCURY_TOKEN not in said


def test_settings__name_the_bank(settings, mercury_sandbox):
    settings.MERCURY_API_BASE, settings.MERCURY_API_TOKEN = mercury_sandbox.url, ""
    with pytest.raises(BankNotConfigured, match="MERCURY_API_TOKEN"):
        mercury_gateway()

    settings.MERCURY_API_TOKEN = MERCURY_TOKEN
    assert mercury_gateway().accounts().rows == ()


BROKEN = {
    "id": "l1",
    "amount": 7,
    "status": "sent",
    "createdAt": "2026-06-15T10:00:00Z",
    "postedAt": "2026-06-15T10:00:00Z",
}


def test_half_a_character__in_a_senders_words_is_replaced():
    """A sender's memo cut inside an emoji: PostgreSQL takes no half characters, and one such row stopped them all."""
    half = {"externalMemo": "thanks \ud83d", "counterpartyName": "A\udc00da", "x\ud800": "y"}
    row = mercury._line(BROKEN | half, "a")
    assert (row.reference, row.counterparty) == ("thanks ?", "A?da")
    json.dumps(row.payload, ensure_ascii=False).encode()


@pytest.mark.parametrize("row_id", ["x" * 300, "l\x001", "l\ud8001"], ids=["long", "zero", "half"])
def test_row_with_an_id_nobody_can_keep__is_set_aside_with_what_can(row_id):
    with pytest.raises(BankAnswerMalformed) as refused:
        mercury._line(BROKEN | {"id": row_id}, "a")
    aside = mercury._aside(BROKEN | {"id": row_id}, refused.value)
    assert len(aside.row_id) <= 64
    assert "\x00" not in aside.row_id
    aside.row_id.encode()


def test_answer_that_is_too_deep__is_no_json():
    with pytest.raises(BankAnswerMalformed):
        mercury._json(httpx.Response(200, content=b"[" * 200_000))
