"""Receipts: a usage line that anybody can recompute from published data alone, and the script that does so."""

import hashlib
import json
import runpy
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from eth_utils.crypto import keccak

from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.receipts import Receipt
from tests.cloud_credits import governed
from tests.cloud_credits.metered import make_key, meter
from tests.faces.people import api, browser, reader

SCRIPT = Path(settings.BASE_DIR) / "docs" / "verify_receipt.py"
AT = datetime(2026, 4, 2, 10, 30, tzinfo=UTC)
PAPER = {
    "effectiveAt": "2026-04-01T00:00:00Z",
    "format": "habitat.rate-card.v1",
    "notes": "Erste Karte – für alle",
    "primitives": {
        "compute": {"costUsd": "0.0416", "rateCloud": "1", "unit": "compute-hours"},
        "ltm": {"costUsd": "0.023", "rateCloud": "0.05", "unit": "gigabyte-months"},
    },
    "version": 1,
}


def published(state: str = "active", compute: str = "1", **paper: object) -> dict:
    """A card as the API answers it; its hash is that of its text."""
    primitives = PAPER["primitives"] | {"compute": PAPER["primitives"]["compute"] | {"rateCloud": compute}}
    content = PAPER | {"primitives": primitives} | paper
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    rates = [{"primitive": name, "unit": of["unit"], "rate": of["rateCloud"]} for name, of in primitives.items()]
    return {
        "version": content["version"],
        "state": state,
        "effectiveDate": content["effectiveAt"][:10],
        "canonical": canonical,
        "contentHash": f"0x{keccak(canonical.encode()).hex()}",
        "rates": rates,
    }


CARD = published()
CARD_HASH = CARD["contentHash"]
RECEIPT = Receipt(
    meter_id=7,
    member_id=12,
    event_id="e-1 é",
    service_name="builds",
    primitive=Primitive.COMPUTE,
    quantity=Decimal("2.500000"),
    started_at=None,
    metered_at=AT,
    received_at=AT,
    rate_card_version=1,
    rate_card_hash=CARD_HASH,
    rate=Decimal("1.00000000"),
    cost=Decimal("2.50000000"),
    transaction_id=99,
)
CANONICAL = (
    '{"cloudCost":"2.5","eventId":"e-1 é","format":"habitat-usage-receipt-1","memberId":"12","meterId":"7",'
    '"meteredAt":"2026-04-02T10:30:00.000000Z","primitive":"compute","quantity":"2.5","rate":"1",'
    f'"rateCardHash":"{CARD_HASH}",'
    '"rateCardVersion":1,"receivedAt":"2026-04-02T10:30:00.000000Z","serviceName":"builds",'
    '"startedAt":null,"transactionId":"99","unit":"compute-hours","usdValue":"25"}'
)


def answer(receipt: Receipt = RECEIPT) -> dict:
    """What the API would answer."""
    return {"receipt": receipt.fields(), "canonical": receipt.canonical().decode(), "hash": receipt.hash}


