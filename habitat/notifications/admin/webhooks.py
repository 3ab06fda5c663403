"""Webhooks in the back office: where services hear from us, each message on its way with its attempts, and replay."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from habitat.controls.models import ServiceKey
from habitat.controls.policies.scopes import Scope
from habitat.faces.admin import Done, HouseAdmin, Verb, VerbForm
from habitat.faces.templatetags.faces import when
from habitat.members.policies.actors import Actor
from habitat.notifications.actions import webhook_deliveries, webhooks
from habitat.notifications.models import WebhookDelivery, WebhookEndpoint
from habitat.notifications.policies.webhooks import REPLAYABLE, EndpointState, subscribable

ATTEMPTS_SHOWN = 30


class EndpointForm(VerbForm):
    service = forms.ModelChoiceField(label="Key of the service", queryset=ServiceKey.objects.none())
    url = forms.CharField(label="Address", max_length=500, help_text="https://, of the public internet.")
    types = forms.MultipleChoiceField(label="What it hears", widget=forms.CheckboxSelectMultiple)
    description = forms.CharField(label="What it is for", max_length=200, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["types"].choices = [(name, name) for name in subscribable()]
        self.fields["service"].queryset = ServiceKey.objects.filter(
            scopes__contains=[Scope.WEBHOOKS.value], revoked_at=None, expires_at__gt=timezone.now()
        )


def _create(*, acting: Actor, key: str, service: ServiceKey, url: str, types: list[str], description: str) -> Done:
    made, secret = webhooks.create(key=service, url=url, types=types, description=description, acting=acting)
    return Done(message=f"Messages to {made.url} are signed with this secret.", secret=secret)


def _rotate(endpoint: WebhookEndpoint, *, acting: Actor, key: str) -> Done:
    _, secret = webhooks.rotate(endpoint=endpoint, acting=acting)
    return Done(message="For 24 hours messages are signed with the former secret too.", secret=secret)


def _disable(endpoint: WebhookEndpoint, *, acting: Actor, key: str, reason: str) -> None:
    webhooks.disable(endpoint=endpoint, reason=reason, acting=acting)


def _enable(endpoint: WebhookEndpoint, *, acting: Actor, key: str, reason: str) -> None:
    webhooks.enable(endpoint=endpoint, reason=reason, acting=acting)


def _remove(endpoint: WebhookEndpoint, *, acting: Actor, key: str, reason: str) -> None:
    webhooks.remove(endpoint=endpoint, reason=reason, acting=acting)


def _replay(delivery: WebhookDelivery, *, acting: Actor, key: str, reason: str) -> None:
    webhook_deliveries.replay(delivery=delivery, reason=reason, acting=acting)


def _is_active(endpoint: Any) -> bool:
    return bool(endpoint.state == EndpointState.ACTIVE.value)


def _is_disabled(endpoint: Any) -> bool:
    return bool(endpoint.state == EndpointState.DISABLED.value)


def _stands(endpoint: Any) -> bool:
    return bool(endpoint.state != EndpointState.REMOVED.value)


def _is_done(delivery: Any) -> bool:
    return delivery.state in REPLAYABLE


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(HouseAdmin):
    list_display = ("id", "key", "url", "state", "failures", "failing_since", "attempted_at")
    list_filter = ("state",)
    search_fields = ("url", "key__name")
    list_select_related = ("key",)
    ordering = ("-id",)
    # Neither the salt nor anything else that leads to the secret.
    fields = (
        "id",
        "key",
        "url",
        "types",
        "description",
        "state",
        "because",
        "failures",
        "failing_since",
        "quiet_until",
        "attempted_at",
        "rotated_at",
        "created_at",
        "created_by",
    )
    readonly_fields = fields
    list_verbs = (
        Verb(
            "create", "Set up an endpoint", webhooks.MANAGE, _create, form=EndpointForm, done="The endpoint is set up."
        ),
    )
    verbs = (
        Verb("rotate", "New secret", webhooks.MANAGE, _rotate, form=VerbForm, available=_stands),
        Verb("disable", "Switch off", webhooks.MANAGE, _disable, available=_is_active),
        Verb("enable", "Switch on", webhooks.MANAGE, _enable, available=_is_disabled),
        Verb("remove", "Remove", webhooks.MANAGE, _remove, available=_stands, danger=True, warning="For good."),
    )


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(HouseAdmin):
    list_display = ("id", "endpoint", "kind", "state", "attempts", "status", "due_at", "delivered_at", "error")
    list_filter = ("state", ("created_at", admin.DateFieldListFilter))
    search_fields = ("=id", "=message__id", "endpoint__url")
    list_select_related = ("endpoint", "message")
    ordering = ("-id",)
    fields = (
        "id",
        "endpoint",
        "message",
        "body",
        "about",
        "sequence",
        "state",
        "attempts",
        "status",
        "error",
        "due_at",
        "created_at",
        "delivered_at",
        "sendings",
    )
    readonly_fields = fields
    verbs = (
        Verb(
            "replay",
            "Send again",
            webhooks.MANAGE,
            _replay,
            available=_is_done,
            done="It is queued again, under its own id.",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).select_related("endpoint", "message")

    @admin.display(description="Type")
    def kind(self, delivery: WebhookDelivery) -> str:
        return delivery.message.type

    @admin.display(description="What is said")
    def body(self, delivery: WebhookDelivery) -> SafeString:
        return format_html('<code class="breaks">{}</code>', delivery.message.body)

    @admin.display(description="Every sending, the newest first")
    def sendings(self, delivery: WebhookDelivery) -> SafeString | str:
        tries = delivery.tries.order_by("-id")[:ATTEMPTS_SHOWN]
        rows = [(when(each.at), each.status or "", each.error or "taken", each.milliseconds) for each in tries]
        if not rows:
            return "Not sent yet."
        return format_html("<ol>{}</ol>", format_html_join("", "<li>{} · {} {} · {} ms</li>", rows))
