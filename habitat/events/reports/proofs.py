"""Proves from scratch that every fact reaches everybody who asked for it: each event has exactly its deliveries."""

from django.db import connection

from habitat.controls.policies.proofs import Proof, ProofResult


def events_have_their_deliveries() -> ProofResult:
    """Every event's deliveries are exactly the subscribers that had a handler when it was written."""
    return _none_of(
        "SELECT count(*) FROM events_event",
        "SELECT event.id FROM events_event AS event"
        " LEFT JOIN LATERAL (SELECT array_agg(subscriber ORDER BY subscriber) AS got"
        "   FROM events_delivery WHERE event_id = event.id) AS delivery ON true"
        " WHERE coalesce(delivery.got, '{}') <>"
        "   ARRAY(SELECT unnest(event.subscribers) AS wanted ORDER BY wanted)::varchar[]"
        " ORDER BY event.id LIMIT 1",
        good="every event has exactly the deliveries its subscribers asked for",
        bad="event {id} does not have the deliveries its subscribers asked for",
    )


def deliveries_have_their_event() -> ProofResult:
    """No delivery points at an event that is not there."""
    return _none_of(
        "SELECT count(*) FROM events_delivery",
        "SELECT delivery.id FROM events_delivery AS delivery LEFT JOIN events_event AS event"
        " ON event.id = delivery.event_id WHERE event.id IS NULL ORDER BY delivery.id LIMIT 1",
        good="every delivery has its event",
        bad="delivery {id} has no event",
    )


def _none_of(counting: str, finding: str, *, good: str, bad: str) -> ProofResult:
    with connection.cursor() as cursor:
        cursor.execute(counting)
        counted = cursor.fetchone()[0]
        cursor.execute(finding)
        broken = cursor.fetchone()
    message = bad.format(id=broken[0]) if broken else good
    return ProofResult(ok=broken is None, counted=counted, message=message)


PROOFS = (
    Proof("events have their deliveries", events_have_their_deliveries),
    Proof("deliveries have their event", deliveries_have_their_event),
)