def sealed_again(receipt: dict) -> dict:
    """An answer whose hash is right for its fields, whatever they say."""
    canonical = json.dumps(receipt, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return {"receipt": receipt, "canonical": canonical, "hash": f"sha256:{digest}"}


def verify(folder: Path, receipt: object, card: object) -> tuple[int, str]:
    """Runs the script alone: no site packages, no environment of ours."""
    for name, content in (("receipt.json", receipt), ("card.json", card)):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(folder / "receipt.json"), str(folder / "card.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout


def test_receipt__canonical_text_is_sorted_exact_and_in_utc():
    assert RECEIPT.canonical().decode() == CANONICAL
    assert RECEIPT.hash == "sha256:" + hashlib.sha256(CANONICAL.encode()).hexdigest()


@pytest.mark.django_db
def test_api__my_receipt_is_right_by_the_script_and_the_published_card(tmp_path):
    member = reader("10")
    outcome = meter(member, make_key(), quantity="0.333333", startTime="2026-01-01T00:00:00Z")

    response = api(member).get(f"/api/usage/{outcome.meter_id}/receipt")

    assert response.status_code == 200
    body = response.json()
    assert body["receipt"]["cloudCost"] == "0.333333"
    assert body["hash"] == "sha256:" + hashlib.sha256(body["canonical"].encode()).hexdigest()
    assert json.loads(body["canonical"]) == body["receipt"]
    for address in ("/api/rate-cards/1/", "/api/rate-cards/"):
        code, said = verify(tmp_path, body, api(member).get(address).json())
        assert (code, said[:6]) == (0, "Right:"), said


@pytest.mark.django_db
def test_script__is_not_misled_by_a_card_that_was_sent_back(tmp_path, house_clock):
    """Adopted for the very day, and undone by an emergency before it: the page names it, and it prices nothing."""
    people = governed.make_stewards(2)
    governed.adopt_for(house_clock, people, effective_date=governed.MARCH, compute_rate="1.5")
    house_clock.at(datetime(2027, 2, 20, tzinfo=UTC))
    governed.adopted(house_clock, people, is_emergency=True, effective_date=date(2027, 2, 27), compute_rate="1.1")
    house_clock.at(datetime(2027, 3, 1, 12, tzinfo=UTC))
    member = reader("10")
    outcome = meter(member, make_key(), quantity="2")
    body = api(member).get(f"/api/usage/{outcome.meter_id}/receipt").json()
    page = api(member).get("/api/rate-cards/?limit=200").json()
    assert [card["state"] for card in page["results"]] == ["active", "sent_back", "superseded"]
    code, said = verify(tmp_path, body, page)
    assert (code, body["receipt"]["cloudCost"], said[:6]) == (0, "2.2", "Right:"), said


@pytest.mark.django_db
def test_api__anothers_receipt_is_not_found__operations_see_it():
    outcome = meter(reader("10"), make_key())
    path = f"/api/usage/{outcome.meter_id}/receipt"
    assert api(reader()).get(path).status_code == 404
    assert api(reader("0", "cloud_credits.view_resourceusage")).get(path).status_code == 200
    assert api(reader()).get("/api/usage/999999999/receipt").json()["code"] == "not_found"


@pytest.mark.django_db
def test_page__shows_what_is_hashed_and_leads_to_all_three_files():
    member = reader("10")
    outcome = meter(member, make_key())
    listed = browser(member).get("/cloud/usage/").content.decode()
    assert f'href="/cloud/usage/{outcome.meter_id}/receipt/"' in listed

    page = browser(member).get(f"/cloud/usage/{outcome.meter_id}/receipt/").content.decode()

    digest = api(member).get(f"/api/usage/{outcome.meter_id}/receipt").json()["hash"]
    assert digest in page
    assert "2.5 compute-hours × 1 CLOUD = 2.5 CLOUD (25.00 USD)" in page
    for link in (
        f"/api/usage/{outcome.meter_id}/receipt",
        "/api/rate-cards/?limit=200",
        "/cloud/usage/verify_receipt.py",
    ):
        assert f'href="{link}"' in page
    assert browser(reader()).get(f"/cloud/usage/{outcome.meter_id}/receipt/").status_code == 404


def test_script__is_published_for_everybody():
    response = Client().get("/cloud/usage/verify_receipt.py")
    assert response.content == SCRIPT.read_bytes()
    assert response["Content-Type"] == "text/x-python; charset=utf-8"


@pytest.mark.parametrize(
    ("quantity", "rate", "cost"),
    [
        ("0.000001", "0.01", "0.00000001"),
        ("0.000001", "0.001", "0.00000001"),
        ("0.500001", "0.05", "0.02500005"),
        ("1.000001", "0.015", "0.01500002"),
        ("999999999.999999", "1.00000001", "1000000009.999999"),
    ],
)
def test_script__rounds_half_up_and_nothing_is_free(tmp_path, quantity, rate, cost):
    usd = f"{Decimal(cost) * 10:f}"
    card = published(compute=rate)
    receipt = RECEIPT.fields() | {"quantity": quantity, "rate": rate, "cloudCost": cost, "usdValue": usd}
    receipt["rateCardHash"] = card["contentHash"]
    code, said = verify(tmp_path, sealed_again(receipt), card)
    assert code == 0, said


TAMPERED = [
    ({"quantity": "2.4"}, "2.4 × 1 costs 2.40000000 CLOUD, the receipt says 2.5"),
    ({"cloudCost": "2.50000001", "usdValue": "25.0000001"}, "2.5 × 1 costs 2.50000000"),
    ({"rate": "2", "cloudCost": "5", "usdValue": "50"}, "the card says 1 a compute-hours, the receipt 2"),
    ({"usdValue": "24"}, "2.5 CLOUD are 25.0 USD, the receipt says 24"),
    ({"unit": "hours"}, "the receipt 1 a hours"),
    ({"primitive": "stm"}, "no price for stm"),
    ({"meteredAt": "2026-03-31T23:59:59.999999Z"}, "begins on 2026-04-01, the usage ended on 2026-03-31"),
    ({"rateCardVersion": 2}, "card v2 is not among"),
    ({"rateCardHash": "0xab"}, f"the card's hash is {CARD_HASH}, the receipt says 0xab"),
    ({"format": "another"}, "the format is another"),
]


@pytest.mark.parametrize(("changes", "reason"), TAMPERED, ids=[next(iter(changes)) for changes, _ in TAMPERED])
def test_script__tells_a_tampered_receipt_even_with_a_new_hash(tmp_path, changes, reason):
    code, said = verify(tmp_path, sealed_again(RECEIPT.fields() | changes), CARD)
    assert code == 1
    assert reason in said


def test_script__tells_a_hash_that_is_not_of_the_receipt(tmp_path):
    tampered = answer()
    tampered["receipt"] = tampered["receipt"] | {"serviceName": "another"}
    code, said = verify(tmp_path, tampered, CARD)
    assert code == 1
    assert "the hash is" in said
    assert "the canonical text" in said


def test_script__a_page_of_cards_tells_that_a_later_one_was_in_force(tmp_path):
    later = published(version=2, effectiveAt="2026-04-02T00:00:00Z")
    rejected = published("rejected", version=3, effectiveAt="2026-04-02T00:00:00Z")
    assert verify(tmp_path, answer(), {"results": [rejected, CARD]})[0] == 0
    code, said = verify(tmp_path, answer(), {"results": [later, CARD]})
    assert (code, "another card than v1 was in force on 2026-04-02" in said) == (1, True)
    assert verify(tmp_path, answer(), CARD | {"state": "rejected"})[0] == 1


@pytest.mark.parametrize(
    "broken",
    [
        {},
        [],
        {"receipt": {}},
        {"receipt": RECEIPT.fields() | {"quantity": 2.5}, "hash": ""},
        *(sealed_again(RECEIPT.fields() | {"quantity": given}) for given in ("1e999999", "9e999999999999", "NaN")),
    ],
)
def test_script__what_it_cannot_read_is_neither_right_nor_wrong(tmp_path, broken):
    code, said = verify(tmp_path, broken, CARD)
    assert (code, said[:13]) == (2, "Not readable:")


def test_script__does_not_fall_over_what_is_nested_without_end(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 200_000, encoding="utf-8")
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(tmp_path / "deep.json"), str(tmp_path / "deep.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout[:13], done.stderr) == (2, "Not readable:", "")


def dearer(card: dict) -> list[dict]:
    return [line | {"rate": "2"} if line["primitive"] == "compute" else line for line in card["rates"]]


FORGED = [
    ({"rates": dearer(CARD)}, "compute is 1 a compute-hours in the hashed text, not 2"),
    ({"canonical": published(compute="2")["canonical"]}, "its canonical text gives 0x"),
    ({"effectiveDate": "2026-04-02"}, "the hashed text is of v1 from 2026-04-01T00:00:00Z, not of this card"),
    (published(compute="2"), "the card's hash is 0x"),
]


@pytest.mark.parametrize(("changes", "reason"), FORGED, ids=["rate", "text", "day", "whole"])
def test_script__tells_a_forged_card_by_what_was_hashed(tmp_path, changes, reason):
    dear = RECEIPT.fields() | {"rate": "2", "cloudCost": "5", "usdValue": "50"}
    code, said = verify(tmp_path, sealed_again(dear), CARD | changes)
    assert code == 1
    assert reason in said


@pytest.mark.parametrize("length", [0, 1, 135, 136, 137, 272, 999])
def test_script__hashes_as_ethereum_does(length):
    found = runpy.run_path(str(SCRIPT))
    data = bytes(number % 251 for number in range(length))
    assert found["keccak256"](data) == keccak(data)
