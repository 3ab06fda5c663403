"""The REST faces of the ledger: shapes, keys, replays, whose data it is, and problems."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from cloud_credits.actions.transfers import transfer
from cloud_credits.models import CloudTransaction
from habitat.controls.actions import service_keys
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits.ledger import holds, row_counts
from tests.faces.people import api, reader
from tests.factories import actor, key, make_member

pytestmark = pytest.mark.django_db


def post_transfer(client, recipient, amount, idempotency_key="k1", **body):
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    return client.post(
        "/api/transfers", {"recipient": str(recipient.pk), "amount": amount} | body, format="json", headers=headers
    )


def service(*scopes):
    _, secret = service_keys.create(
        name="meter", scopes=list(scopes), expires_at=datetime.now(tz=UTC) + timedelta(days=1), acting=SYSTEM
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_balance__money_is_strings_and_exact():
    member = reader("12.34567891")
    body = api(member).get("/api/balance").json()
    as_of, booked = body.pop("asOf"), body.pop("lastBookedAt")
    assert as_of.endswith("Z")
    assert booked.endswith("Z")
    assert body == {
        "memberId": str(member.pk),
        "liquid": "12.34567891",
        "staked": "0",
        "total": "12.34567891",
        "liquidUsd": "123.4567891",
        "stakedUsd": "0",
        "totalUsd": "123.4567891",
        "sequence": 1,
    }


def test_balance__at_a_moment_is_what_it_was():
    member = reader("10")
    first = CloudTransaction.objects.latest("id").booked_at
    transfer(sender=member, recipient=make_member(), amount=cloud("4"), idempotency_key=key(), acting=actor(member))
    client = api(member)
    assert client.get("/api/balance").json()["liquid"] == "6"
    assert client.get("/api/balance", {"at": first.isoformat()}).json()["liquid"] == "10"
    assert client.get("/api/balance", {"at": "2020-01-01T00:00:00Z"}).json()["liquid"] == "0"


@pytest.mark.parametrize("at", ["yesterday", "2026-04-01T00:00:00", "2026-13-01T00:00:00Z"])
def test_balance__a_moment_needs_form_and_zone(at):
    response = api(reader()).get("/api/balance", {"at": at})
    assert (response.status_code, response.json()["code"], response.json()["field"]) == (422, "time_invalid", "at")


def test_balance__another_members_is_not_found__operations_see_it():
    other = make_member(credits="3")
    path = f"/api/balance?member={other.pk}"
    assert api(reader()).get(path).status_code == 404
    assert api(reader("0", "members.view_member")).get(path).status_code == 404
    assert api(reader("0", "cloud_credits.view_cloudbalance")).get(path).json()["liquid"] == "3"


def test_transfer__created_then_replayed_with_the_same_body():
    sender, recipient = reader("10"), make_member()
    client = api(sender)

    first = post_transfer(client, recipient, "2.50", memo="eggs")
    second = post_transfer(client, recipient, "2.5", memo="eggs")

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["replayed"] is False
    assert second.json() == first.json() | {"replayed": True}
    body = first.json()
    assert (body["amount"], body["usd"], body["type"], body["state"]) == ("2.5", "25", "transfer", "completed")
    assert (body["fromLiquidAfter"], body["toLiquidAfter"], body["toSequence"]) == ("7.5", None, None)
    assert holds(sender) == (Decimal("7.5"), Decimal(0))


def test_transfer__without_key_is_400_before_anything_is_judged():
    sender, recipient = reader("10"), make_member()
    before = row_counts()
    response = post_transfer(api(sender), recipient, "NaN", idempotency_key="")
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
    assert response["Content-Type"] == "application/problem+json"
    assert row_counts() == before


def test_transfer__same_key_other_content_is_a_conflict():
    sender, recipient = reader("10"), make_member()
    client = api(sender)
    post_transfer(client, recipient, "1")
    response = post_transfer(client, recipient, "2")
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")
    assert holds(recipient) == (Decimal(1), Decimal(0))


def test_transfer__a_json_number_is_exact_a_bool_is_no_number():
    sender, recipient = reader("10"), make_member()
    client = api(sender)
    raw = f'{{"recipient": "{recipient.pk}", "amount": 0.10000001}}'
    sent = client.post("/api/transfers", raw, content_type="application/json", headers={"Idempotency-Key": "n"})
    assert sent.json()["amount"] == "0.10000001"
    refused = post_transfer(client, recipient, True, idempotency_key="b")
    assert refused.json()["code"] == "amount_not_a_number"


def test_transfer__too_little_is_402_with_the_numbers():
    sender, recipient = reader("1", name="Ada Brook"), make_member()
    response = post_transfer(api(sender), recipient, "2")
    assert response.status_code == 402
    assert response.json()["detail"] == "Ada Brook has 1 CLOUD to spend; this needs 2."
    assert response.json()["details"]["available"] == "1"


def test_transactions__own_only_in_camel_case_with_cursor():
    member, other = reader("10"), make_member(credits="9")
    for _ in range(3):
        transfer(sender=member, recipient=other, amount=cloud("1"), idempotency_key=key(), acting=actor(member))
    client = api(member)
    first = client.get("/api/transactions/", {"limit": 2}).json()
    assert set(first) == {"next", "previous", "results"}
    assert len(first["results"]) == 2
    second = client.get(first["next"]).json()
    ids = [row["id"] for row in first["results"] + second["results"]]
    assert len(set(ids)) == 4
    assert all(isinstance(number, str) for number in ids)
    assert client.get("/api/transactions/", {"type": "correction"}).json()["results"][0]["amount"] == "10"


def test_transaction__another_members_is_not_found():
    make_member(credits="9")
    row = CloudTransaction.objects.latest("id")
    response = api(reader()).get(f"/api/transactions/{row.pk}/")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert (
        api(reader("0", "cloud_credits.view_cloudtransaction")).get(f"/api/transactions/{row.pk}/").status_code == 200
    )


@pytest.mark.parametrize("path", ["/api/transfers", "/api/metering/record", "/api/rate-card/quote"])
def test_writes__refuse_get(path):
    client = service("metering:write") if "metering" in path else api(reader())
    assert client.get(path).status_code == 405


@pytest.mark.parametrize(
    "path",
    ["/api/balance", "/api/transactions/", "/api/usage/", "/api/usage/summary", "/api/stakes/", "/api/rate-card"],
)
def test_nobody__is_asked_who_they_are(path):
    response = APIClient().get(path)
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/balance", "/api/transactions/", "/api/usage/", "/api/stakes/"])
def test_a_service_key__has_no_balance(path):
    assert service("read", "metering:write").get(path).status_code == 403


def test_rate_card__of_a_day_and_by_version_for_people_and_keys():
    for client in (api(reader()), service("read")):
        card = client.get("/api/rate-card", {"date": "2026-04-01"}).json()
        assert card["version"] == 1
        assert [(rate["primitive"], rate["rate"]) for rate in card["rates"]] == [
            ("compute", "1"),
            ("transfer", "0.1"),
            ("ltm", "0.05"),
            ("stm", "0.5"),
        ]
        # One version alone tells its vote and its rules too.
        assert client.get("/api/rate-cards/1/").json().items() >= card.items()
        assert client.get("/api/rate-cards/").json()["results"] == [card]
    assert client.get("/api/rate-cards/99/").status_code == 404
    assert client.get("/api/rate-card", {"date": "2026-03-31"}).json()["code"] == "no_card_in_force"


def test_quote__each_line_rounded_on_its_own():
    items = [{"primitive": "compute", "quantity": "0.25"}, {"primitive": "ltm", "quantity": "0.000001"}]
    body = api(reader()).post("/api/rate-card/quote", {"items": items, "date": "2026-04-02"}, format="json").json()
    assert [line["cloudCost"] for line in body["lines"]] == ["0.25", "0.00000005"]
    assert (body["totalCost"], body["totalUsd"], body["rateCardVersion"]) == ("0.25000005", "2.5000005", 1)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"primitive": "gas", "quantity": "1"}, "unknown_primitive"),
        ({"primitive": "compute", "quantity": "0"}, "quantity_not_positive"),
        ({"primitive": "compute", "quantity": "0.0000001"}, "too_many_decimals"),
    ],
)
def test_quote__refuses_what_metering_refuses(item, code):
    response = api(reader()).post("/api/rate-card/quote", {"items": [item]}, format="json")
    assert (response.status_code, response.json()["code"]) == (422, code)


def test_metering__priced_redeemed_seen_on_usage_and_replayed():
    member = reader("10")
    now = datetime.now(tz=UTC).replace(microsecond=0)
    event = {
        "eventId": "e-1",
        "memberId": str(member.pk),
        "primitive": "compute",
        "quantity": "0.25",
        "unit": "compute-hours",
        "serviceName": "builds",
        "timestamp": now.isoformat(),
    }
    client = service("metering:write")

    first = client.post("/api/metering/record", event, format="json")
    second = client.post("/api/metering/record", event, format="json")

    assert first.status_code == 201, first.content
    body = first.json()
    assert {name: body[name] for name in ("cloudCost", "usdValue", "rateCardVersion", "memberBalanceAfter")} == {
        "cloudCost": "0.25",
        "usdValue": "2.5",
        "rateCardVersion": 1,
        "memberBalanceAfter": "9.75",
    }
    assert (second.status_code, second.json()) == (200, body | {"replayed": True})

    [line] = api(member).get("/api/usage/").json()["results"]
    assert line["meterId"] == body["meterId"]
    assert line["arithmetic"] == "0.25 compute-hours × 1 CLOUD = 0.25 CLOUD (2.50 USD)"
    total = api(member).get("/api/usage/summary", {"period": f"{now:%Y-%m}"}).json()
    assert (total["totalCost"], total["totalUsd"], total["lines"][0]["events"]) == ("0.25", "2.5", 1)
    assert api(reader()).get("/api/usage/").json()["results"] == []


def test_metering__needs_the_scope():
    assert service("read").post("/api/metering/record", {}, format="json").status_code == 403
    assert api(reader()).post("/api/metering/record", {}, format="json").status_code == 403


def test_stakes__staked_listed_and_only_mine():
    member = reader("100")
    type(member).objects.filter(pk=member.pk).update(is_investor=True)
    client = api(member)
    made = client.post("/api/stakes/", {"amount": "40", "days": 90}, format="json", headers={"Idempotency-Key": "s"})
    assert made.status_code == 201, made.content
    [stake] = client.get("/api/stakes/").json()["results"]
    assert (stake["amount"], stake["sharePercent"], stake["state"]) == ("40", "2.47", "active")
    early = client.post(f"/api/stakes/{stake['id']}/unstake", headers={"Idempotency-Key": "u"})
    assert (early.status_code, early.json()["code"]) == (409, "still_locked")
    assert api(reader()).post(f"/api/stakes/{stake['id']}/unstake", headers={"Idempotency-Key": "u"}).status_code == 404


def test_schema__describes_every_call_and_the_docs_need_no_inline_script(client):
    schema = client.get("/api/schema/?format=json").json()
    for path in (
        "/api/balance",
        "/api/transfers",
        "/api/metering/record",
        "/api/rate-card/quote",
        "/api/usage/summary",
    ):
        assert path in schema["paths"]
    amount = schema["components"]["schemas"]["Transaction"]["properties"]["amount"]
    assert amount["type"] == "string"
    docs = client.get("/api/docs/")
    assert docs.status_code == 200
    assert "<script>" not in docs.content.decode()
