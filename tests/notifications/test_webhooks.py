"""Webhooks to services, against a real receiver: signed, retried, replayed, judged by address, given up in time."""

import base64
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from rest_framework.test import APIClient

from cloud_credits.actions.transfers import transfer
from habitat.controls.actions import service_keys
from habitat.controls.actions import settings as runtime_settings
from habitat.controls.models import Alert
from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.actions.outbox import emit
from habitat.events.models import Event
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from habitat.money import cloud
from habitat.notifications import errors
from habitat.notifications.actions import webhook_deliveries, webhook_upkeep, webhooks
from habitat.notifications.actions.webhook_deliveries import Told, publish
from habitat.notifications.gateways import webhooks as gateway
from habitat.notifications.gateways.webhooks import HttpReceiver
from habitat.notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookMessage
from habitat.notifications.policies import webhooks as policies
from habitat.notifications.policies.jobs import JOBS
from habitat.notifications.policies.webhooks import (
    DELIVERY_EDGES,
    ENDPOINT_EDGES,
    MAX_ATTEMPTS,
    may_connect,
    require_url,
    rest_after,
    signature,
    wait_after,
)
from habitat.notifications.reports import webhooks as reports
from habitat.notifications.workflows import webhook_upkeep as upkeep
from habitat.notifications.workflows.webhooks import drain
from habitat.workflows.policies.jobs import definitions
from tests.factories import actor, key, make_member
from tests.notifications.receiver import (
    Receiver,
    black_hole,
    dripping,
    dripping_body,
    dripping_tls,
    endless,
    redirecting,
    slow,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver():
    with Receiver() as opened:
        yield opened


def make_key(name="listener", scopes=("webhooks",)):
    return service_keys.create(name=name, scopes=list(scopes), acting=SYSTEM)


def listening(url, *types, service=None):
    """An endpoint and its secret."""
    service = service or make_key()[0]
    return webhooks.create(key=service, url=url, types=types or ("invoice.*",), acting=SYSTEM)


def some_event():
    with transaction.atomic():
        emit_any()
    return Event.objects.latest("id").pk


def emit_any():
    from cloud_credits.events import TermsPublished

    return emit(TermsPublished(version=1, title="x"), acting=SYSTEM)


def say(type="invoice.paid", subject="", **data):
    """One message of a fresh event; how many deliveries."""
    return publish(
        [Told(type=type, subject=subject, data=data)],
        event_id=some_event(),
        occurred_at=datetime(2026, 4, 2, tzinfo=UTC),
    )


def due_now():
    """What waits, and every address, may be tried at once."""
    WebhookDelivery.objects.filter(state="pending").update(due_at=timezone.now() - timedelta(seconds=1))
    WebhookEndpoint.objects.update(quiet_until=timezone.now() - timedelta(seconds=1))


def only():
    return WebhookDelivery.objects.get()


# --- rules without a database


def test_signature__is_that_of_the_published_test_vector():
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(
        secret, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body='{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "fd00:ec2::254",
        "fec0::1",
        "feff:ffff::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:5ef5:79fd:0:59d:a0e5:ba1",
        "2001:db8::1",
        "metadata.google.internal",
    ],
)
def test_address__of_no_public_network_is_refused(address):
    assert may_connect(address, allow_loopback=False) is False


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_address__of_the_public_internet_is_allowed(address):
    assert may_connect(address, allow_loopback=False) is True


@pytest.mark.parametrize(("address", "allowed"), [("127.0.0.1", True), ("::1", True), ("10.0.0.1", False)])
def test_address__of_this_machine_only_where_the_house_allows_it(address, allowed):
    assert may_connect(address, allow_loopback=True) is allowed


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hooks",
        "http://127.0.0.1/hooks",
        "ftp://example.org",
        "https://",
        "https://user:secret@example.org/",
        "https://example.org/#here",
        "https://example.org:99999/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://example.org/a b",
        "https://exämple.org/",
        "https://example.org/" + "a" * 500,
        "javascript:alert(1)",
        "",
    ],
)
def test_url__that_is_no_public_https_address_is_refused(url):
    with pytest.raises(errors.WebhookUrlRefused):
        require_url(url, allow_loopback=False)


def test_url__to_this_machine_over_http_only_in_development():
    assert require_url("http://127.0.0.1:8000/hooks", allow_loopback=True)
    assert require_url("https://example.org/hooks?x=1", allow_loopback=False)


def test_patience__ten_tries_in_a_little_more_than_a_day():
    waits = [wait_after(number, jitter=0.5) for number in range(1, MAX_ATTEMPTS + 1)]
    assert waits[0] == timedelta(seconds=5)
    assert waits[-1] is None
    assert len(waits) == 10
    assert timedelta(hours=21) < sum(waits[:-1], timedelta()) < timedelta(hours=30)
    assert wait_after(1, jitter=0) == timedelta(seconds=3.75)
    assert wait_after(1, jitter=0.999) < timedelta(seconds=6.25)


def test_patience__the_address_rests_from_the_third_failure_on():
    assert [rest_after(failures, jitter=1) for failures in (0, 1, 2)] == [timedelta()] * 3
    assert rest_after(3, jitter=1) == timedelta(seconds=5)
    assert rest_after(50, jitter=1) == timedelta(minutes=30)


# --- setting up


def test_create__shows_the_secret_once_and_stores_it_nowhere(receiver):
    endpoint, secret = listening(receiver.url, "invoice.*", "balance.updated")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(e)::text FROM notifications_webhookendpoint e WHERE id = %s", [endpoint.pk])
        [kept] = cursor.fetchone()
    assert secret.removeprefix("whsec_") not in kept
    assert endpoint.types == ["balance.updated", "invoice.*"]


def test_create__two_endpoints_have_two_secrets(receiver):
    assert listening(receiver.url)[1] != listening(receiver.url + "2")[1]


