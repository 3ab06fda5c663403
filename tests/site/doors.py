"""Every address of the house as the URL configuration knows it, and people of each kind who knock there."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from cloud_credits.actions import clawbacks, metering_queue, recurring, refunds
from cloud_credits.actions.mints import request_manual_mint
from cloud_credits.actions.staking import stake
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import EventTooLate
from cloud_credits.models import MeteringSubmission, StakingPosition
from cloud_credits.policies.metering_batch import BatchForm
from cloud_credits.policies.notices import RECEIVED
from cloud_credits.policies.purchases import PurchaseKind
from cloud_credits.policies.settings import CHARGE_PAGES
from habitat.controls.actions import alerts, service_keys
from habitat.controls.actions import settings as runtime_settings
from habitat.controls.models import ServiceKey
from habitat.events.models import Event
from habitat.faces.admin import HouseAdmin
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.money import cloud
from habitat.notifications.actions import webhook_deliveries, webhooks
from habitat.notifications.actions.notify import notify
from habitat.notifications.models import Notification, WebhookDelivery, WebhookEndpoint
from habitat.workflows.actions import sagas
from habitat.workflows.actions.jobs import insert_due
from tests.cloud_credits.bought import bought, buyer, check_backing, monthly_purchase, refunded_at_stripe, wish
from tests.cloud_credits.invoiced import sent as sent_invoice
from tests.cloud_credits.metered import body, make_key, meter
from tests.factories import actor, key, make_member
from tests.members.people import acting_as
from tests.site.cooperative import make_cooperative
from tests.treasury.banking import make_bank
from tests.treasury.money_in import received
from tests.workflows.toy import CAKE, known
from treasury.actions import reconciliation, stripe_events
from treasury.policies.reconciliation import AccountSide, BankInputs, RunKind

INVOICE_DOORS = (
    "cloud/invoices/<int:number>/",
    "cloud/invoices/<int:number>/invoice.pdf",
    "cloud/invoices/<int:number>/pay/",
    "cloud/invoices/<int:number>/pay/confirm/",
    "api/invoices/<int:pk>",
    "api/invoices/<int:pk>/pay",
)
PURCHASE_DOORS = ("cloud/purchases/<int:number>/", "api/purchases/<int:pk>")
RATE_CARD_DOORS = tuple(
    f"rate-cards/<int:version>/{part}" for part in ("", "comment/", "vote/", "my-usage/", "card.json", "card.md")
)
RECURRING_DOORS = tuple(f"cloud/recurring/<int:number>/{change}/" for change in ("pause", "resume", "cancel"))
RECEIPT_DOORS = ("cloud/usage/<int:number>/receipt/", "api/usage/<int:pk>/receipt")
ENDPOINT_DOORS = tuple(f"api/webhooks/endpoints/<int:pk>{end}" for end in ("", "/secret", "/enable"))
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
WHO = ("nobody", "owner", "other", "steward", "operations", "admin", "key", "bare key")


# --- addresses


@dataclass(frozen=True)
class Door:
    """One route: as the configuration writes it, and with the model's name taken out where the admin made it."""

    route: str
    kind: str
    model: str = ""


def doors() -> list[Door]:
    return [Door(route, *_kind_of(route)) for route in _walk(get_resolver().url_patterns, "")]


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
    for entry in patterns:
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, before + str(entry.pattern))
        else:
            yield before + str(entry.pattern)


def _kind_of(route: str) -> tuple[str, str]:
    """`admin/members/member/add/` is the kind `admin/{model}/add/` of `members.member`."""
    found = re.match(r"admin/(\w+)/(\w+)/", route)
    if found and f"{found[1]}.{found[2]}" in registered():
        return route.replace(f"{found[1]}/{found[2]}", "{model}", 1), f"{found[1]}.{found[2]}"
    return re.sub(r"<app_label>[a-z_|]+", "<app_label>…", route), ""


@cache
def registered() -> dict[str, Any]:
    return {model._meta.label_lower: page for model, page in admin.site._registry.items()}


def verbs() -> dict[tuple[str, str, str], Any]:
    """(model, "verb" or "list_verb", name) → Verb, of everything registered."""
    found = {}
    for label, page in registered().items():
        if isinstance(page, HouseAdmin):
            found |= {(label, "verb", verb.name): verb for verb in page.verbs}
            found |= {(label, "list_verb", verb.name): verb for verb in page.list_verbs}
    return found


# --- people


