"""What no honest program sends: every face answers it with a refusal, never with a fault of its own."""

import base64
import io
import json
import zlib
from datetime import UTC, datetime, timedelta
from wsgiref.util import setup_testing_defaults

import pytest
from openpyxl import load_workbook
from rest_framework.test import APIClient

from cloud_credits.actions.transfers import transfer
from cloud_credits.models import CloudTransaction, MeteringRefusal
from habitat.controls.actions import service_keys
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from habitat.wsgi import application
from tests.faces.people import api, browser, reader
from tests.factories import key, make_member

pytestmark = pytest.mark.django_db


def operations():
    """Somebody of the back office who may look at what is attacked."""
    names = ("members.view_member", "treasury.view_journalentry", "cloud_credits.view_cloudtransaction")
    member = reader("1", *names)
    member.user.is_staff = True
    member.user.save()
    return browser(member)


def _cursor(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/balance?at=0001-01-01T00:00:00%2B14:00", 422),
        ("/api/balance?at=9999-12-31T23:59:59-14:00", 422),
        ("/api/balance?at=2026-01-01T00:00:00%2B23:59", 200),
        ("/api/rate-card?date=9999-12-31", 200),
        ("/api/transactions/?type=%00", 400),
        ("/api/schema/?version=%00", 400),
        *((f"/api/transactions/?cursor={_cursor(place)}", 404) for place in ("p=abc", "p=%00", "p=5.5", "p=NaN")),
        (f"/api/transactions/?cursor={_cursor('p=' + '9' * 50)}", 404),
        *((f"/api/{name}/?cursor={_cursor('p=x')}", 404) for name in ("rate-cards", "usage", "stakes")),
        (f"/api/transactions/?cursor={_cursor('p=5')}", 200),
    ],
)
def test_a_hostile_address__is_a_problem_document_or_an_answer(address: str, status: int):
    client = api(reader("1"))
    client.raise_request_exception = False
    assert client.get(address).status_code == status


@pytest.mark.parametrize(
    "address",
    [
        "/cloud/transactions/?last_day=9999-12-31",
        "/cloud/transactions/?before=2026-01-01T00:00:00%2B23:59",
        "/cloud/transactions/?before=0001-01-01T00:00:00%2B14:00",
    ],
)
def test_a_hostile_address__of_a_page_is_read_as_far_as_it_goes(address: str):
    client = browser(reader("1"))
    client.raise_request_exception = False
    assert client.get(address).status_code == 200


def test_a_zero_character__in_a_filter_of_the_back_office_is_refused():
    client = operations()
    client.raise_request_exception = False
    for address in ("members/member/?status__exact=%00", "treasury/journalentry/?source_kind=%00"):
        assert client.get(f"/admin/{address}").status_code == 400