def test_create__refusals_change_nothing(receiver, settings):
    service, _ = make_key()
    metering, _ = make_key("meter", ["metering:write"])
    stranger = Actor(kind=ActorKind.SERVICE, id=0, name="other", permissions=frozenset({"webhooks"}))
    given = {"key": service, "url": receiver.url, "types": ["invoice.*"], "acting": SYSTEM}
    for changes, refusal in (
        ({"acting": stranger}, NotAllowed),
        ({"acting": actor(make_member())}, NotAllowed),
        ({"types": []}, errors.WebhookTypesUnknown),
        ({"types": ["invoice.*", "gossip.heard"]}, errors.WebhookTypesUnknown),
        ({"url": "http://example.org"}, errors.WebhookUrlRefused),
        ({"key": metering}, errors.WebhookKeyUnfit),
    ):
        with pytest.raises(refusal):
            webhooks.create(**given | changes)
    settings.WEBHOOK_SIGNING_KEY = ""
    with pytest.raises(errors.WebhooksNotSetUp):
        webhooks.create(**given)
    assert WebhookEndpoint.objects.count() == 0


def test_create__one_address_once_a_key_and_ten_in_all(receiver):
    service, _ = make_key()
    for number in range(10):
        listening(f"{receiver.url}{number}", service=service)
    with pytest.raises(errors.TooManyWebhooks):
        listening(receiver.url, service=service)
    with pytest.raises(errors.WebhookExists):
        listening(f"{receiver.url}0", service=service)
    webhooks.remove(endpoint=WebhookEndpoint.objects.first(), reason="moved", acting=SYSTEM)
    listening(receiver.url, service=service)


# --- telling


@pytest.mark.django_db(transaction=True)
def test_message__arrives_signed_once_word_for_word(receiver):
    endpoint, secret = listening(receiver.url)
    assert say(invoiceId="7", amountCloud="2.5") == 1

    assert (drain(), drain()) == (1, 0)

    [heard] = receiver.heard
    assert heard.path == "/hooks"
    assert heard.body == (
        b'{"type":"invoice.paid","timestamp":"2026-04-02T00:00:00.000000Z","data":{"invoiceId":"7","amountCloud":"2.5"}}'
    )
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["webhook-id"] == WebhookMessage.objects.get().public_id
    assert abs(int(heard.headers["webhook-timestamp"]) - time.time()) < 60
    assert heard.is_signed_with(secret)
    assert not heard.is_signed_with(secret[:-8] + "AAAAAAA=")
    delivery = only()
    assert (delivery.state, delivery.attempts, delivery.status, delivery.error) == ("delivered", 1, 200, "")
    assert WebhookAttempt.objects.get().status == 200


def test_publish__only_to_who_subscribed_and_once_an_event(receiver):
    listening(receiver.url, "invoice.paid")
    listening(receiver.url + "2", "invoice.*")
    listening(receiver.url + "3", "balance.updated")
    assert say("invoice.paid") == 2
    assert say("invoice.created") == 1
    assert say("rate_card.proposed") == 0
    assert WebhookMessage.objects.filter(type="rate_card.proposed").count() == 0
    told = {"event_id": some_event(), "occurred_at": timezone.now()}
    assert publish([Told("invoice.paid", "", {})], **told) == 2
    assert publish([Told("invoice.paid", "", {})], **told) == 0


def test_publish__nothing_for_disabled_removed_revoked_and_expired(receiver):
    off, gone = listening(receiver.url)[0], listening(receiver.url + "2")[0]
    webhooks.disable(endpoint=off, reason="holiday", acting=SYSTEM)
    webhooks.remove(endpoint=gone, reason="moved", acting=SYSTEM)
    revoked, _ = make_key("revoked")
    listening(receiver.url, service=revoked)
    service_keys.revoke(key=revoked, reason="lost", acting=SYSTEM)
    assert say() == 0
    assert WebhookMessage.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_revoked_key__hears_nothing_more_of_what_waits(receiver):
    service, _ = make_key()
    listening(receiver.url, service=service)
    say()
    service_keys.revoke(key=service, reason="lost", acting=SYSTEM)
    assert drain() == 0
    assert receiver.heard == []


@pytest.mark.django_db(transaction=True)
def test_failure__is_tried_again_under_the_same_id_until_it_is_taken(receiver):
    listening(receiver.url)
    receiver.answers = [500, 503]
    say()
    for _ in range(3):
        due_now()
        drain()
    assert len({heard.headers["webhook-id"] for heard in receiver.heard}) == 1
    assert len({heard.body for heard in receiver.heard}) == 1
    delivery = only()
    assert (delivery.state, delivery.attempts) == ("delivered", 3)
    tries = list(WebhookAttempt.objects.order_by("id").values_list("status", "error"))
    assert tries == [(500, "answered 500"), (503, "answered 503"), (200, "")]
    assert WebhookEndpoint.objects.get().failing_since is None


@pytest.mark.django_db(transaction=True)
def test_failure__waits_before_the_next_try(receiver):
    listening(receiver.url)
    receiver.answers = [500]
    say()
    drain()
    assert (drain(), len(receiver.heard)) == (0, 1)
    assert timedelta(seconds=2) < only().due_at - timezone.now() < timedelta(seconds=7)


@pytest.mark.django_db(transaction=True)
def test_failure__of_ten_tries_is_dead_and_a_person_sends_it_again(receiver):
    listening(receiver.url)
    receiver.answers = [500] * 10
    say()
    for _ in range(12):
        due_now()
        drain()
    assert len(receiver.heard) == 10
    delivery = only()
    assert (delivery.state, delivery.attempts) == ("dead", 10)
    with pytest.raises(ReasonRequired):
        webhook_deliveries.replay(delivery=delivery, reason=" ", acting=SYSTEM)

    webhook_deliveries.replay(delivery=delivery, reason="They mended it", acting=SYSTEM)
    due_now()
    drain()

    assert only().state == "delivered"
    assert receiver.heard[-1].headers["webhook-id"] == receiver.heard[0].headers["webhook-id"]


