"""The database's own guards of this floor, for `verify_books` to find."""

from habitat.controls.policies.guards import Guard

GUARDS = (
    Guard("events_event", "events_event_born", "trigger", "a fact that claims another transaction"),
    Guard("events_event", "events_event_append_only", "trigger", "a fact changed, deleted or truncated"),
    Guard("events_event", "INSERT", "no_privilege", "the application writing a fact's time and transaction"),
    Guard("events_event", "INSERT (name, payload, actor, subscribers)", "columns", "a fact with a forged clock"),
    Guard("events_event", "UPDATE", "no_privilege", "the application changing a fact"),
    Guard("events_event", "DELETE", "no_privilege", "the application deleting a fact"),
    Guard("events_event", "TRUNCATE", "no_privilege", "the application emptying the outbox"),
    Guard("events_delivery", "events_delivery_state", "trigger", "a delivery that jumps over a state"),
    Guard("events_delivery", "events_delivery_born", "trigger", "a delivery born as if it were delivered"),
    Guard("events_delivery", "events_delivery_kept", "trigger", "a delivery deleted or truncated"),
    Guard("events_delivery", "DELETE", "no_privilege", "the application deleting a delivery"),
    Guard("events_delivery", "TRUNCATE", "no_privilege", "the application emptying deliveries"),
    Guard("events_delivery", "delivery_once_per_subscriber", "constraint", "a second delivery to a subscriber"),
    Guard("events_delivery", "UPDATE", "no_privilege", "the application moving a delivery to another event"),
    Guard(
        "events_delivery",
        "UPDATE (state, attempts, due_at, lease_until, fence, error)",
        "columns",
        "a delivery moved to another event or subscriber",
    ),
    Guard("events_delivery", "INSERT (event_id, subscriber)", "columns", "a delivery born as if it were tried"),
    Guard("events_delivery", "INSERT", "no_privilege", "the application writing a delivery as delivered"),
)