@dataclass
class House:
    """A cooperative with something behind every door, and a client for each kind of person."""

    clients: dict[str, Client] = field(default_factory=dict)
    people: dict[str, Member] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)

    def knock(self, who: str, method: str, path: str, *, csrf: bool = False) -> HttpResponse:
        """One request whose effects are taken back: nothing in the body but what the API needs to be JSON."""
        client = self.clients[who]
        client.handler.enforce_csrf_checks = csrf
        headers = {"Idempotency-Key": "matrix"}
        if who in self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        body: dict[str, Any] = {"headers": headers}
        if path.startswith("/api/") and method == "POST":
            body |= {"data": "{}", "content_type": "application/json"}
        cookies = {name: cookie.value for name, cookie in client.cookies.items()}
        with transaction.atomic():
            answer = client.get(path, headers=headers) if method == "GET" else client.post(path, **body)
            transaction.set_rollback(True)
        # Signing out is taken back too: the session's row is there again, and so is the cookie.
        client.cookies.clear()
        client.cookies.load(cookies)
        return answer


def furnish() -> House:
    """Owner has a transaction, a stake and a notice; each admin page has a row where a verb makes one."""
    make_cooperative()
    house = House()
    for who in WHO[:6]:
        house.clients[who] = Client(raise_request_exception=False)
        if who == "nobody":
            continue
        member = make_member(who.title(), email=f"{who}@example.org", credits="50", is_investor=who == "owner")
        if who in set(Role):
            members.grant_role(member=member, role=Role(who), reason="elected", acting=SYSTEM)
        house.people[who] = Member.objects.get(pk=member.pk)
        house.clients[who].force_login(house.people[who].user, backend=BACKEND)
    for who, scopes in (("key", ["metering:write"]), ("bare key", ["webhooks"])):
        house.clients[who] = Client(raise_request_exception=False)
        house.tokens[who] = service_keys.create(name=who, scopes=scopes, acting=SYSTEM)[1]
    _belongings(house)
    return house


def _belongings(house: House) -> None:
    """What the addresses name: each thing is the owner's, and nobody else among the people has a part in it."""
    owner, acting = house.people["owner"], acting_as(house.people["owner"])
    friend = make_member("Friend")
    sent = transfer(sender=owner, recipient=friend, amount=cloud("1"), idempotency_key=key(), acting=acting)
    stake(member=owner, amount=cloud("5"), days=90, idempotency_key=key(), acting=acting)
    event_id = Event.objects.latest("pk").pk
    tell = {"subject": "Sent", "text": "1 CLOUD", "link": "/cloud/", "acting": SYSTEM}
    notify(member_id=owner.pk, type=RECEIVED, event_id=event_id, **tell)
    _back_office_rows(friend)
    queued = _queued(friend)
    invoice = sent_invoice(owner)
    monthly = monthly_purchase(owner)
    used = meter(owner, make_key("builds"))
    endpoint, delivery = _webhooks()
    stake_id = StakingPosition.objects.get(member=owner).pk
    house.arguments = {
        "api/transactions/<int:pk>/": {"pk": sent.transaction.pk},
        "api/stakes/<int:pk>/unstake": {"pk": stake_id},
        **dict.fromkeys(INVOICE_DOORS, {"number": invoice.pk, "pk": invoice.pk}),
        **dict.fromkeys(PURCHASE_DOORS, {"number": monthly.pk, "pk": monthly.pk}),
        **dict.fromkeys(RECURRING_DOORS, {"number": monthly.recurring_id}),
        "api/cloud/metering/<int:pk>": {"pk": queued.pk},
        **dict.fromkeys(ENDPOINT_DOORS, {"pk": endpoint.pk}),
        "api/webhooks/deliveries/<int:pk>/replay": {"pk": delivery.pk},
        **dict.fromkeys(RECEIPT_DOORS, {"number": used.meter_id, "pk": used.meter_id}),
        "terms/<int:version>/": {"version": 1},
        "cloud/transactions/<int:number>/": {"number": sent.transaction.pk},
        "notifications/<int:notification_id>/read/": {"notification_id": Notification.objects.get(member=owner).pk},
        **dict.fromkeys(RATE_CARD_DOORS, {"version": 1}),
        "api/rate-cards/<int:version>/": {"version": 1},
        "api/rate-cards/<int:version>": {"version": 1},
        "accounts/2fa/webauthn/keys/<int:pk>/remove/": {"pk": 1},
        "accounts/2fa/webauthn/keys/<int:pk>/edit/": {"pk": 1},
        "admin/people/<int:member_id>/": {"member_id": owner.pk},
        "admin/reports/<slug:report>/": {"report": "trial-balance"},
    }


def _queued(friend: Member) -> MeteringSubmission:
    """Usage that the service with the scope left for later."""
    service = ServiceKey.objects.get(name="key")
    text = json.dumps([body(friend, quantity="-1")]).encode()
    return metering_queue.submit(body=text, form=BatchForm.JSON, key_id=service.pk)