@pytest.mark.django_db(transaction=True)
def test_replay__of_what_was_delivered_is_the_same_message(receiver):
    listening(receiver.url)
    say()
    drain()
    webhook_deliveries.replay(delivery=only(), reason="They lost it", acting=SYSTEM)
    drain()
    first, second = receiver.heard
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    with pytest.raises(NotAllowed):
        webhook_deliveries.replay(delivery=only(), reason="x", acting=actor(make_member()))


def test_replay__of_what_still_waits_is_refused(receiver):
    listening(receiver.url)
    say()
    with pytest.raises(errors.WebhookNotReplayable):
        webhook_deliveries.replay(delivery=only(), reason="now", acting=SYSTEM)


@pytest.mark.django_db(transaction=True)
def test_redirect__is_not_followed(receiver):
    with Receiver() as elsewhere:
        listening(receiver.url)
        receiver.answers = [redirecting(elsewhere.url)]
        say()
        drain()
        assert elsewhere.heard == []
    assert (only().state, only().status, only().error) == ("pending", 307, "answered 307")


@pytest.mark.django_db(transaction=True)
def test_gone__switches_the_endpoint_off_with_an_alert_until_somebody_switches_it_on(receiver):
    endpoint, _ = listening(receiver.url)
    receiver.answers = [410]
    say()
    drain()
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.because) == ("disabled", "The receiver says that it is gone (410).")
    alert = Alert.objects.get(code="webhook_disabled")
    assert alert.state == "open"
    due_now()
    assert (drain(), say()) == (0, 0)

    webhooks.enable(endpoint=endpoint, reason="They are back", acting=SYSTEM)
    due_now()
    assert drain() == 1
    alert.refresh_from_db()
    assert alert.state == "resolved"


@pytest.mark.django_db(transaction=True)
def test_failing_for_days__is_given_up_only_after_the_setting_says_so(receiver):
    endpoint, _ = listening(receiver.url)
    say()
    for days, state in ((4.9, "active"), (5.1, "disabled")):
        receiver.answers = [500]
        WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(days=days))
        due_now()
        drain()
        endpoint.refresh_from_db()
        assert endpoint.state == state
    assert "Nothing got through for 5 days; last: answered 500" in Alert.objects.get(code="webhook_disabled").message


@pytest.mark.django_db(transaction=True)
def test_failing_address__is_left_in_peace_and_keeps_no_other_waiting(receiver):
    with Receiver() as broken:
        listening(broken.url)
        listening(receiver.url)
        broken.answers = [500] * 50
        for number in range(6):
            say(number=number)
        assert drain() == 6
        assert len(broken.heard) == 3
        assert len(receiver.heard) == 6


@pytest.mark.django_db(transaction=True)
def test_nobody_there__is_a_failure_without_a_status():
    with Receiver() as closed:
        url = closed.url
    listening(url)
    say()
    drain()
    delivery = only()
    assert (delivery.state, delivery.status) == ("pending", None)
    assert "127.0.0.1 cannot be reached: ConnectionRefusedError" in delivery.error


@pytest.mark.parametrize("answer", [slow(3), dripping(3)], ids=["slow", "dripping"])
def test_slow_receiver__is_cut_off_when_its_time_is_up(receiver, answer):
    receiver.answers = [answer]
    door = HttpReceiver(allow_loopback=True, total_seconds=0.4)
    started = time.monotonic()
    with pytest.raises(errors.ReceiverUnreachable):
        door.post(receiver.url, headers={}, body=b"{}")
    assert time.monotonic() - started < 2


def leading_to(monkeypatch, *addresses):
    """Every name of example.org leads to these."""
    real = socket.getaddrinfo

    def resolver(host, port, *rest, **named):
        if not str(host).endswith("example.org"):
            return real(host, port, *rest, **named)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)


def test_dripping_body__after_a_head_that_ends_the_connection_is_cut_off(receiver):
    receiver.answers = [dripping_body(5)]
    started = time.monotonic()
    assert HttpReceiver(allow_loopback=True, total_seconds=0.4).post(receiver.url, headers={}, body=b"{}") == 200
    assert time.monotonic() - started < 2


def test_dripping_handshake__is_cut_off_when_its_time_is_up():
    with dripping_tls(5) as port:
        started = time.monotonic()
        with pytest.raises(errors.ReceiverUnreachable) as caught:
            HttpReceiver(allow_loopback=True, total_seconds=0.4).post(
                f"https://127.0.0.1:{port}/", headers={}, body=b"{}"
            )
    assert time.monotonic() - started < 2
    assert caught.value.sentence == "127.0.0.1 cannot be reached: it takes too long."


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
def test_black_hole__before_a_right_address_is_passed_by(receiver, monkeypatch):
    monkeypatch.setattr(gateway, "CONNECT_SECONDS", 0.2)
    leading_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    port = receiver.server.server_port
    with black_hole("127.0.0.2", port):
        status = HttpReceiver(allow_loopback=True).post(f"http://hooks.example.org:{port}/", headers={}, body=b"{}")
    assert (status, len(receiver.heard)) == (200, 1)


def test_black_holes__however_many_take_no_longer_than_the_whole_may(monkeypatch):
    monkeypatch.setattr(gateway, "CONNECT_SECONDS", 0.3)
    leading_to(monkeypatch, *["127.0.0.1"] * 20)
    with black_hole("127.0.0.1") as port:
        started = time.monotonic()
        with pytest.raises(errors.ReceiverUnreachable) as caught:
            HttpReceiver(allow_loopback=True, total_seconds=0.7).post(
                f"http://hooks.example.org:{port}/", headers={}, body=b"{}"
            )
    assert time.monotonic() - started < 2
    assert caught.value.sentence == "hooks.example.org cannot be reached: it takes too long."


def test_addresses__are_tried_three_of_a_name_at_most(monkeypatch):
    tried = []

    def refused(address, *rest):
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refused)
    leading_to(monkeypatch, *(f"127.0.0.{number}" for number in range(1, 9)))
    with pytest.raises(errors.ReceiverUnreachable):
        HttpReceiver(allow_loopback=True).post("http://hooks.example.org/", headers={}, body=b"{}")
    assert tried == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


