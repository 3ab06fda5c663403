"""The page every problem document links to names its code."""

import json

import pytest

pytestmark = pytest.mark.django_db


def test_problem__links_to_a_page_that_names_its_code(client):
    problem = json.loads(client.post("/api/metering/record", data=b"{}", content_type="application/json").content)
    address, _, code = problem["type"].partition("#")
    page = client.get(address)
    assert page.status_code == 200
    assert code == problem["code"]
    assert f'<tr id="{code}">' in page.content.decode()


@pytest.mark.parametrize("code", ["insufficient_balance", "idempotency_conflict", "event_conflict", "period_closed"])
def test_errors__every_floor_is_there(client, code):
    assert f'<tr id="{code}">' in client.get("/help/errors/").content.decode()


def test_help__is_public_and_only_read(client):
    assert client.get("/help/").status_code == 200
    assert client.post("/help/").status_code == 405