def _back_office_rows(friend: Member) -> None:
    operations = Member.objects.get(display_name="Operations")
    asks = {"member": friend, "amount": cloud("1"), "reason": "asked", "idempotency_key": key()}
    request_manual_mint(**asks, acting=acting_as(operations))
    with suppress(EventTooLate):
        meter(friend, make_key(), timestamp="2026-04-02T00:00:00Z")
    alerts.raise_alert(code="backing_low", cause="matrix", message="low")
    runtime_settings.change(key=CHARGE_PAGES, value=True, reason="shown", acting=SYSTEM)
    insert_due(now=timezone.now(), acting=SYSTEM)
    received(member=friend)
    stripe_events.store(event_id="evt_matrix", type="unicorn.found", payload={}, acting=SYSTEM)
    make_bank()
    _purchases()
    with known(CAKE):
        sagas.start(saga=CAKE.name, key="matrix", input={"cake": "plum"}, acting=SYSTEM)
    _an_exception()


def _purchases() -> None:
    """One purchase refunded here, one whose credits were spent before Stripe sent the money back, one that repeats."""
    check_backing()
    pia = buyer(name="Pia")
    kept, gone = bought(pia, "3"), bought(pia, "2")
    spent = {"recipient": buyer(name="Rob"), "amount": cloud("4"), "acting": actor(pia)}
    refunds.request(payment=kept, amount=cloud("1"), reason="asked for", idempotency_key=key(), acting=SYSTEM)
    transfer(sender=pia, idempotency_key=key(), **spent)
    refunded_at_stripe(gone, "20")
    clawbacks.claw_back(payment_id=gone.pk, acting=SYSTEM)
    repeated = wish(buyer(name="Ned"), "1", kind=PurchaseKind.RECURRING)
    recurring.activate(recurring_id=repeated.recurring_id, subscription_id="sub_matrix", acting=SYSTEM)


def _webhooks() -> tuple[WebhookEndpoint, WebhookDelivery]:
    """An endpoint of the key that may listen and nothing else, and a message on its way there."""
    listener = ServiceKey.objects.get(name="bare key")
    given = {"url": "https://example.org/hooks", "types": ["invoice.*"], "acting": SYSTEM}
    endpoint, _ = webhooks.create(key=listener, **given)
    told = webhook_deliveries.Told("invoice.paid", "", {})
    webhook_deliveries.publish([told], event_id=Event.objects.latest("pk").pk, occurred_at=timezone.now())
    return endpoint, WebhookDelivery.objects.get(endpoint=endpoint)


def _an_exception() -> None:
    """1110 stands for money, and no balance of it was ever read."""
    side = AccountSide("1110", "Checking", Decimal(5), None, Decimal(0), None)
    now = timezone.now()
    inputs = BankInputs(
        as_of=now, days=3, payout_days=3, accounts=(side,), unbooked=(), changed=(), duplicates=(), aside=(), payouts=()
    )
    reconciliation.keep(kind=RunKind.BANK, as_of=now, inputs=inputs, acting=SYSTEM)


# --- from an address to a path

SPELLED = {
    # What a pattern with a regular expression in it looks like when somebody asks for it.
    "admin/reports/^(?P<report>[a-z-]+)/(?P<file_format>csv|xlsx|pdf)/$": "/admin/reports/trial-balance/csv/",
    "admin/reports/^usage-margin/(?P<file_format>csv|xlsx|pdf)/$": "/admin/reports/usage-margin/csv/",
    "admin/^(?P<app_label>…)/$": "/admin/treasury/",
    "admin/(?P<url>.*)$": "/admin/no/such/room/",
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": "/accounts/confirm-email/no-such-key/",
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "/accounts/password/reset/key/1-x/",
    "admin/r/<path:content_type_id>/<path:object_id>/": "/admin/r/1/1/",
}
NO_ROW = 999_999_999


def object_id(model: str) -> int | str:
    """The first row of a model; an id that no row has where the cooperative needs none."""
    row = apps.get_model(model)._base_manager.order_by("pk").first()
    return row.pk if row is not None else NO_ROW


def path_of(door: Door, house: House, verb: str = "") -> str:
    """A path that the route answers, with the owner's things in it."""
    if door.kind in SPELLED:
        return SPELLED[door.kind]
    path = "/" + door.route
    given = house.arguments.get(door.route, {}) | {"verb_name": verb, "file_format": "csv"}
    if door.model:
        given["object_id"] = object_id(door.model)
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(given[found[1]]), path)