def test_addresses__beyond_those_are_judged_too(monkeypatch):
    leading_to(monkeypatch, "127.0.0.1", "127.0.0.2", "127.0.0.3", "10.0.0.1")
    with pytest.raises(errors.AddressNotAllowed):
        HttpReceiver(allow_loopback=True).post("http://hooks.example.org/", headers={}, body=b"{}")


def test_long_answer__is_not_read_to_its_end(receiver):
    receiver.answers = [endless(512 * 1024 * 1024)]
    started = time.monotonic()
    assert HttpReceiver(allow_loopback=True).post(receiver.url, headers={}, body=b"{}") == 200
    assert time.monotonic() - started < 5


def test_name_that_leads_home__is_refused_when_it_is_called(receiver, monkeypatch):
    """A name judged public when it was set up may lead anywhere later: it is judged at each call."""
    door = HttpReceiver(allow_loopback=False)
    with pytest.raises(errors.AddressNotAllowed) as caught:
        door.post(receiver.url.replace("127.0.0.1", "localhost"), headers={}, body=b"{}")
    assert caught.value.sentence == "localhost leads to an address that is not of the public internet."
    assert caught.value.details == {"host": "localhost"}
    assert receiver.heard == []


@pytest.mark.django_db(transaction=True)
def test_name_that_leads_home__is_not_told_where(receiver, monkeypatch):
    leading_to(monkeypatch, "10.20.30.40")
    listening("https://inside.example.org/hooks")
    say()
    drain(HttpReceiver(allow_loopback=False))
    assert (
        only().error == "AddressNotAllowed: inside.example.org leads to an address that is not of the public internet."
    )
    assert "10.20.30.40" not in WebhookAttempt.objects.get().error


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("host", "why"), [("inside", "AddressNotAllowed"), ("nowhere", "leads nowhere")])
def test_name__that_leads_home_and_one_that_leads_nowhere_are_the_same_to_a_service(monkeypatch, host, why):
    service, token = make_key()
    if host == "inside":
        leading_to(monkeypatch, "10.20.30.40")
    else:
        monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    endpoint, _ = listening(f"https://{host}.example.org/hooks", service=service)
    say()
    drain(HttpReceiver(allow_loopback=False))
    [told] = client(token).get("/api/webhooks/deliveries/").json()["results"]
    assert (told["error"], told["status"], told["state"]) == ("No answer came from the receiver.", None, "pending")
    assert why in only().error
    WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(days=9))
    due_now()
    drain(HttpReceiver(allow_loopback=False))
    told = client(token).get(f"/api/webhooks/endpoints/{endpoint.pk}").json()
    assert (told["state"], told["because"]) == ("disabled", "Nothing got through for 5 days.")
    assert why in Alert.objects.get(code="webhook_disabled").message


def nowhere(*_rest, **_named):
    raise socket.gaierror(socket.EAI_NONAME, "no name")


def test_resolver__that_does_not_answer_is_given_up_in_time(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_rest, **_named: over.wait(30) and [])
    started = time.monotonic()
    with pytest.raises(errors.ReceiverUnreachable) as caught:
        HttpReceiver(total_seconds=0.3).post("https://hooks.example.org/", headers={}, body=b"{}")
    over.set()
    assert time.monotonic() - started < 2
    assert caught.value.details["problem"] == "it takes too long"


def test_name__is_resolved_once_and_the_judged_address_is_called(receiver, monkeypatch):
    asked = []
    real = socket.getaddrinfo

    def resolver(host, port, *rest, **named):
        if host != "hooks.example.org":
            return real(host, port, *rest, **named)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    port = receiver.server.server_port
    status = HttpReceiver(allow_loopback=True).post(f"http://hooks.example.org:{port}/x", headers={}, body=b"{}")
    assert (status, asked) == (200, ["hooks.example.org"])
    assert receiver.heard[0].headers["host"] == f"hooks.example.org:{port}"


@pytest.mark.django_db(transaction=True)
def test_rotation__signs_with_both_for_a_day_and_then_with_the_new_alone(receiver):
    endpoint, old = listening(receiver.url)
    _, new = webhooks.rotate(endpoint=endpoint, acting=SYSTEM)
    assert new != old
    say()
    drain()
    assert receiver.heard[0].is_signed_with(old)
    assert receiver.heard[0].is_signed_with(new)
    WebhookEndpoint.objects.update(rotated_at=timezone.now() - timedelta(hours=25))
    say(number=2)
    drain()
    assert not receiver.heard[1].is_signed_with(old)
    assert receiver.heard[1].is_signed_with(new)


@pytest.mark.django_db(transaction=True)
def test_crash_after_the_receiver_took_it__sends_it_once_more_and_an_old_hand_writes_nothing(receiver):
    listening(receiver.url)
    say()
    first = webhook_deliveries.claim(acting=SYSTEM)
    assert webhook_deliveries.claim(acting=SYSTEM) is None
    WebhookDelivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    second = webhook_deliveries.claim(acting=SYSTEM)
    assert second.fence == first.fence + 1
    taken = webhook_deliveries.Answer(status=200, milliseconds=1)
    assert webhook_deliveries.settle(claim=first, answer=taken, acting=SYSTEM) is False
    assert WebhookAttempt.objects.count() == 0
    assert webhook_deliveries.settle(claim=second, answer=taken, acting=SYSTEM) is True


@pytest.mark.django_db(transaction=True)
def test_killer_of_workers__is_dead_after_its_attempts_and_counts_as_a_failure_of_its_endpoint(receiver):
    endpoint, _ = listening(receiver.url)
    say()
    for _ in range(MAX_ATTEMPTS):
        assert webhook_deliveries.claim(acting=SYSTEM) is not None
        WebhookDelivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))

    assert drain() == 0

    delivery = only()
    assert (delivery.state, delivery.attempts, delivery.lease_until) == ("dead", MAX_ATTEMPTS, None)
    assert delivery.error == "The last attempt never ended: its worker died of it."
    assert (receiver.heard, WebhookAttempt.objects.count()) == ([], 0)
    endpoint.refresh_from_db()
    assert endpoint.failures == 1
    assert endpoint.failing_since is not None
    say(number=2)
    assert drain() == 1


