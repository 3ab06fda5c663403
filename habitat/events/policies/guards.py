"""The database's own guards of this floor, for `verify_books` to find."""

from habitat.controls.policies.guards import Guard

GUARDS = (
    Guard("events_event", "events_event_append_only", "trigger", "a fact that is changed or deleted"),
    Guard("events_event", "events_event_no_truncate", "trigger", "an outbox that is emptied"),
    Guard("events_event", "habitat_app:UPDATE", "no_privilege", "the application changing a fact"),
    Guard("events_event", "habitat_app:DELETE", "no_privilege", "the application deleting a fact"),
    Guard("events_event", "habitat_app:TRUNCATE", "no_privilege", "the application emptying the outbox"),
    Guard("events_delivery", "events_delivery_state", "trigger", "a delivery that jumps over a state"),
    Guard("events_delivery", "events_delivery_born", "trigger", "a delivery born as if it were delivered"),
    Guard("events_delivery", "events_delivery_kept", "trigger", "a delivery that is deleted"),
    Guard("events_delivery", "events_delivery_no_truncate", "trigger", "deliveries that are emptied"),
    Guard("events_delivery", "habitat_app:DELETE", "no_privilege", "the application deleting a delivery"),
    Guard("events_delivery", "habitat_app:TRUNCATE", "no_privilege", "the application emptying deliveries"),
    Guard("events_delivery", "delivery_once_per_subscriber", "constraint", "a second delivery to a subscriber"),
)
