"""Counts events by day: the analytics subscriber's effect."""

from django.db import connection, transaction

from habitat.events.policies.registry import DeliveredEvent
from habitat.members.policies.actors import Actor


@transaction.atomic
def count(*, event: DeliveredEvent, acting: Actor) -> None:
    """Adds one to the count of `event.name` on the UTC day it happened."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_eventcount (day, name, count) VALUES ((%s AT TIME ZONE 'UTC')::date, %s, 1)"
            " ON CONFLICT (day, name) DO UPDATE SET count = events_eventcount.count + 1",
            [event.occurred_at, event.name],
        )