@pytest.mark.django_db(transaction=True)
def test_last_attempt__is_made_before_it_is_given_up(receiver):
    listening(receiver.url)
    say()
    for _ in range(MAX_ATTEMPTS - 1):
        webhook_deliveries.claim(acting=SYSTEM)
        WebhookDelivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert drain() == 1
    assert (only().state, only().attempts) == ("delivered", MAX_ATTEMPTS)


@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side__send_each_message_once(receiver):
    listening(receiver.url)
    for number in range(20):
        say(number=number)

    def work():
        try:
            drain()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(receiver.heard) == 20
    assert len({heard.headers["webhook-id"] for heard in receiver.heard}) == 20


def test_logs__carry_neither_secret_nor_body(receiver, caplog):
    endpoint, secret = listening(receiver.url.replace("/hooks", "/hooks?token=hidden"))
    receiver.answers = [500]
    say(private="42.5")
    with caplog.at_level("DEBUG"):
        drain()
    assert secret.removeprefix("whsec_") not in caplog.text
    assert "42.5" not in caplog.text
    assert "hidden" not in only().error


# --- what need not be said any more


def balance(sequence, *, member=1):
    """How a member's balance stands, told of a fresh event."""
    told = Told("balance.updated", f"member:{member}", {"memberId": str(member), "sequence": sequence}, sequence)
    return publish([told], event_id=some_event(), occurred_at=timezone.now())


def states():
    """Of every delivery, in order: what it is about, its sequence, its state."""
    return list(WebhookDelivery.objects.order_by("id").values_list("about", "sequence", "state"))


@pytest.mark.django_db(transaction=True)
def test_newer_balance__supersedes_the_older_ones_that_wait_for_the_same_endpoint(receiver):
    listening(receiver.url, "balance.updated", "invoice.*")
    balance(1)
    balance(1, member=2)
    say()
    balance(2)
    balance(3)
    assert states() == [
        ("balance.updated member:1", 1, "superseded"),
        ("balance.updated member:2", 1, "pending"),
        ("", None, "pending"),
        ("balance.updated member:1", 2, "superseded"),
        ("balance.updated member:1", 3, "pending"),
    ]
    first, *_, last = WebhookDelivery.objects.order_by("id")
    newer = WebhookDelivery.objects.get(sequence=2)
    assert [row.error for row in (first, newer)] == [f"Delivery {by.pk} says what holds since." for by in (newer, last)]
    assert drain() == 3
    assert [heard.said["data"].get("sequence") for heard in receiver.heard] == [3, 1, None]


def sent_next(answer=200):
    """The sequence of what goes out next, answered like this, and whom it is about; None when nothing is due."""
    claim = webhook_deliveries.claim(acting=SYSTEM)
    if claim is None:
        return None
    row = WebhookDelivery.objects.get(pk=claim.delivery_id)
    webhook_deliveries.settle(claim=claim, answer=webhook_deliveries.Answer(answer, 1), acting=SYSTEM)
    return row.about.removeprefix("balance.updated member:"), row.sequence


def test_newer_balance__takes_the_turn_of_the_older_so_that_all_are_told(receiver):
    """Four members move faster than the receiver takes: each is told, and told what holds."""
    listening(receiver.url, "balance.updated")
    told = []
    for sequence in range(1, 7):
        for member in (1, 2, 3, 4):
            balance(sequence, member=member)
        told.append(sent_next())
    assert told == [("1", 1), ("2", 2), ("3", 3), ("4", 4), ("1", 5), ("2", 6)]


def test_newer_balance__does_not_wait_as_long_as_an_older_one_that_failed(receiver):
    listening(receiver.url, "balance.updated")
    balance(1)
    assert sent_next(answer=500) == ("1", 1)
    balance(2)
    assert [state for *_, state in states()] == ["superseded", "pending"]
    assert sent_next() == ("1", 2)


def test_older_balance_under_way__that_fails_is_not_sent_after_the_newer_one(receiver):
    listening(receiver.url, "balance.updated", "invoice.*")
    balance(1)
    taken = webhook_deliveries.claim(acting=SYSTEM)
    balance(2)
    balance(1, member=2)
    webhook_deliveries.settle(claim=taken, answer=webhook_deliveries.Answer(500, 1), acting=SYSTEM)
    assert [state for *_, state in states()] == ["superseded", "pending", "pending"]
    older, newer, _ = WebhookDelivery.objects.order_by("id")
    assert (older.error, older.status, older.lease_until) == (f"Delivery {newer.pk} says what holds since.", 500, None)
    assert WebhookAttempt.objects.get().error == "answered 500"
    due_now()
    assert [sent_next(), sent_next(), sent_next()] == [("1", 2), ("2", 1), None]


def test_newest_balance_under_way__that_fails_is_tried_again(receiver):
    listening(receiver.url, "balance.updated")
    balance(2)
    taken = webhook_deliveries.claim(acting=SYSTEM)
    balance(1)
    webhook_deliveries.settle(claim=taken, answer=webhook_deliveries.Answer(500, 1), acting=SYSTEM)
    assert [(sequence, state) for _, sequence, state in states()] == [(2, "pending"), (1, "superseded")]


def test_older_balance_told_later__waits_for_nobody(receiver):
    listening(receiver.url, "balance.updated")
    balance(5)
    balance(4)
    assert [state for *_, state in states()] == ["pending", "superseded"]
    balance(5)
    assert [(sequence, state) for _, sequence, state in states()] == [
        (5, "superseded"),
        (4, "superseded"),
        (5, "pending"),
    ]


