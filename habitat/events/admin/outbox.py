"""The outbox in the back office: facts and deliveries to read, dead ones to replay with a reason."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from habitat.events.actions import deliveries
from habitat.events.models import Delivery, Event, EventCount
from habitat.events.policies.registry import Subscriber, event_types
from habitat.events.policies.states import DeliveryState
from habitat.faces.admin import Done, HouseAdmin, ReasonForm, Verb
from habitat.members.policies.actors import Actor


class SubscriberForm(ReasonForm):
    subscriber = forms.ChoiceField(choices=[(subscriber.value, subscriber.value) for subscriber in Subscriber])


def replay(delivery: Delivery, *, acting: Actor, key: str, reason: str) -> None:
    deliveries.replay(delivery=delivery, reason=reason, acting=acting)


def replay_all(*, acting: Actor, key: str, subscriber: str, reason: str) -> Done:
    count = deliveries.replay_all(subscriber=subscriber, reason=reason, acting=acting)
    return Done(message=f"{count} deliveries go out again.")


def is_dead(delivery: Any) -> bool:
    return bool(delivery.state == DeliveryState.DEAD.value)


class NameFilter(admin.SimpleListFilter):
    """By name, from the registry: asking millions of rows for their distinct names would take seconds."""

    title = "name"
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(event_types())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(name=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(HouseAdmin):
    list_display = ("id", "name", "actor", "occurred_at", "subscribers")
    list_filter = (NameFilter,)
    search_fields = ("=id",)
    ordering = ("-id",)


@admin.register(Delivery)
class DeliveryAdmin(HouseAdmin):
    list_display = ("id", "event", "subscriber", "state", "attempts", "due_at", "error")
    list_filter = ("state", "subscriber")
    list_select_related = ("event",)
    search_fields = ("=id", "=event__id")
    ordering = ("-id",)
    verbs = (
        Verb(
            name="replay",
            label="Replay",
            permission=deliveries.REPLAY,
            run=replay,
            available=is_dead,
            done="The delivery goes out again.",
        ),
    )
    list_verbs = (
        Verb(
            name="replay-all",
            label="Replay all dead of a subscriber",
            permission=deliveries.REPLAY,
            run=replay_all,
            form=SubscriberForm,
        ),
    )


@admin.register(EventCount)
class EventCountAdmin(HouseAdmin):
    list_display = ("day", "name", "count")
    list_filter = ("name",)
    date_hierarchy = "day"
