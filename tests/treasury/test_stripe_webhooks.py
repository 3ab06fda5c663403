"""The webhook's door: only what Stripe signed, lately and unaltered, is kept, once; and it is kept before all else."""

import hashlib
import hmac
import json
import time

import pytest

from habitat.events.actions.wakes import wake_after_commit
from treasury.models import StripeEvent

pytestmark = pytest.mark.django_db

SECRET = "whsec_one"
ADDRESSES = ["/api/stripe/webhook", "/api/webhooks/stripe"]


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.STRIPE_SECRET_KEY = "sk_test_sandbox"
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_zero", SECRET]


def event(**changes):
    body = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "livemode": False,
        "data": {"object": {"id": "pi_1", "object": "payment_intent", "client_secret": "pi_1_secret_x"}},
    }
    return json.dumps(body | changes).encode()


def signed(body, *, secret=SECRET, age=0):
    moment = int(time.time()) - age
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def send(client, body, signature=None, address=ADDRESSES[0]):
    headers = {"Stripe-Signature": signed(body) if signature is None else signature}
    return client.post(address, data=body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("address", ADDRESSES)
def test_kept__and_answered_at_once(client, address):
    response = send(client, event(), address=address)

    assert (response.status_code, response.json()) == (200, {"received": True, "new": True})
    row = StripeEvent.objects.get()
    assert (row.event_id, row.type, row.state, row.attempts) == ("evt_1", "payment_intent.succeeded", "received", 0)
    assert row.payload["data"]["object"] == {"id": "pi_1", "object": "payment_intent"}


def test_kept__wakes_its_queue(client, monkeypatch):
    rung = []
    monkeypatch.setattr("treasury.actions.stripe_events.wake_after_commit", rung.append)
    send(client, event())
    assert rung == ["stripe_events"]
    assert callable(wake_after_commit)


def test_twice__is_kept_once(client):
    assert send(client, event()).json()["new"] is True
    assert send(client, event()).json() == {"received": True, "new": False}
    assert StripeEvent.objects.count() == 1


def test_unknown_type__is_kept(client):
    assert send(client, event(type="unicorn.found")).status_code == 200
    assert StripeEvent.objects.get().type == "unicorn.found"


def test_old_secret__still_opens_while_it_is_replaced(client):
    body = event()
    assert send(client, body, signed(body, secret="whsec_zero")).status_code == 200


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(lambda body: signed(body, age=301), id="stale"),
        pytest.param(lambda body: signed(body, secret="whsec_wrong"), id="wrong secret"),
        pytest.param(lambda body: signed(body.replace(b"pi_1", b"pi_2")), id="altered body"),
        pytest.param(lambda body: signed(body).replace("v1=", "v0="), id="other scheme"),
        pytest.param(lambda body: "", id="none"),
        pytest.param(lambda body: "t=abc,v1=00", id="nonsense"),
        pytest.param(lambda body: "t=1,v1=é", id="not ascii"),
    ],
)
def test_forged__is_refused_and_nothing_is_kept(client, signature):
    body = event()
    response = send(client, body, signature(body).encode().decode("latin-1"))
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "signature_invalid"
    assert StripeEvent.objects.count() == 0


def test_within_five_minutes__is_taken(client):
    body = event()
    assert send(client, body, signed(body, age=290)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"object": "event", "livemode": false, "id": "evt_1"}', id="fields missing"),
        pytest.param(event(object="charge"), id="no event"),
        pytest.param(event(id=""), id="no id"),
        pytest.param(event(id="e" * 121), id="id too long"),
        pytest.param(event(type=7), id="type no text"),
        pytest.param(event(livemode="no"), id="mode no boolean"),
        pytest.param(event(data={"object": {"id": "x\u0000"}}), id="zero character"),
        pytest.param(b'{"object": "event", "a": NaN}', id="NaN"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
    ],
)
def test_signed_nonsense__is_refused_by_name(client, body):
    response = send(client, body)
    assert (response.status_code, response.json()["code"]) == (400, "webhook_body_invalid")
    assert StripeEvent.objects.count() == 0


def test_huge__is_refused_unread(client):
    response = send(client, b" " * 262_145)
    assert (response.status_code, response.json()["code"]) == (413, "webhook_too_large")


@pytest.mark.parametrize(("live_key", "live_event"), [(False, True), (True, False)])
def test_other_mode__is_refused(client, settings, live_key, live_event):
    settings.STRIPE_SECRET_KEY = "sk_live_x" if live_key else "sk_test_x"
    response = send(client, event(livemode=live_event))
    assert (response.status_code, response.json()["code"]) == (400, "webhook_of_other_mode")
    assert StripeEvent.objects.count() == 0


def test_no_secret_set__opens_for_nobody(client, settings):
    settings.STRIPE_WEBHOOK_SECRETS = []
    body = event()
    assert send(client, body, signed(body, secret="")).json()["code"] == "signature_invalid"


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_post_only(client, method):
    assert getattr(client, method)(ADDRESSES[0]).status_code == 405


def test_no_session__and_no_csrf_token(settings):
    from django.test import Client

    response = send(Client(enforce_csrf_checks=True), event())
    assert response.status_code == 200
    assert "Set-Cookie" not in response