def test_newer_balance__leaves_alone_what_is_under_way_was_sent_or_waits_elsewhere(receiver):
    slow_one, _ = listening(receiver.url, "balance.updated")
    balance(1)
    taken = webhook_deliveries.claim(acting=SYSTEM)
    listening(receiver.url + "2", "balance.updated")
    balance(2)
    assert [state for *_, state in states()] == ["sending", "pending", "pending"]

    webhook_deliveries.settle(claim=taken, answer=webhook_deliveries.Answer(500, 1), acting=SYSTEM)
    webhooks.disable(endpoint=slow_one, reason="holiday", acting=SYSTEM)
    balance(3)
    assert sorted(
        (row.endpoint_id == slow_one.pk, row.sequence, row.state) for row in WebhookDelivery.objects.all()
    ) == [
        (False, 2, "superseded"),
        (False, 3, "pending"),
        (True, 1, "superseded"),
        (True, 2, "pending"),
    ]


@pytest.mark.django_db(transaction=True)
def test_newer_balance__does_not_wait_for_who_is_just_taking_the_older_one(receiver):
    listening(receiver.url, "balance.updated")
    balance(1)
    failures = []

    def tell():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '2s'")
            balance(2)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    with transaction.atomic():
        WebhookDelivery.objects.select_for_update(no_key=True).get()
        thread = threading.Thread(target=tell)
        thread.start()
        thread.join(30)
    assert failures == []
    assert [state for *_, state in states()] == ["pending", "pending"]


@pytest.mark.django_db(transaction=True)
def test_tellers_side_by_side__hold_each_other_up_nowhere_and_leave_the_newest(receiver):
    listening(receiver.url, "balance.updated")
    members, events = list(range(1, 31)), [some_event() for _ in range(40)]
    start, failures = threading.Barrier(4), []

    def tell(number):
        try:
            start.wait(30)
            for sequence in range(number, 40, 4):
                told = [
                    Told("balance.updated", f"member:{member}", {}, sequence)
                    for member in (members if number % 2 else reversed(members))
                ]
                publish(told, event_id=events[sequence], occurred_at=timezone.now())
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=tell, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    for member in members:
        balance(39, member=member)
    waiting = WebhookDelivery.objects.filter(state="pending").values_list("about", "sequence")
    assert sorted(waiting) == sorted((f"balance.updated member:{member}", 39) for member in members)
    assert WebhookDelivery.objects.filter(state="superseded").count() == 40 * 30


@pytest.mark.django_db(transaction=True)
def test_dead_receiver__has_one_balance_a_member_waiting_however_much_moves():
    with Receiver() as closed:
        url = closed.url
    listening(url, "balance.updated")
    sender, recipient = make_member(credits="10"), make_member()
    for _ in range(5):
        given = {"sender": sender, "recipient": recipient, "amount": cloud("1")}
        transfer(**given, idempotency_key=key(), acting=actor(sender))
        queue.drain("deliveries")
        due_now()
        queue.drain("webhooks")
    waiting = WebhookDelivery.objects.filter(state="pending").order_by("about")
    assert [(row.about, row.sequence) for row in waiting] == [
        (f"balance.updated member:{member.pk}", last) for member, last in ((sender, 6), (recipient, 5))
    ]