def _post(body: str):
    client = api(reader("5"))
    client.raise_request_exception = False
    headers = {"Idempotency-Key": key()}
    return client.post("/api/transfers", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("text", ["\ud800", "1\udfff"])
def test_half_a_character__is_no_json(text: str):
    answer = _post(json.dumps({"recipient": "1", "amount": text}))
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


def test_a_whole_character_in_two_escapes__is_json():
    assert _post('{"recipient": "\\ud83d\\ude00", "amount": "1"}').json()["code"] == "unknown_member"


def test_a_name_twice_in_one_object__is_refused():
    other, before = make_member(), CloudTransaction.objects.count()
    answer = _post(f'{{"recipient": "{other.pk}", "amount": "1", "amount": "2"}}')
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
    assert CloudTransaction.objects.count() == before + 1  # the reader's own first credits


@pytest.mark.parametrize("field", ["memberId", "primitive", "quantity", "unit", "eventId", "serviceName", "timestamp"])
def test_a_zero_character_in_an_event__is_refused_and_the_refusal_is_kept(field: str):
    until = datetime.now(tz=UTC) + timedelta(days=1)
    _, secret = service_keys.create(name="meter", scopes=["metering:write"], expires_at=until, acting=SYSTEM)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    event = {"eventId": "e1", "memberId": "1", "primitive": "transfer", "quantity": "1", "unit": "GB"}
    event |= {"serviceName": "s", "timestamp": datetime.now(tz=UTC).isoformat(), field: "a\x00b"}
    assert client.post("/api/metering/record", event, format="json").status_code == 422
    assert MeteringRefusal.objects.count() == 1


def test_a_memo_with_control_characters__spoils_nobodys_workbook():
    sender, recipient = reader("5"), reader("0.5")
    transfer(sender=sender, recipient=recipient, amount=cloud("1"), memo="a\x0bb", idempotency_key=key(), acting=SYSTEM)
    for client, address in (
        (browser(recipient), "/cloud/transactions/?export=xlsx"),
        (operations(), "/admin/cloud_credits/cloudtransaction/export/xlsx/"),
    ):
        client.raise_request_exception = False
        answer = client.get(address)
        assert answer.status_code == 200
        content = answer.getvalue()
        cells = [cell for row in load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True) for cell in row]
        assert "a\ufffdb" in cells


def _sent(body: bytes, content_type: str):
    client = api(reader("5"))
    client.raise_request_exception = False
    return client.generic("POST", "/api/rate-card/quote", body, content_type=content_type)


def test_json__larger_than_a_mebibyte_is_refused_by_name():
    quote = b'{"items": [{"primitive": "compute", "quantity": "1"}]}'
    assert _sent(quote.ljust(1_048_576), "application/json").status_code == 200
    answer = _sent(quote.ljust(1_048_577), "application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1"])
def test_json__in_another_charset_than_utf8_is_refused_by_name(charset: str):
    answer = _sent('{"items": []}'.encode(charset), f"application/json; charset={charset}")
    assert (answer.status_code, answer.json()["code"]) == (415, "charset_not_utf8")


def test_json__of_utf8_by_any_of_its_names_is_read():
    quote = b'{"items": [{"primitive": "compute", "quantity": "1"}]}'
    for charset in ("utf-8", "UTF8", "U8"):
        assert _sent(quote, f"application/json; charset={charset}").status_code == 200
    assert _sent(b"\xff", "application/json; charset=utf-8").json()["code"] == "parse_error"


def _at_the_door(path: str, content_type: str, body: bytes = b"") -> tuple[str, str]:
    """What gunicorn would be told: the status and the type of the answer. The test client has a door of its own."""
    told: list[tuple[str, str]] = []
    environ = {"PATH_INFO": path, "QUERY_STRING": "a=1", "CONTENT_TYPE": content_type, "wsgi.input": io.BytesIO(body)}
    environ |= {"REQUEST_METHOD": "POST" if body else "GET", "CONTENT_LENGTH": str(len(body))}
    setup_testing_defaults(environ)

    def start_response(status, headers, *_rest):
        told.append((status, dict(headers)["Content-Type"]))

    answer = application(environ, start_response)
    list(answer)
    return told[0]


@pytest.mark.parametrize("charset", ["zlib", "bz2", "rot13", "hex", "idna", "undefined"])
def test_charset__that_reads_no_text_is_refused_at_the_door(charset: str):
    bomb = zlib.compress(b" " * 1_000_000)
    assert _at_the_door("/", f"text/plain; charset={charset}") == ("400 Bad Request", "text/plain; charset=utf-8")
    problem = ("400 Bad Request", "application/problem+json")
    assert _at_the_door("/api/rate-card/quote", f"application/json; charset={charset}", bomb) == problem


@pytest.mark.parametrize("content_type", ["", "text/plain", "text/plain; charset=latin-1", "text/plain; charset=none"])
def test_charset__of_text_or_of_nobody_goes_in(content_type: str):
    assert _at_the_door("/api/usage/", content_type)[0] == "401 Unauthorized"