def test_replay__of_what_was_superseded_names_the_newer_one(receiver):
    service, token = make_key()
    listening(receiver.url, "balance.updated", service=service)
    balance(1)
    balance(2)
    old, new = WebhookDelivery.objects.order_by("id")
    path = f"/api/webhooks/deliveries/{old.pk}/replay"
    answer = client(token).post(path, {"reason": "lost"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_superseded")
    assert f"Delivery {new.pk} says what holds since." in answer.json()["detail"]
    assert [state for *_, state in states()] == ["superseded", "pending"]


# --- bounds


def say_many(count):
    """So many messages of one event."""
    told = [Told("invoice.paid", f"n:{number}", {}) for number in range(count)]
    return publish(told, event_id=some_event(), occurred_at=timezone.now())


def test_backlog__the_oldest_are_given_up_with_an_alert_and_can_be_sent_again(receiver):
    endpoint, _ = listening(receiver.url)
    idle, _ = listening(receiver.url + "2", "balance.updated")
    runtime_settings.change(key="webhooks.most_waiting", value=1_000, reason="small", acting=SYSTEM)
    say_many(1_003)

    upkeep.watch(timezone.now())

    oldest = list(WebhookDelivery.objects.order_by("id").values_list("pk", flat=True)[:3])
    dead = WebhookDelivery.objects.filter(state="dead")
    assert (sorted(dead.values_list("pk", flat=True)), reports.waiting()) == (oldest, {endpoint.pk: 1_000})
    assert dead[0].error == "More than 1,000 messages waited for this endpoint: given up unsent."
    alert = Alert.objects.get(code="webhook_backlog")
    assert (alert.cause, alert.state, alert.times) == (f"webhook:{endpoint.pk}", "open", 1)
    assert alert.message == (
        f"1,003 messages waited for webhook endpoint {endpoint.pk} of the key listener, more than 1,000: "
        "the oldest 3 were given up."
    )
    upkeep.watch(timezone.now())
    alert.refresh_from_db()
    assert (alert.state, alert.times, dead.count()) == ("open", 1, 3)

    runtime_settings.change(key="webhooks.most_waiting", value=2_002, reason="more", acting=SYSTEM)
    webhook_deliveries.replay(delivery=dead.last(), reason="They keep up now", acting=SYSTEM)
    upkeep.watch(timezone.now())
    alert.refresh_from_db()
    assert (alert.state, reports.waiting()) == ("resolved", {endpoint.pk: 1_001})


def test_backlog__ends_with_its_endpoint(receiver):
    endpoint, _ = listening(receiver.url)
    runtime_settings.change(key="webhooks.most_waiting", value=1_000, reason="small", acting=SYSTEM)
    say_many(1_001)
    upkeep.watch(timezone.now())
    webhooks.remove(endpoint=endpoint, reason="They moved", acting=SYSTEM)
    assert Alert.objects.get(code="webhook_backlog").state == "resolved"
    upkeep.watch(timezone.now())
    assert Alert.objects.get(code="webhook_backlog").state == "resolved"


def test_lost__what_can_reach_nobody_is_given_up_and_what_waits_for_a_switch_is_not(receiver):
    gone, off = (listening(receiver.url + name, service=make_key(name)[0])[0] for name in ("gone", "off"))
    revoked, _ = make_key("revoked")
    silent, _ = listening(receiver.url + "revoked", service=revoked)
    say()
    webhooks.remove(endpoint=gone, reason="moved", acting=SYSTEM)
    webhooks.disable(endpoint=off, reason="holiday", acting=SYSTEM)
    service_keys.revoke(key=revoked, reason="lost", acting=SYSTEM)

    upkeep.trim(timezone.now())

    ended = dict(WebhookDelivery.objects.values_list("endpoint_id", "state"))
    assert ended == {gone.pk: "dead", off.pk: "pending", silent.pk: "dead"}
    assert "it can reach nobody" in WebhookDelivery.objects.get(endpoint=gone).error


def aged(endpoint, state, *, days, message=None):
    """A delivery made and finished so many days ago, with one sending."""
    moment = timezone.now() - timedelta(days=days)
    message = message or WebhookMessage.objects.create(
        event_id=some_event(), type="invoice.paid", body="{}", created_at=moment
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifications_webhookdelivery (endpoint_id, message_id, created_at, due_at)"
            " VALUES (%s, %s, %s, %s) RETURNING id",
            [endpoint.pk, message.pk, moment, moment],
        )
        [number] = cursor.fetchone()
    rows = WebhookDelivery.objects.filter(pk=number)
    if state in ("delivered", "sending"):
        rows.update(state="sending", lease_until=timezone.now() + timedelta(minutes=1))
    if state == "delivered":
        rows.update(state="delivered", lease_until=None, delivered_at=moment)
    if state in ("dead", "superseded"):
        rows.update(state=state)
    delivery = rows.select_related("message").get()
    WebhookAttempt.objects.create(delivery=delivery, milliseconds=1, status=200)
    return delivery


@pytest.mark.parametrize("at_once", [1, 2_000])
def test_trim__throws_away_what_was_finished_long_ago_and_nothing_else(receiver, monkeypatch, at_once):
    monkeypatch.setattr(webhook_upkeep, "TRIMMED_AT_ONCE", at_once)
    endpoint, other = listening(receiver.url)[0], listening(receiver.url + "2")[0]
    thrown = [aged(endpoint, state, days=91) for state in ("delivered", "dead", "superseded")]
    kept = [aged(endpoint, state, days=91) for state in ("pending", "sending")]
    shared = aged(endpoint, "delivered", days=91)
    kept.append(aged(other, "pending", days=91, message=shared.message))
    again = aged(endpoint, "dead", days=91)
    WebhookDelivery.objects.filter(pk=again.pk).update(due_at=timezone.now() - timedelta(days=89))
    kept += [again, aged(endpoint, "delivered", days=89)]

    upkeep.trim(timezone.now())

    left = WebhookDelivery.objects.order_by("id")
    assert list(left) == kept
    assert not WebhookMessage.objects.filter(pk__in=[one.message_id for one in thrown]).exists()
    assert set(WebhookMessage.objects.values_list("pk", flat=True)) == {one.message_id for one in kept}
    assert sorted(WebhookAttempt.objects.values_list("delivery_id", flat=True)) == [one.pk for one in kept]
    assert Event.objects.filter(pk=thrown[0].message.event_id).exists()


def test_trim__of_the_setting_is_never_younger_than_the_database_allows(receiver):
    endpoint, _ = listening(receiver.url)
    runtime_settings.change(key="webhooks.keep_days", value=30, reason="short", acting=SYSTEM)
    young = aged(endpoint, "delivered", days=29.9)
    aged(endpoint, "delivered", days=31)
    upkeep.trim(timezone.now())
    assert only() == young


@pytest.mark.parametrize(
    ("state", "days", "sql"),
    [
        ("pending", 91, "DELETE FROM notifications_webhookdelivery"),
        ("sending", 91, "DELETE FROM notifications_webhookdelivery"),
        ("delivered", 29, "DELETE FROM notifications_webhookdelivery"),
        ("delivered", 91, "DELETE FROM notifications_webhookattempt"),
        ("delivered", 91, "DELETE FROM notifications_webhookmessage; SET CONSTRAINTS ALL IMMEDIATE"),
        ("delivered", 91, "UPDATE notifications_webhookdelivery SET state = 'superseded'"),
        ("superseded", 91, "UPDATE notifications_webhookdelivery SET state = 'pending'"),
        ("pending", 91, "UPDATE notifications_webhookdelivery SET sequence = 9"),
        ("delivered", 91, "TRUNCATE notifications_webhookdelivery CASCADE"),
    ],
)
def test_database__gives_away_only_what_is_finished_and_old(receiver, state, days, sql):
    aged(listening(receiver.url)[0], state, days=days)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert (only().state, WebhookAttempt.objects.count(), WebhookMessage.objects.count()) == (state, 1, 1)


def test_jobs__of_webhooks_are_known_to_the_clock():
    assert {job.name for job in JOBS} <= {job.name for job in definitions()}
    assert all(callable(import_string(job.run)) for job in JOBS)


# --- what the floors tell


@pytest.mark.django_db(transaction=True)
def test_balance_updated__for_both_sides_with_the_balances_sequence(receiver):
    _, secret = listening(receiver.url, "balance.updated")
    sender, recipient = make_member(credits="10"), make_member()
    queue.drain("deliveries")
    drain()
    receiver.heard.clear()
    transfer(sender=sender, recipient=recipient, amount=cloud("2.5"), idempotency_key=key(), acting=actor(sender))
    queue.drain("deliveries")
    queue.drain("webhooks")
    told = {heard.said["data"]["memberId"]: heard.said["data"] for heard in receiver.heard}
    assert receiver.types() == ["balance.updated"] * 2
    assert told.keys() == {str(sender.pk), str(recipient.pk)}
    assert {name: told[str(sender.pk)][name] for name in ("liquid", "staked", "sequence")} == {
        "liquid": "7.5",
        "staked": "0",
        "sequence": 2,
    }
    assert told[str(recipient.pk)]["sequence"] == 1
    assert told[str(sender.pk)]["because"]["event"] == "cloud.transferred"
    assert all(heard.is_signed_with(secret) for heard in receiver.heard)


# --- the database


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE notifications_webhookendpoint SET url = 'https://elsewhere.example'",
        "UPDATE notifications_webhookendpoint SET types = '{balance.updated}'",
        "UPDATE notifications_webhookdelivery SET state = 'delivered', delivered_at = now()",
        "UPDATE notifications_webhookmessage SET body = '{}'",
        "DELETE FROM notifications_webhookmessage",
        "DELETE FROM notifications_webhookdelivery",
        "DELETE FROM notifications_webhookendpoint",
        "INSERT INTO notifications_webhookdelivery (endpoint_id, message_id, state, delivered_at)"
        " SELECT endpoint_id, message_id + 1, 'delivered', now() FROM notifications_webhookdelivery",
    ],
)
def test_database__refuses_what_was_never_sent(receiver, sql):
    listening(receiver.url)
    say()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert only().state == "pending"


def test_database__knows_the_same_edges():
    with connection.cursor() as cursor:
        for trigger, edges in (("webhook_endpoint_state", ENDPOINT_EDGES), ("webhook_delivery_state", DELIVERY_EDGES)):
            cursor.execute("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s", [trigger])
            [text] = cursor.fetchone()
            drawn = {f"{source.value}>{target.value}" for source, targets in edges.items() for target in targets}
            known = set(next(part for part in text.split("'") if ">" in part).split(","))
            # An update that keeps the state is no move.
            assert known == {edge for edge in drawn if len(set(edge.split(">"))) == 2}


# --- API


def client(secret):
    made = APIClient()
    made.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return made


@pytest.mark.django_db(transaction=True)
def test_api__a_service_sets_up_hears_and_replays(receiver):
    service, token = make_key()
    web = client(token)
    made = web.post("/api/webhooks/endpoints/", {"url": receiver.url, "types": ["invoice.*"]}, format="json")
    assert made.status_code == 201, made.content
    assert made["Cache-Control"] == "no-store"
    secret, number = made.json()["secret"], made.json()["id"]
    [listed] = web.get("/api/webhooks/endpoints/").json()["results"]
    assert "secret" not in listed
    assert listed == {name: value for name, value in made.json().items() if name != "secret"}
    again = web.post("/api/webhooks/endpoints/", {"url": receiver.url, "types": ["invoice.*"]}, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "webhook_exists")
    say(invoiceId="7")
    drain()
    assert receiver.heard[0].is_signed_with(secret)
    [sent] = web.get("/api/webhooks/deliveries/", {"endpoint": number, "state": "delivered"}).json()["results"]
    assert (sent["type"], sent["status"], sent["messageId"]) == (
        "invoice.paid",
        200,
        receiver.heard[0].headers["webhook-id"],
    )
    replayed = web.post(f"/api/webhooks/deliveries/{sent['id']}/replay", {"reason": "lost"}, format="json")
    assert (replayed.status_code, replayed.json()["state"]) == (202, "pending")
    drain()
    assert len(receiver.heard) == 2
    rotated = web.post(f"/api/webhooks/endpoints/{number}/secret")
    assert rotated.json()["secret"] != secret
    again = web.post(f"/api/webhooks/endpoints/{number}/secret")
    assert (again.status_code, again.json()["code"]) == (409, "webhook_just_rotated")
    assert WebhookEndpoint.objects.get().secret_version == 2
    WebhookEndpoint.objects.update(rotated_at=timezone.now() - timedelta(hours=24))
    assert web.post(f"/api/webhooks/endpoints/{number}/secret").status_code == 200
    webhooks.rotate(endpoint=WebhookEndpoint.objects.get(), acting=actor(make_member(), webhooks.MANAGE))
    assert WebhookEndpoint.objects.get().secret_version == 4
    assert web.delete(f"/api/webhooks/endpoints/{number}").status_code == 204
    assert web.get("/api/webhooks/endpoints/").json()["results"] == []


def test_api__another_keys_is_not_found_and_other_scopes_are_refused(receiver):
    endpoint, _ = listening(receiver.url)
    say()
    stranger = client(make_key("stranger")[1])
    for method, path in (
        ("get", f"/api/webhooks/endpoints/{endpoint.pk}"),
        ("delete", f"/api/webhooks/endpoints/{endpoint.pk}"),
        ("post", f"/api/webhooks/endpoints/{endpoint.pk}/secret"),
        ("post", f"/api/webhooks/endpoints/{endpoint.pk}/enable"),
        ("post", f"/api/webhooks/deliveries/{only().pk}/replay"),
    ):
        assert getattr(stranger, method)(path, {"reason": "x"}, format="json").status_code == 404
    assert stranger.get("/api/webhooks/deliveries/").json()["results"] == []
    meter = client(make_key("meter", ["metering:write"])[1])
    assert meter.get("/api/webhooks/endpoints/").status_code == 403
    assert WebhookEndpoint.objects.get().state == "active"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "http://example.org/", "types": ["invoice.*"]}, "webhook_url_refused"),
        ({"url": "https://192.168.0.1/", "types": ["invoice.*"]}, "webhook_url_refused"),
        ({"url": "https://example.org/", "types": ["nothing"]}, "webhook_types_unknown"),
        ({"types": ["invoice.*"]}, "invalid_input"),
    ],
)
def test_api__names_what_is_wrong(body, code):
    answer = client(make_key()[1]).post("/api/webhooks/endpoints/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert WebhookEndpoint.objects.count() == 0


def test_types__are_those_the_floors_registered():
    assert {"balance.updated", "invoice.*", "rate_card.*", "rate_card.in_force"} <= set(policies.subscribable())
